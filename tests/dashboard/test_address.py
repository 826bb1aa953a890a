"""An address says all of what is shown: it can be shared, opened again and gone back to."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.dashboard.site import Site
from tests.dashboard.test_page import SEEN_MS, opened, shown, total
from tests.repository.queries import FIRST, LAST

CHOSEN: Final = (
    "[...document.querySelectorAll('main [aria-current]')]"
    ".map((chosen) => chosen.dataset.metric || chosen.textContent)"
)
HALF_A_YEAR: Final = "from=2024-01-01&to=2024-06-30"
DEFAULT: Final = ["30 days", "Day", "sent"]


@pytest.mark.parametrize(
    ("address", "heading", "chosen", "is_table_open"),
    [
        ("/", "All campaigns", DEFAULT, False),
        ("/?range=today", "All campaigns", ["Today", "Hour", "sent"], False),
        ("/?range=7&by=hour", "All campaigns", ["7 days", "Hour", "sent"], False),
        ("/?range=365", "All campaigns", ["12 months", "Week", "sent"], False),
        ("/?range=all&metric=replied&table=1", "All campaigns", ["All", "Month", "replied"], True),
        (f"/?{HALF_A_YEAR}&by=week", "All campaigns", ["Week", "sent"], False),
        (f"/campaign?id=alpha&{HALF_A_YEAR}&by=month&metric=opened&table=1", "alpha",
         ["Month", "opened"], True),
        ("/operations?table=1", "Operations", [], True),
        # What makes no sense is as if it were not there.
        ("/?range=8&by=decade&metric=sense&table=yes", "All campaigns", DEFAULT, False),
        ("/?from=2024-13-01&to=2024-12-01", "All campaigns", DEFAULT, False),
        ("/?from=2024-01-01&to=2024-02-30", "All campaigns", DEFAULT, False),
        ("/?from=0000-01-01&to=9999-12-31", "All campaigns", DEFAULT, False),
        ("/?range=all&by=hour", "All campaigns", ["All", "Day", "sent"], False),
        ("/campaign?id=alpha&range=7&why=2024-99-99", "alpha", ["7 days", "Day", "sent"], False),
        ("/campaign?id=&range=7", "All campaigns", ["7 days", "Day", "sent"], False),
    ],
)  # fmt: skip
def test_an_address_says_what_is_shown(
    page: Page, address: str, heading: str, chosen: list[str], is_table_open: bool
) -> None:
    opened(page, address)
    for _ in ("opened", "reloaded"):
        expect(page.locator("h1")).to_have_text(heading)
        expect(page.get_by_role("alert")).to_have_count(0)
        assert page.evaluate(CHOSEN) == chosen
        assert page.locator("details").evaluate("(details) => details.open") == is_table_open
        page.reload()
        page.locator("main[data-loaded]").wait_for()


def test_pages_of_events_and_of_a_reason_have_addresses(site: Site, page: Page) -> None:
    ((day,),) = site.history.query(
        "SELECT (occurred_at AT TIME ZONE 'UTC')::date FROM campaign_events"
        " JOIN campaigns USING (campaign_key) WHERE campaign_id = 'alpha'"
        " GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    )
    asked = {"campaign": "alpha", "limit": 7}
    before = site.dashboard.ask("/api/events", asked).json["next_before"]
    after = site.dashboard.ask("/api/why", {**asked, "day": day, "limit": 1}).json["next_after"]
    later = {
        "events-title": site.dashboard.ask("/api/events", {**asked, "before": before}),
        "why-title": site.dashboard.ask("/api/why", {**asked, "day": day, "after": after}),
    }
    opened(page, f"/campaign?id=alpha&range=all&before={before}&why={day}&after={after}")
    for title, answer in later.items():
        ids = page.locator(f"section[aria-labelledby={title}] td.code")
        expect(ids.first).to_have_text(answer.json["events"][0]["event_id"])
    # An export goes on from the page that is shown, and says that it ends.
    export = page.locator("section[aria-labelledby=events-title] .exports a").first
    assert parse_qs(urlsplit(export.get_attribute("href") or "").query)["before"] == [before]
    expect(page.get_by_text("CSV and JSON: up to 1,000 from here on")).to_be_visible()
    for name in ("Newest", "First"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0, timeout=SEEN_MS)


def test_what_the_api_refuses_is_told(page: Page) -> None:
    opened(page, "/?from=2024-06-30&to=2024-01-01")
    expect(page.get_by_role("alert")).to_contain_text("The range begins on 2024-06-30")
    opened(page, "/campaign?id=alpha&before=nonsense")
    expect(page.get_by_role("alert")).to_be_visible()


def test_an_open_table_stays_open_in_what_is_chosen_next(page: Page) -> None:
    opened(page, "/campaign?id=alpha&range=all&by=day")
    summary = page.get_by_text("Show as table")
    summary.click()
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?id=alpha&range=all&by=day&table=1")
    assert "table=1" in (page.get_by_role("link", name="Why?").first.get_attribute("href") or "")
    page.locator('[data-metric="opened"]').click()
    expect(page.get_by_role("heading", name="Opened by day")).to_be_visible(timeout=SEEN_MS)
    assert "table=1" in page.url
    assert page.locator("details").evaluate("(details) => details.open")
    summary.click()
    page.get_by_role("link", name="Month", exact=True).click()
    expect(page.get_by_role("heading", name="Opened by month")).to_be_visible(timeout=SEEN_MS)
    assert "table" not in page.url


def test_a_range_of_centuries_shows_all_there_is(site: Site, page: Page) -> None:
    within = f"event_date <= '{LAST}'"
    ((days,),) = site.history.query(
        f"SELECT count(DISTINCT event_date) FROM campaign_daily_stats WHERE {within}"
    )
    opened(page, f"/?from=1970-01-01&to={LAST}&by=day&table=1")
    expect(page.locator(".readout")).to_have_text(
        f"{total(site, 'sent', within):,} in {days} days with events"
    )
    expect(page.locator("figure tbody tr")).to_have_count(days)
    opened(page, "/?from=1970-01-01&to=1990-12-31&by=day")
    expect(page.locator(".readout")).to_have_text("No events in this range.")


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/St_Johns"])
def test_a_page_left_open_goes_on_with_the_new_day_wherever_it_is(
    browser: Browser, site: Site, zone: str
) -> None:
    ((day,),) = site.history.query(
        "SELECT event_date FROM campaign_daily_stats WHERE event_date BETWEEN %s AND %s"
        " GROUP BY 1 ORDER BY sum(sent) DESC LIMIT 1", FIRST + timedelta(days=7), LAST,
    )  # fmt: skip
    context = browser.new_context(base_url=site.dashboard.url, timezone_id=zone)
    page = context.new_page()
    page.clock.install(time=datetime.combine(day, time(), UTC) - timedelta(seconds=20))
    opened(page, "/?range=7&table=1")
    assert page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") == zone
    _shows_week_up_to(site, page, day - timedelta(days=1))
    page.clock.fast_forward(30_000)
    _shows_week_up_to(site, page, day)
    context.close()


def _shows_week_up_to(site: Site, page: Page, last: date) -> None:
    first = last - timedelta(days=6)
    expect(page.locator("h1 + p")).to_contain_text(
        f"{_text(first)} to {_text(last)}", timeout=SEEN_MS
    )
    assert shown(page, "sent") == total(site, "sent", "event_date BETWEEN %s AND %s", first, last)
    truth = site.history.query(
        "SELECT DISTINCT event_date FROM campaign_daily_stats"
        " WHERE event_date BETWEEN %s AND %s ORDER BY 1 DESC", first, last,
    )  # fmt: skip
    assert page.locator("figure tbody th").all_inner_texts() == [
        f"{day:%a}, {_text(day)}" for (day,) in truth
    ]


def _text(day: date) -> str:
    """As British English writes it."""
    return f"{day.day} {day:%b} {day.year}".replace("Sep", "Sept")


FAKE_NEWS: Final = """
    const sources = [];
    window.EventSource = class extends EventTarget {
      constructor() { super(); sources.push(this); }
      close() {}
    };
    window.asked = 0;
    const fetched = window.fetch;
    window.fetch = (...question) => {
      window.asked += 1;
      for (const source of sources) source.dispatchEvent(new Event('refresh'));
      return fetched(...question);
    };
"""
"""News with each question that the page asks."""


def test_news_without_end_keeps_no_view_from_the_page(page: Page) -> None:
    page.add_init_script(FAKE_NEWS)
    opened(page, f"/?{HALF_A_YEAR}")
    page.get_by_role("link", name="Month", exact=True).click()
    expect(page.get_by_role("heading", name="Sent by month")).to_be_visible(timeout=SEEN_MS)


def test_a_view_that_was_left_before_it_was_shown_watches_nothing_any_more(page: Page) -> None:
    page.add_init_script("""
        window.watching = 0;
        window.ResizeObserver = class extends ResizeObserver {
          observe(element) { super.observe(element); window.watching += 1; }
          disconnect() { super.disconnect(); window.watching -= 1; }
        };
    """)
    opened(page, f"/?{HALF_A_YEAR}")
    held: list[Route] = []
    page.route("**/api/trend?*by=week*", lambda route: held.append(route))  # noqa: PLW0108 - called by its signature
    page.get_by_role("link", name="Week", exact=True).click()
    page.get_by_role("link", name="Month", exact=True).click()
    expect(page.get_by_role("heading", name="Sent by month")).to_be_visible(timeout=SEEN_MS)
    assert len(held) == 1
    assert page.evaluate("window.watching") == 1


def test_a_jump_within_the_page_asks_nothing_and_going_back_finds_the_place(page: Page) -> None:
    page.add_init_script("""
        window.asked = 0;
        const fetched = window.fetch;
        window.fetch = (...question) => { window.asked += 1; return fetched(...question); };
    """)
    page.route("**/api/live", lambda route: route.abort())  # no news
    page.set_viewport_size({"width": 1280, "height": 400})
    opened(page, f"/?{HALF_A_YEAR}")
    asked = page.evaluate("window.asked")
    page.evaluate(
        "new Promise((done) => { window.addEventListener('popstate', () => done());"
        " document.querySelector('.skip').click(); })"
    )
    assert page.evaluate("window.asked") == asked
    page.evaluate("window.scrollTo(0, 200)")
    link = page.locator("section[aria-labelledby=top-title] tbody a").first
    link.evaluate("(link) => link.click()")  # without scrolling to it
    expect(page.locator(".crumb")).to_be_visible(timeout=SEEN_MS)
    page.go_back()
    expect(page.get_by_role("heading", name="All campaigns")).to_be_visible(timeout=SEEN_MS)
    assert page.evaluate("window.scrollY") == 200
