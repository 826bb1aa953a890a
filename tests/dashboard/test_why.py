"""Why a number is what it is: the API and the page tell what `ingester why` tells."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Page, expect

from ingester.store.migrator import grant_roles
from tests.dashboard.site import Dashboard, Site
from tests.sql.history import Event, History, at, replay_id

DAY: Final = "2025-06-02"
EVENTS_OF: Final = ("event_id", "occurred_at", "event_type", "count", "is_replayed", "batch_id")
RANGES_OF: Final = (
    *("batch_id", "batches", "topic", "partition", "first_offset", "next_offset", "ingested_at"),
    *("events", "records", "inserted", "duplicates", "conflicting", "rejected"),
)
NAMES: Final = {"REPLAY_COLUMN_CAMPAIGN_ID": "campaign", "REPLAY_COLUMN_STAT_DATE": "day"}
SEEN_MS: Final = 30_000


@pytest.fixture
def url(site: Site, database_url: str) -> str:
    """For a reader: a day of nine batches, a replayed event, live ones, and two repeats."""
    with History(database_url) as history:
        grant_roles(history.connection)
        history.connection.execute(
            "CREATE TABLE old (campaign text, day date, sent int);"
            "INSERT INTO old VALUES ('c', '2025-06-02', 4711);"
            "INSERT INTO replay_state (cut_date, legacy_table, topic, cluster_id, topic_id)"
            " VALUES ('2025-07-01', 'old', 't', 'c', 'i')"
        )
        events = [Event("c", at(f"{DAY} 10:00") + timedelta(minutes=n)) for n in range(8)]
        replayed = Event("c", at(f"{DAY} 00:00"), "sent", 9, replay_id(random.Random(1)))
        repeated = [events[0], Event("c", events[0].occurred_at, "opened", 1, events[0].event_id)]
        history.ingest([replayed], partition=3, rejected=2)
        for number, event in enumerate(events):
            history.ingest([event, *repeated][: 1 if number < 7 else 3], partition=number % 3)
        history.refresh()
    login = urlsplit(site.reader_url).username
    address = urlsplit(database_url)
    netloc = f"{login}@{address.netloc.rpartition('@')[2]}"
    return address._replace(netloc=netloc).geturl()


@pytest.fixture
def dashboard(site: Site, url: str) -> Iterator[Dashboard]:
    """Over it, told how the old table calls its columns."""
    dashboard = Dashboard(site.ingester, DATABASE_URL=url, **NAMES)
    yield dashboard
    dashboard.running.end()


def only(names: tuple[str, ...], row: dict[str, Any]) -> dict[str, str]:
    """Some fields; a time is the same however it is written."""
    return {name: str(row[name]).replace(" ", "T").replace("+00:00", "Z") for name in names}


@pytest.mark.parametrize("limit", [2, 100])
def test_the_api_tells_what_the_command_tells(
    site: Site, dashboard: Dashboard, url: str, limit: int
) -> None:
    shown = site.ingester.run("why", "c", DAY, "--json", "--limit", str(limit),
                              settings={"DATABASE_URL": url, **NAMES})  # fmt: skip
    assert shown.code == 0, shown.tail()
    by_command = json.loads(shown.stdout)
    told = dashboard.ask("/api/why", {"campaign": "c", "day": DAY, "limit": limit}).json
    for part, names in (("events", EVENTS_OF), ("ranges", RANGES_OF)):
        ours, theirs = ([only(names, row) for row in each[part]] for each in (told, by_command))
        assert ours == theirs
    # No event without its offsets, however old the batch that brought it.
    assert {each["batch_id"] for each in told["events"]} <= {
        each["batch_id"] for each in told["ranges"]
    }
    totals = by_command["totals"]
    assert totals["conflicting"] == 1
    assert {"ranges": told["ranges_total"]} | {
        name: told[name] for name in totals if name != "ranges"
    } == totals


def test_a_legacy_row_is_told_to_who_may_read_it(dashboard: Dashboard, database_url: str) -> None:
    asked = {"campaign": "c", "day": DAY}
    assert dashboard.ask("/api/why", asked).json["legacy"] == {
        "table": "old", "rows": [], "problem": "this login may not read it",
    }  # fmt: skip
    with psycopg.connect(database_url) as owner:
        owner.execute("GRANT SELECT ON old TO ingester_reader")
    # Another question: an answer may be shared for a few seconds.
    told = dashboard.ask("/api/why", {**asked, "limit": 7}).json["legacy"]
    assert told == {
        "table": "old", "rows": [{"campaign": "c", "day": DAY, "sent": 4711}], "problem": None,
    }  # fmt: skip


def test_the_page_names_the_offsets_of_each_event(dashboard: Dashboard, page: Page) -> None:
    page.goto(f"{dashboard.url}/campaign?id=c&from={DAY}&to={DAY}&why={DAY}")
    why = page.locator("#why")
    expect(why).to_contain_text("9 of 9 ranges shown", timeout=SEEN_MS)
    expect(why).to_contain_text("2 duplicates (1 conflicting), 2 rejected")
    first = why.get_by_role("region", name="Events of the day").get_by_role("row").nth(1)
    expect(first).to_contain_text("migration")
    expect(first).to_contain_text("t[3] 0–2")


def test_a_day_that_cannot_be_explained_takes_nothing_else_from_the_page(
    dashboard: Dashboard, page: Page
) -> None:
    page.route("**/api/why?*", lambda route: route.fulfill(
        status=503, json={"detail": "the database needed too long"}))  # fmt: skip
    page.goto(f"{dashboard.url}/campaign?id=c&from={DAY}&to={DAY}&why={DAY}")
    expect(page.locator("#why").get_by_role("alert")).to_have_text(
        "The database needed too long.", timeout=SEEN_MS
    )
    expect(page.locator('[data-metric="sent"] strong')).to_have_text("17")
