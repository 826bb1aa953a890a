"""How soon the page tells what happened, with the intervals that everybody starts with."""

import random
import time
from datetime import UTC, datetime
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.publish import publish
from tests.acceptance.traffic import event, publication
from tests.dashboard.site import Site

SECONDS_AFTER_FLUSH: Final = 2.0
SECONDS_AFTER_REFRESH: Final = 1.0
ATTEMPTS: Final = 3
"""The promise is for a machine that has nothing else to do."""
START_MS: Final = 30_000

# When the card showed which number for the first time, by the clock that all processes here share.
_NOTE_NUMBERS: Final = """() => {
  window.seen = {};
  new MutationObserver(() => {
    const shown = document.querySelector('[data-metric="sent"] strong')?.textContent;
    window.seen[shown] ??= Date.now();
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""


def test_a_number_changes_two_seconds_after_its_event_and_one_after_its_refresh(
    site: Site, page: Page
) -> None:
    page.goto("/campaign?id=prompt&range=7")
    page.locator("main[data-loaded]").wait_for()
    expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=START_MS)
    page.evaluate(_NOTE_NUMBERS)
    measured = []
    for number in map(str, range(1, ATTEMPTS + 1)):
        happened = event(random.Random(), campaign_id="prompt", event_type="sent", count=1,
                         occurred_at=datetime.now(UTC).isoformat())  # fmt: skip
        publish(site.ingester.bootstrap, site.ingester.topic, [publication(happened)])
        flushed = time.time()
        card = page.locator('[data-metric="sent"] strong')
        expect(card).to_have_text(number, timeout=START_MS)
        seen = page.evaluate("number => window.seen[number]", number) / 1000
        ((folded,),) = site.history.query(
            "SELECT extract(epoch FROM max(folded_at))::float8 FROM campaign_events"
            " JOIN ingest_batches USING (batch_id) JOIN campaigns USING (campaign_key)"
            " WHERE campaign_id = 'prompt'"
        )
        measured.append((round(seen - flushed, 3), round(seen - folded, 3)))
        if seen - flushed <= SECONDS_AFTER_FLUSH and seen - folded <= SECONDS_AFTER_REFRESH:
            return
    pytest.fail(f"seconds after the flush, after the refresh: {measured}")
