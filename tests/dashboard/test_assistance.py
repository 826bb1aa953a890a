"""The page by keyboard and by screen reader, while its numbers change."""

from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.site import Site
from tests.dashboard.test_page import SEEN_MS, happens, opened, shown, total
from tests.repository.queries import FIRST, LAST

STRUCTURES: Final = {
    f"/?from={FIRST}&to={LAST}&by=month&table=1": """
        - main:
          - heading "All campaigns" [level=1]
          - region "Range":
            - group "Days"
            - textbox "From"
            - textbox "to"
            - button "Show"
            - group "Period"
          - group "Totals; choose one to chart it":
            - link /^Sent/
          - region "Sent by month":
            - heading "Sent by month" [level=2]
            - link "CSV"
            - link "JSON"
            - figure:
              - group:
                - region "Sent by month":
                  - table "Sent by month":
                    - rowgroup:
                      - row:
                        - columnheader "Period"
                        - columnheader "Sent"
          - region "Top campaigns by sent":
            - heading "Top campaigns by sent" [level=2]
            - region "Top campaigns":
              - table "Top campaigns":
                - rowgroup:
                  - row:
                    - columnheader "Campaign"
    """,
    f"/campaign?id=alpha&from={FIRST}&to={LAST}": """
        - main:
          - paragraph:
            - link "All campaigns"
          - heading "alpha" [level=1]
          - region "Range"
          - region "Sent by day"
          - region "Funnel":
            - heading "Funnel" [level=2]
            - term: Sent
            - definition
          - region "Events":
            - heading "Events" [level=2]
            - region "Events, the newest first":
              - table "Events, the newest first"
            - paragraph:
              - link "Older"
    """,
    "/operations": """
        - main:
          - heading "Operations" [level=1]
          - region "Ingestion"
          - region "Topic partitions":
            - heading "Topic partitions" [level=2]
          - region "Rejects by reason"
          - region "Storage":
            - heading "Storage" [level=2]
            - region "Storage":
              - table "Storage":
                - rowgroup:
                  - row:
                    - columnheader "What"
                    - columnheader "On disk"
          - region "Monthly partitions":
            - term: Months
            - definition
          - region "Migration"
    """,
}
QUIET: Final = 4.5
"""WCAG 2.2, criterion 1.4.3: contrast of a text with its ground."""
CONTRASTS: Final = """
    () => {
      const parts = (color) => color.match(/[\\d.]+/g).map(Number);
      const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const [r, g, b, alpha = 1] = parts(getComputedStyle(at).backgroundColor);
          if (alpha === 1) return [r, g, b];
          if (alpha > 0) throw new Error('a ground that shines through');
        }
        return [255, 255, 255];
      };
      const luminance = (color) => color.slice(0, 3).map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
      const found = {};
      for (const element of document.querySelectorAll('body *')) {
        const says = [...element.childNodes].some((node) => node.data?.trim());
        // What cannot be chosen may be quieter.
        if (!says || !element.checkVisibility() || element.ariaDisabled === 'true') continue;
        const [ink, paper] = [parts(getComputedStyle(element).color), ground(element)];
        const [low, high] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
        found[`${ink} on ${paper}`] = (high + 0.05) / (low + 0.05);
      }
      return found;
    }
"""


@pytest.mark.parametrize("address", STRUCTURES)
def test_every_view_is_structured_for_those_who_hear_it(page: Page, address: str) -> None:
    opened(page, address)
    expect(page.locator("body")).to_match_aria_snapshot(STRUCTURES[address])
    expect(page.locator("body")).to_match_aria_snapshot("""
        - link "Skip to the content"
        - banner:
          - link "Campaign statistics"
          - navigation "Views":
            - link "Overview"
            - link "Operations"
          - search:
            - searchbox "Find a campaign"
          - paragraph: /Live|Connecting/
        - main
        - status
    """)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser: Browser, site: Site, scheme: Any) -> None:
    context = browser.new_context(base_url=site.dashboard.url, color_scheme=scheme)
    page = context.new_page()
    grounds: dict[str, float] = {}
    for address in (*STRUCTURES, "/campaign?id=alpha&range=all&why=2024-03-01", "/login"):
        page.goto(address)
        if address != "/login":
            page.locator("main[data-loaded]").wait_for()
        grounds |= page.evaluate(CONTRASTS)
    context.close()
    assert len(grounds) >= 5
    assert {pair: contrast for pair, contrast in grounds.items() if contrast < QUIET} == {}


def test_new_numbers_take_neither_the_focus_nor_a_selection(site: Site, page: Page) -> None:
    happens(site, campaign_id="first", event_type="bounced", count=50)
    happens(site, campaign_id="second", event_type="bounced", count=40)
    opened(page, "/?range=7&metric=bounced")
    ours = (
        page.locator("section[aria-labelledby=top-title] tbody th")
        .filter(has_text="first")
        .or_(page.locator("section[aria-labelledby=top-title] tbody th").filter(has_text="second"))
    )
    expect(ours).to_have_text(["first", "second"], timeout=SEEN_MS)
    link = page.get_by_role("link", name="second", exact=True)
    link.focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#top-title'))")
    page.evaluate(
        "(link) => { link.mine = true; getSelection().selectAllChildren(link); }",
        link.element_handle(),
    )
    before = shown(page, "bounced")
    # First a number changes, then the order.
    for count, order in ((5, ["first", "second"]), (20, ["second", "first"])):
        happens(site, campaign_id="second", event_type="bounced", count=count)
        before += count
        expect(page.locator('[data-metric="bounced"] strong')).to_have_text(
            f"{before:,}", timeout=SEEN_MS
        )
        expect(ours).to_have_text(order, timeout=SEEN_MS)
        expect(link).to_be_focused()
        assert link.evaluate("(link) => link.mine")
        if order[0] == "first":
            assert page.evaluate("getSelection().toString()") == "second"
    expect(page.get_by_role("row", name="second").get_by_role("cell").first).to_have_text("65")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("second", timeout=SEEN_MS)


def test_a_view_is_announced_once_and_its_changing_numbers_are_not(site: Site, page: Page) -> None:
    page.add_init_script("""
        window.announced = [];
        window.addEventListener('DOMContentLoaded', () => {
          const status = document.getElementById('announce');
          new MutationObserver(() => window.announced.push(status.textContent))
            .observe(status, {childList: true, characterData: true, subtree: true});
        });
    """)
    happens(site, campaign_id="heard", event_type="sent", count=3)
    opened(page, "/campaign?id=heard&range=7")
    sent = page.locator('[data-metric="sent"] strong')
    expect(sent).to_have_text("3", timeout=SEEN_MS)
    announced = page.evaluate("window.announced")
    assert len(announced) == 1
    for number in (4, 5):
        happens(site, campaign_id="heard", event_type="sent", count=1)
        expect(sent).to_have_text(str(number), timeout=SEEN_MS)
    assert page.evaluate("window.announced") == announced
    page.goto(f"/?from={FIRST}&to={LAST}")
    within = "event_date BETWEEN %s AND %s"
    sums = [total(site, column, within, FIRST, LAST) for column in ("sent", "replied")]
    expect(page.locator("#announce")).to_have_text(
        f"{sums[0]:,} sent, {sums[1]:,} replied, 20 Oct 2023 to 10 Dec 2025", timeout=SEEN_MS
    )
    page.get_by_role("link", name="Operations").click()
    expect(page.locator("#announce")).to_have_text("no failure recorded", timeout=SEEN_MS)
