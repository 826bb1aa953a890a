"""The page in a real browser: what people do with it, and what they then see."""

import csv
import random
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.publish import publish
from tests.acceptance.traffic import event, publication
from tests.dashboard.conftest import HOSTILE
from tests.dashboard.site import Dashboard, Site

SEEN_MS = 30_000
"""How long a test looks: the machine may be busy with everything else."""


def shown(page: Page, metric: str) -> int:
    """The number on a card."""
    text = page.locator(f'[data-metric="{metric}"] strong').inner_text()
    return int(text.replace(",", ""))


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("main[data-loaded]").wait_for()


def happens(site: Site, **fields: object) -> None:
    """An event of now, through Kafka."""
    now = datetime.now(UTC).isoformat()
    happened = event(random.Random(), occurred_at=now, **fields)
    publish(site.ingester.bootstrap, site.ingester.topic, [publication(happened)])


def total(site: Site, column: str, where: str = "true", *arguments: object) -> int:
    ((found,),) = site.history.query(
        f"SELECT coalesce(sum({column}), 0)::bigint FROM campaign_daily_stats WHERE {where}",
        *arguments,
    )
    return int(found)


def test_a_range_a_campaign_and_the_way_back(site: Site, page: Page) -> None:
    opened(page, "/?from=2024-01-01&to=2024-06-30")
    expect(page).to_have_title("All campaigns · Campaign statistics")
    within = "event_date BETWEEN '2024-01-01' AND '2024-06-30'"
    assert shown(page, "opened") == total(site, "opened", within)
    assert page.locator(".canvas canvas").count() == 1
    page.get_by_label("From").fill("2024-02-01")
    page.get_by_role("button", name="Show").click()
    within = "event_date BETWEEN '2024-02-01' AND '2024-06-30'"
    expect(page.locator("h1 + p")).to_contain_text("1 Feb 2024 to 30 Jun 2024", timeout=SEEN_MS)
    assert shown(page, "opened") == total(site, "opened", within)
    page.get_by_role("link", name="Month", exact=True).click()
    expect(page.get_by_role("heading", name="Sent by month")).to_be_visible(timeout=SEEN_MS)
    page.locator('[data-metric="replied"]').click()
    expect(page.get_by_role("heading", name="Top campaigns by replied")).to_be_visible()
    # Everything chosen stands in the address.
    address = page.url
    assert parse_qs(urlsplit(address).query) == {
        "from": ["2024-02-01"], "to": ["2024-06-30"], "by": ["month"], "metric": ["replied"],
    }  # fmt: skip
    page.get_by_label("Find a campaign").fill("ALPH")
    page.get_by_label("Find a campaign").press("Enter")
    expect(page.get_by_role("heading", name="alpha", exact=True)).to_be_visible(timeout=SEEN_MS)
    of_alpha = f"{within} AND campaign_id = 'alpha'"
    assert shown(page, "clicked") == total(site, "clicked", of_alpha)
    expect(page.locator(".funnel dd").first).to_contain_text(
        f"{total(site, 'sent', of_alpha):,}", timeout=SEEN_MS
    )
    page.go_back()
    expect(page).to_have_url(address)
    expect(page.get_by_role("heading", name="All campaigns")).to_be_visible(timeout=SEEN_MS)


@pytest.mark.parametrize("campaign_id", HOSTILE)
def test_a_campaign_of_any_name_is_shown_as_text(page: Page, campaign_id: str) -> None:
    opened(page, "/?range=7")
    page.get_by_role("link", name=campaign_id, exact=True).click()
    expect(page.locator("h1")).to_have_text(campaign_id, timeout=SEEN_MS)
    assert shown(page, "sent") == 9_000
    page.reload()
    expect(page.locator("h1")).to_have_text(campaign_id, timeout=SEEN_MS)


def test_events_change_the_number_without_a_reload(site: Site, page: Page) -> None:
    opened(page, "/campaign?id=live&range=7")
    expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=SEEN_MS)
    page.evaluate("window.sameDocument = true")
    assert shown(page, "sent") == 0
    for count in (5, 7):
        before = shown(page, "sent")
        happens(site, campaign_id="live", event_type="sent", count=count)
        expect(page.locator('[data-metric="sent"] strong')).to_have_text(
            str(before + count), timeout=SEEN_MS
        )
    assert page.evaluate("window.sameDocument")


def test_a_page_outlives_its_dashboard(site: Site, page: Page) -> None:
    dashboard = Dashboard(site.ingester, DATABASE_URL=site.reader_url)
    opened(page, f"{dashboard.url}/?range=7")
    state = page.locator("#live")
    expect(state).to_have_attribute("data-state", "live", timeout=SEEN_MS)
    dashboard.running.end()
    expect(state).to_have_attribute("data-state", "offline", timeout=SEEN_MS)
    before = shown(page, "bounced")
    happens(site, campaign_id="away", event_type="bounced", count=3)
    dashboard.start_again()
    expect(state).to_have_attribute("data-state", "live", timeout=SEEN_MS)
    expect(page.locator('[data-metric="bounced"] strong')).to_have_text(
        f"{before + 3:,}", timeout=SEEN_MS
    )


def test_a_number_is_explained_by_its_events(site: Site, page: Page) -> None:
    ((day, events),) = site.history.query(
        "SELECT (occurred_at AT TIME ZONE 'UTC')::date, count(*) FROM campaign_events"
        " JOIN campaigns USING (campaign_key) WHERE campaign_id = 'alpha'"
        " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
    )
    opened(page, f"/campaign?id=alpha&from={day}&to={day}&by=day")
    page.get_by_text("Show as table").click()
    page.get_by_role("link", name="Why?").click()
    why = page.locator("#why")
    expect(why).to_contain_text(f"Exactly the sum of {events} stored event", timeout=SEEN_MS)
    expect(why.get_by_role("row").nth(1)).to_contain_text("t[0]")
    assert parse_qs(urlsplit(page.url).query)["why"] == [str(day)]


def test_events_are_paged_and_each_page_has_an_address(page: Page) -> None:
    opened(page, "/campaign?id=alpha&range=all")
    ids = page.locator("section[aria-labelledby=events-title] td.code")
    first = ids.all_inner_texts()
    page.get_by_role("link", name="Older").click()
    expect(ids.first).not_to_have_text(first[0], timeout=SEEN_MS)
    second = ids.all_inner_texts()
    assert not set(first) & set(second)
    page.reload()
    expect(ids.first).to_have_text(second[0], timeout=SEEN_MS)


def test_what_is_shown_can_be_taken_along(site: Site, page: Page, tmp_path: Path) -> None:
    opened(page, "/?from=2024-01-01&to=2024-12-31&by=month")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV").first.click()
    file = tmp_path / "trend.csv"
    downloading.value.save_as(file)
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    truth = site.history.query(
        "SELECT period_start::date, sum(sent)::bigint FROM get_campaign_stats("
        "NULL, '2024-01-01', '2024-12-31', 'month') GROUP BY 1 ORDER BY 1"
    )
    assert [(row["period_start"][:10], int(row["sent"])) for row in rows] == [
        (str(start), sent) for start, sent in truth
    ]


def test_operations_show_how_the_whole_stands(site: Site, page: Page) -> None:
    opened(page, "/operations")
    # Kafka is asked in the background; nothing is published meanwhile.
    lag = page.locator('[data-tile="lag"] strong')
    expect(lag).to_have_text("0", timeout=SEEN_MS)
    ((rejected,),) = site.history.query("SELECT count(*) FROM rejected_events")
    assert page.locator('[data-tile="rejects"] strong').inner_text() == f"{rejected:,}"
    partitions = page.get_by_role("region", name="Topic partitions").get_by_role("table")
    for partition in range(4):
        name = f"{site.ingester.topic}[{partition}]"
        expect(partitions.get_by_role("rowheader", name=name)).to_be_visible()
    for (reason,) in site.history.query("SELECT DISTINCT reason_code FROM rejected_events"):
        expect(page.get_by_role("rowheader", name=reason, exact=True)).to_be_visible()


@pytest.mark.parametrize("address", ["/", "/campaign?id=alpha&range=all&table=1", "/operations"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_telephone_and_has_landmarks(
    browser: Browser, site: Site, address: str, scheme: str
) -> None:
    context = browser.new_context(
        base_url=site.dashboard.url,
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    opened(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for landmark in ("banner", "navigation", "main", "search"):
        assert page.get_by_role(landmark).count() == 1
    assert page.locator("h1").count() == 1
    # What stands in the canvas stands in a table too, and everything that can be chosen has a name.
    assert page.locator("figure .canvas[aria-hidden=true] ~ details").count() >= 1
    nameless = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, summary, table')].filter((e) =>"
        " !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length"
    )
    assert nameless == 0
    assert _contrast(page) >= 4.5
    context.close()


def test_the_keyboard_alone_leads_everywhere(page: Page) -> None:
    opened(page, "/?from=2024-01-01&to=2024-06-30")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("link", name="Week", exact=True).focus()
    page.keyboard.press("Enter")
    # The choice stays where it was, for the next key.
    expect(page.get_by_role("heading", name="Sent by week")).to_be_visible(timeout=SEEN_MS)
    expect(page.get_by_role("link", name="Week", exact=True)).to_be_focused(timeout=SEEN_MS)
    page.get_by_label("Find a campaign").focus()
    page.keyboard.type("bet")
    expect(page.locator("#found a")).to_have_text(["Beta"], timeout=SEEN_MS)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Beta", timeout=SEEN_MS)
    expect(page.locator("main")).to_be_focused()


def test_an_unknown_campaign_and_a_failing_question_are_told(page: Page) -> None:
    opened(page, "/campaign?id=nobody")
    expect(page.locator(".title")).to_contain_text("No events have been counted")
    page.route("**/api/totals?*", lambda route: route.fulfill(
        status=503, json={"detail": "the database is away"}))  # fmt: skip
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("alert")).to_have_text("The database is away.", timeout=SEEN_MS)


def _contrast(page: Page) -> float:
    """Of the quietest text on its ground, as WCAG 2 counts it."""
    colors = page.evaluate(
        "['--soft', '--card'].map((n) => getComputedStyle(document.documentElement)"
        ".getPropertyValue(n).trim())"
    )

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, colors))
    return (high + 0.05) / (low + 0.05)
