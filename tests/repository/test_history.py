"""A campaign's events one by one: all that the statistics counted, each once, whatever the page."""

import random
import time
from datetime import date, timedelta

import pytest
from psycopg.types.json import Jsonb

from ingester.errors import UsageError
from ingester.repository import EventKey, PostgresRepository, StoredEvent
from tests.sql.history import Event, History, Row, at, random_events

FIRST, LAST = date(2024, 11, 20), date(2025, 2, 10)


def pages(
    repository: PostgresRepository, start: date | None, end: date | None, limit: int
) -> list[StoredEvent]:
    found: list[StoredEvent] = []
    before: EventKey | None = None
    while True:
        page = repository.get_event_history("c", start, end, before=before, limit=limit)
        assert len(page.events) <= limit
        found += page.events
        if page.next_before is None:
            return found
        before = EventKey.parse(str(page.next_before))  # as it travels in a URL


def test_pages_hold_every_folded_event_of_a_range_once_the_newest_first(
    history: History, repository: PostgresRepository
) -> None:
    rng = random.Random("history")
    same_moment = [Event("c", at("2024-12-31 23:59:59.999999")) for _ in range(5)]
    written = [*random_events(rng, ["c", "d"], FIRST, LAST, 60), *same_moment]
    history.ingest(written)
    history.refresh()
    history.ingest([Event("c", at("2025-01-01 10:00"))])  # not folded: not counted, not shown

    mine = [event for event in written if event.campaign_id == "c"]
    for start, end in [
        (None, None),
        (date(2024, 12, 31), date(2025, 1, 15)),
        (date(2025, 1, 1), None),
    ]:
        expected = sorted(
            (
                (event.occurred_at, event.event_id)
                for event in mine
                if (start or date.min) <= event.occurred_at.date() <= (end or date.max)
            ),
            reverse=True,
        )
        for limit in (1, 3, 1_000):
            found = pages(repository, start, end, limit)
            assert [(event.occurred_at, event.event_id) for event in found] == expected
    counted = repository.get_stats("c", date(2024, 12, 31), date(2024, 12, 31)).metrics
    shown = pages(repository, date(2024, 12, 31), date(2024, 12, 31), 2)
    assert sum(event.count for event in shown if event.event_type == "sent") == counted.sent


def test_details_are_told_where_they_are_asked_for(
    history: History, repository: PostgresRepository
) -> None:
    told = {
        "event_id": "0198c3f2-7a4e-7c55-9d1b-2f6a1c0e9b11", "campaign_id": "c",
        "event_type": "opened", "occurred_at": "2025-02-03T10:00:00Z",
        "email_account_id": "mailbox-7", "metadata": {"client": "<script>", "n": [1, None]},
    }  # fmt: skip
    history.query("SELECT * FROM add_campaign_events(%s)", Jsonb([told]))
    history.refresh()
    (plain,) = repository.get_event_history("c").events
    assert (plain.email_account_id, plain.metadata) == (None, None)
    (full,) = repository.get_event_history("c", details=True).events
    assert full.email_account_id == "mailbox-7"
    assert full.metadata == {"client": "<script>", "n": [1, None]}
    assert full.key == plain.key
    assert not full.is_replayed


def test_days_of_other_campaigns_cost_a_quiet_one_nothing(
    history: History, repository: PostgresRepository
) -> None:
    """The roll-up leads to the days: no month is read in which the campaign has no event."""
    history.ingest([Event("quiet", at("2024-01-15 10:00"))])
    for month in range(24):
        day = at("2023-02-01 00:00") + timedelta(days=30 * month)
        history.ingest([Event("loud", day + timedelta(minutes=n)) for n in range(20)])
    history.refresh()
    history.query("SELECT pg_stat_reset() IS NULL")
    assert len(repository.get_event_history("quiet").events) == 1
    repository.close()  # its session hands in its numbers when it ends
    read: list[Row] = []
    give_up_at = time.monotonic() + 30
    while not read and time.monotonic() < give_up_at:
        read = history.query(
            "SELECT relname::text FROM pg_stat_user_tables"
            " WHERE starts_with(relname, 'campaign_events_2') AND coalesce(idx_scan, 0) > 0"
        )
    assert read == [("campaign_events_2024_01",)]


@pytest.mark.parametrize("text", ["", "x", "2025-01-01_", "2025-01-01T00:00:00Z_5", "_" * 300])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not the key of an event"):
        EventKey.parse(text)
