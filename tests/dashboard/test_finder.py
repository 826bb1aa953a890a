"""The search for a campaign, from every page."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.process import wait_for
from tests.dashboard.site import Site
from tests.dashboard.test_page import SEEN_MS, opened
from tests.sql.history import Event


@pytest.fixture(scope="module", autouse=True)
def crowd(site: Site) -> None:
    """`crowd` is contained in ten ids, and comes after nine of them."""
    noon = datetime.now(UTC) - timedelta(days=1)
    names = [*(f"a crowd {number}" for number in range(9)), "crowd"]
    site.history.ingest([Event(name, noon) for name in names])
    wait_for(
        lambda: site.dashboard.ask("/api/campaign", {"campaign": "crowd"}).json["sent"] == 1,
        30.0, lambda: "the crowd has not been folded",
    )  # fmt: skip


def test_an_exact_id_is_opened_whatever_else_contains_it(page: Page) -> None:
    opened(page, "/operations")
    page.get_by_label("Find a campaign").fill("crowd")
    expect(page.locator("#found a")).to_have_count(8, timeout=SEEN_MS)
    page.get_by_label("Find a campaign").press("Enter")
    expect(page.locator("h1")).to_have_text("crowd", timeout=SEEN_MS)
    page.get_by_label("Find a campaign").fill("rowd 4")
    page.get_by_label("Find a campaign").press("Enter")
    expect(page.locator("h1")).to_have_text("a crowd 4", timeout=SEEN_MS)


def test_what_is_found_too_late_is_not_shown(page: Page) -> None:
    page.add_init_script("""
        window.fetched = window.fetch;
        window.fetch = async (address, options) => {
          if (address.startsWith('/api/campaigns?')) {
            document.documentElement.dataset.asked = '';
            await new Promise((go) => { window.go = go; });
          }
          return window.fetched(address, options);
        };
    """)
    opened(page, "/operations")
    page.get_by_label("Find a campaign").fill("crowd")
    expect(page.locator("html[data-asked]")).to_be_attached(timeout=SEEN_MS)
    page.get_by_label("Find a campaign").press("Escape")
    # Whatever was asked before this is answered before it.
    page.evaluate("""async () => {
        window.go();
        await window.fetched('/api/campaigns?containing=crowd&limit=8');
        await new Promise((done) => setTimeout(done));
    }""")
    assert page.locator("#found").is_hidden()
