"""The page and its connection: cut, silent, refused, given up while nobody looks."""

import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.dashboard.site import Dashboard, Site
from tests.dashboard.test_page import SEEN_MS, happens, opened, shown


@pytest.fixture
def dashboard(site: Site) -> Iterator[Dashboard]:
    """One that may be stopped, with room for many pages."""
    started = Dashboard(site.ingester, DATABASE_URL=site.reader_url)
    yield started
    started.running.signal(signal.SIGCONT)
    started.running.end()


def looks(page: Page, *, is_seen: bool) -> None:
    """A headless browser looks at all of its pages, always."""
    page.evaluate(
        """(isSeen) => {
            Object.defineProperty(document, 'hidden', {value: !isSeen, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        is_seen,
    )


def is_in_state(page: Page, state: str) -> None:
    expect(page.locator("#live")).to_have_attribute("data-state", state, timeout=SEEN_MS)


def test_many_tabs_are_no_more_connections_than_are_looked_at(
    browser: Browser, dashboard: Dashboard
) -> None:
    context = browser.new_context(base_url=dashboard.url)
    # A browser opens six connections to a server, for all tabs together.
    for _ in range(8):
        page = context.new_page()
        opened(page, "/?range=7")
        is_in_state(page, "live")
        looks(page, is_seen=False)
    context.close()


def test_a_page_that_was_refused_is_let_in_when_another_one_leaves(
    browser: Browser, site: Site
) -> None:
    narrow = Dashboard(site.ingester, DATABASE_URL=site.reader_url, INGESTER_DASHBOARD_LIVE_MAX="1")
    context = browser.new_context(base_url=narrow.url)
    first, second = context.new_page(), context.new_page()
    opened(first, "/?range=7")
    is_in_state(first, "live")
    opened(second, "/?range=7")
    is_in_state(second, "offline")
    looks(first, is_seen=False)
    is_in_state(second, "live")
    looks(first, is_seen=True)
    is_in_state(first, "offline")
    second.close()
    is_in_state(first, "live")
    context.close()
    narrow.running.end()


def test_what_happened_while_the_network_was_away_is_shown(site: Site, page: Page) -> None:
    opened(page, "/campaign?id=offline&range=7")
    is_in_state(page, "live")
    page.context.set_offline(True)
    is_in_state(page, "offline")
    happens(site, campaign_id="offline", event_type="sent", count=11)
    page.context.set_offline(False)
    is_in_state(page, "live")
    expect(page.locator('[data-metric="sent"] strong')).to_have_text("11", timeout=SEEN_MS)


def test_a_lost_database_is_told_until_it_is_back(site: Site, page: Page) -> None:
    opened(page, "/campaign?id=lost&range=7")
    is_in_state(page, "live")
    page.evaluate("""
        const live = document.getElementById('live');
        new MutationObserver(() => live.classList.add(`was-${live.dataset.state}`))
          .observe(live, {attributeFilter: ['data-state']});
    """)
    ((ended,),) = site.history.query(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name = 'ingester-dashboard-live' AND datname = current_database()"
    )
    assert ended >= 1
    expect(page.locator("#live.was-lost")).to_be_attached(timeout=SEEN_MS)
    is_in_state(page, "live")
    happens(site, campaign_id="lost", event_type="sent", count=13)
    expect(page.locator('[data-metric="sent"] strong')).to_have_text("13", timeout=SEEN_MS)


def test_a_connection_that_hangs_is_noticed_and_made_again(
    page: Page, dashboard: Dashboard
) -> None:
    page.clock.install()
    opened(page, f"{dashboard.url}/?from=2024-01-01&to=2024-06-30")
    is_in_state(page, "live")
    dashboard.running.signal(signal.SIGSTOP)
    page.get_by_role("link", name="Month", exact=True).click()
    # Nothing is refused, nothing comes.
    expect(page.get_by_role("alert")).to_have_text(
        "The dashboard does not answer.", timeout=SEEN_MS
    )
    page.clock.fast_forward(45_000)
    is_in_state(page, "offline")
    dashboard.running.signal(signal.SIGCONT)
    page.clock.fast_forward(5_000)
    is_in_state(page, "live")
    expect(page.get_by_role("heading", name="Sent by month")).to_be_visible(timeout=SEEN_MS)
    expect(page.get_by_role("alert")).to_have_count(0, timeout=SEEN_MS)
    assert shown(page, "sent") > 0


def test_a_question_that_failed_is_asked_again(page: Page) -> None:
    failures = 1

    def fail_once(route: Route) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            route.fulfill(status=503, json={"detail": "the database is away"})
        else:
            route.continue_()

    page.route("**/api/totals?*", fail_once)
    # No refresh comes meanwhile.
    page.route("**/api/live", lambda route: route.abort())
    opened(page, "/?from=2024-01-01&to=2024-06-30")
    expect(page.get_by_role("alert")).to_have_text("The database is away.", timeout=SEEN_MS)
    expect(page.get_by_role("alert")).to_have_count(0, timeout=SEEN_MS)
    assert shown(page, "sent") > 0


def test_an_answer_that_breaks_off_is_told_as_one_that_did_not_come(page: Page) -> None:
    page.route("**/api/totals?*", lambda route: route.fulfill(status=200, body='{"totals": {'))
    opened(page, "/?from=2024-01-01&to=2024-06-30")
    expect(page.get_by_role("alert")).to_have_text("The dashboard does not answer.")
