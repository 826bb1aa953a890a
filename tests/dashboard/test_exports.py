"""What the page gives to take along, as people take it: by its links, beside SQL."""

import csv
import json
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page

from tests.dashboard.site import Site

RANGE: Final = "from=2024-01-01&to=2024-12-31"
COUNTS: Final = ("sent", "opened", "clicked", "replied", "positive_replies", "bounced")
SUMS: Final = ", ".join(f"sum({name})::bigint" for name in COUNTS)
STATS: Final = "get_campaign_stats({}, '2024-01-01', '2024-12-31', 'month')"
OF_ALPHA: Final = STATS.format("ARRAY['alpha']")
OF_ALL: Final = STATS.format("NULL")
TREND: Final = f"SELECT period_start::date::text, {SUMS} FROM {{}} GROUP BY 1 ORDER BY 1"
RANKED: Final = f"""
    SELECT campaign_id, {SUMS} FROM {OF_ALL} GROUP BY 1 ORDER BY sum(replied) DESC, campaign_id
"""
HISTORY: Final = """
    SELECT event_id::text, event_type::text, event_count
    FROM campaign_events JOIN campaigns USING (campaign_key)
    WHERE campaign_id = 'alpha' AND occurred_at >= '2024-01-01Z' AND occurred_at < '2025-01-01Z'
    ORDER BY occurred_at DESC, event_id DESC
"""
VIEWS: Final = {
    "/": ("Sent by month", TREND.format(OF_ALL), ("period_start", *COUNTS), "periods"),
    "/campaign?id=alpha&": (
        "Sent by month", TREND.format(OF_ALPHA), ("period_start", *COUNTS), "periods",
    ),
    "/?metric=replied&": (
        "Top campaigns by replied", RANKED, ("campaign_id", *COUNTS), "campaigns",
    ),
    "/campaign?id=alpha&metric=opened&": (
        "Events", HISTORY, ("event_id", "event_type", "count"), "events",
    ),
}  # fmt: skip


def cells(row: dict[str, Any], columns: tuple[str, ...]) -> tuple[str, ...]:
    """As text, a time as its day; CSV and JSON alike."""
    return tuple(
        str(row[name])[:10] if name == "period_start" else str(row[name]) for name in columns
    )


@pytest.mark.parametrize("address", VIEWS)
def test_links_give_what_is_shown_as_csv_and_json(
    site: Site, page: Page, tmp_path: Path, address: str
) -> None:
    heading, query, columns, field = VIEWS[address]
    truth = [tuple(map(str, row)) for row in site.history.query(query)]
    assert len(truth) > 3
    page.goto(f"{address}{'' if address.endswith('&') else '?'}{RANGE}&by=month")
    page.locator("main[data-loaded]").wait_for()
    card = page.locator("section").filter(has=page.get_by_role("heading", name=heading, exact=True))

    def link(name: str) -> Locator:
        return card.get_by_role("link", name=name, exact=True)

    with page.expect_download() as downloading:
        link("CSV").click()
    file = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(file)
    with file.open(newline="") as text:
        assert [cells(row, columns) for row in csv.DictReader(text)] == truth
    with page.context.expect_page() as opening:
        link("JSON").click()
    told = json.loads(opening.value.locator("pre").first.inner_text())
    assert [cells(row, columns) for row in told[field]] == truth
