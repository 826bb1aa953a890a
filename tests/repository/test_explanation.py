"""Why a number is what it is: every event behind it, its place in Kafka, what came with it."""

import random
from datetime import date, timedelta

import pytest

from ingester.repository import EventKey, ExplainedEvent, LegacyColumns, Metrics, PostgresRepository
from tests.sql.history import Event, History, at, random_events, replay_id

DAY = date(2025, 3, 5)


def test_every_event_behind_a_number_is_told_with_its_place(
    history: History, repository: PostgresRepository
) -> None:
    sent = Event("c", at("2025-03-05 00:00"), "sent", 40)
    opened = Event("c", at("2025-03-05 23:59"), "opened", 3)
    others = [Event("d", at("2025-03-05 12:00")), Event("c", at("2025-03-06 00:00"))]
    first = history.ingest([sent, *others], partition=3, rejected=2)
    second = history.ingest([sent, opened], partition=1)  # `sent` again: a duplicate
    history.refresh()
    history.ingest([Event("c", at("2025-03-05 08:00"))])  # not folded: behind no number yet

    told = repository.explain("c", DAY)

    assert told.shown == told.metrics == Metrics(sent=40, opened=3)
    assert [each.event.event_id for each in told.events] == [sent.event_id, opened.event_id]
    assert told.events_total == 2
    source = told.events[0].source
    assert (source.batch_id, source.topic, source.partition) == (first, "t", 3)
    assert (source.first_offset, source.next_offset) == (0, 5)
    assert (source.records, source.rejected, source.duplicates) == (5, 2, 0)
    assert (source.events, source.metrics) == (1, Metrics(sent=40))
    assert told.events[1].source.batch_id == second
    assert told.events[1].source.duplicates == 1
    assert (told.totals.ranges, told.totals.records) == (2, 7)
    assert (told.totals.duplicates, told.totals.rejected) == (1, 2)
    assert told.legacy is None
    assert not told.is_below_floor


def test_a_number_of_zero_has_nothing_behind_it(repository: PostgresRepository) -> None:
    told = repository.explain("nobody", DAY)
    assert told.shown == told.metrics == Metrics()
    assert (told.events, told.ranges, told.totals.ranges) == ((), (), 0)


def test_pages_hold_every_event_once_and_totals_stay_exact(
    history: History, repository: PostgresRepository
) -> None:
    rng = random.Random("pages")
    for number in range(7):
        history.ingest(random_events(rng, ["c", "d"], DAY, DAY, 12), partition=number % 3)
    history.refresh()
    whole = repository.explain("c", DAY)
    assert whole.next_after is None
    assert whole.metrics == whole.shown

    found: list[ExplainedEvent] = []
    after: EventKey | None = None
    while True:
        page = repository.explain("c", DAY, after=after, limit=4)
        assert (page.metrics, page.totals) == (whole.metrics, whole.totals)
        assert page.events_total == len(whole.events)
        assert len(page.ranges) == 4
        found += page.events
        after = page.next_after
        if after is None:
            break
    assert tuple(found) == whole.events


def test_merged_ledger_rows_still_name_the_offsets_of_their_events(
    history: History, repository: PostgresRepository
) -> None:
    events = [Event("c", at("2025-03-05 10:00") + timedelta(minutes=n)) for n in range(6)]
    for event in events:
        history.ingest([event], rejected=1)
    history.refresh()
    history.query("SELECT merge_ingest_batches(clock_timestamp())")
    told = repository.explain("c", DAY)
    assert [each.event.event_id for each in told.events] == [each.event_id for each in events]
    (merged,) = told.ranges
    assert (merged.batches, merged.first_offset, merged.next_offset) == (6, 0, 12)
    assert (merged.events, merged.rejected) == (6, 6)
    assert told.totals.rejected == 6


def test_events_written_without_kafka_have_no_offsets(
    history: History, repository: PostgresRepository
) -> None:
    history.query(
        "SELECT * FROM add_campaign_event(gen_random_uuid(), 'c', 'sent', '2025-03-05 10:00Z')"
    )
    history.refresh()
    (told,) = repository.explain("c", DAY).events
    assert (told.source.topic, told.source.first_offset) == (None, None)


def test_a_day_below_the_floor_says_that_its_events_may_have_gone(
    history: History, repository: PostgresRepository
) -> None:
    history.ingest([Event("c", at("2025-03-05 10:00"))])
    history.refresh()
    history.connection.execute("CALL drop_old_campaign_events_partitions(1)")
    told = repository.explain("c", DAY)
    assert told.is_below_floor
    assert told.shown == Metrics(sent=1)
    assert (told.metrics, told.events) == (Metrics(), ())


LEGACY = """
    CREATE TABLE {table} (id text PRIMARY KEY, campaign text, day date, sent int);
    INSERT INTO {table} VALUES ('row-1', 'c', '2025-03-05', 9), ('row-2', 'c', '2025-03-06', 1);
"""
REPLAYED = """
    INSERT INTO replay_state (cut_date, legacy_table, topic, cluster_id, topic_id)
    VALUES ('2025-04-01', 'old_entries', 't', 'c', 'i') RETURNING 1
"""


@pytest.fixture
def replayed(history: History) -> History:
    """A replayed event, and a live one."""
    history.query(REPLAYED)
    replay = Event("c", at("2025-03-05 00:00"), "sent", 9, replay_id(random.Random(1)))
    history.ingest([replay, Event("c", at("2025-03-05 07:00"))])
    history.refresh()
    return history


@pytest.mark.parametrize("table", ["old_entries", "old_entries_legacy"])
def test_a_replayed_event_leads_to_its_legacy_row_before_and_after_the_cutover(
    replayed: History, repository: PostgresRepository, table: str
) -> None:
    replayed.connection.execute(LEGACY.format(table=table).encode())
    told = repository.explain("c", DAY, legacy=LegacyColumns("campaign", "day"))
    assert [each.event.is_replayed for each in told.events] == [True, False]
    assert told.legacy is not None
    assert told.legacy.table == table
    assert [row["id"] for row in told.legacy.rows] == ["row-1"]
    wrong = repository.explain("c", DAY).legacy
    assert wrong is not None
    assert wrong.problem == "has no columns campaign_id and stat_date"


def test_a_legacy_table_that_has_gone_is_told(
    replayed: History, repository: PostgresRepository
) -> None:
    # After the cutover a view has the old name.
    replayed.connection.execute("CREATE VIEW old_entries AS SELECT 1 AS id")
    told = repository.explain("c", DAY)
    assert told.legacy is not None
    assert told.legacy.table is None
