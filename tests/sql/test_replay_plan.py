"""What `replay plan` finds in old tables of every kind, and that it changes nothing."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from ingester.errors import NeedsAPerson
from ingester.settings import Settings
from ingester.store.connection import Connection, connect
from replay.expand import LegacyRow
from replay.plan import Survey
from replay.settings import ReplaySettings
from replay.store.legacy import fill_attributes, find_legacy, gather, rows_between
from replay.store.survey import gathered_days, survey

CUT = date(2026, 11, 1)
TODAY = date(2026, 11, 24)
TABLE = """
CREATE TABLE campaign_daily_stat_entries (
    id varchar(255), admin_uuid varchar(255), campaign_id text, campaign_id_int integer,
    stat_date date, sent bigint, opened integer, replied integer, positive_replies integer,
    bounced integer
)
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Connected as the commands are, to a database with an empty old table without clicks."""
    with connect(Settings(database_url=SecretStr(database_url)), "test") as connection:
        connection.execute(TABLE)
        yield connection


def add(connection: Connection, *rows: tuple[Any, ...]) -> None:
    """(id, campaign, day, sent, opened) each."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO campaign_daily_stat_entries "
            "(id, campaign_id, stat_date, sent, opened, replied) VALUES (%s, %s, %s, %s, %s, 0)",
            rows,
        )


def surveyed(connection: Connection, **settings: str) -> Survey:
    """What plan would tell."""
    table = find_legacy(connection, ReplaySettings(**settings))  # type: ignore[arg-type]  # all names
    return survey(connection, table, Settings(), CUT, TODAY)


def kinds(found: Survey) -> dict[str, tuple[int, list[str]]]:
    """Problems by kind: rows and examples."""
    return {each.kind: (each.rows, list(each.examples)) for each in found.problems}


def test_only_days_before_the_cut_and_values_that_are_not_zero_become_events(
    connection: Connection,
) -> None:
    add(
        connection,
        ("1", "a", "2026-10-31", 5, 2),
        ("2", "a", "2026-09-30", 0, 0),
        ("3", "b", "2026-09-30", 0, 7),
        ("4", "b", "2026-11-01", 9, 9),
        ("5", "c", "2026-10-31", None, None),
    )
    found = surveyed(connection)
    assert found.events == dict.fromkeys(found.events, 0) | {"sent": 1, "opened": 2}
    assert found.sums == dict.fromkeys(found.sums, 0) | {"sent": 5, "opened": 9}
    assert [month.month for month in found.replayed] == ["2026-09", "2026-10"]
    assert found.leaves_needed == ["2026-09", "2026-10"]
    assert found.problems == []
    assert any("1 rows with a value from 2026-11-01 on" in text for text in found.warnings())


def test_a_missing_metric_column_is_told_and_counts_as_zero(connection: Connection) -> None:
    add(connection, ("1", "a", "2026-10-31", 5, 2))
    found = surveyed(connection)
    assert found.missing_metrics == ["clicked"]
    assert any(text.startswith("clicked: no such column") for text in found.warnings())
    table = find_legacy(connection, ReplaySettings())
    gather(connection, table, CUT)
    with connection.transaction():
        (page,) = rows_between(connection, date(2026, 10, 1), CUT, 10)
    assert page == [LegacyRow("1", "a", date(2026, 10, 31), (5, 2, 0, 0, 0, 0))]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ((None, "a", "2026-10-01", 1, 0), "null_id"),
        (("1", "a", None, 1, 0), "null_date"),
        (("1", "a", "2016-11-01", 1, 0), "outside_window"),
        (("1", "a", "-infinity", 1, 0), "outside_window"),
        (("1", "a", "0044-03-15 BC", 1, 0), "outside_window"),
        (("1", None, "2026-10-01", 1, 0), "no_campaign"),
        (("1", "", "2026-10-01", 1, 0), "no_campaign"),
        (("1", "x" * 256, "2026-10-01", 1, 0), "campaign_too_long"),
        (("1", "a", "2026-10-01", 3, -1), "negative"),
        (("1", "a", "2026-10-01", 2**31, 0), "too_large"),
    ],
)
def test_a_row_that_cannot_be_events_is_found(
    connection: Connection, row: tuple[Any, ...], kind: str
) -> None:
    add(connection, row, ("fine", "b" * 255, "2026-10-01", 2**31 - 1, 1))
    found = surveyed(connection)
    assert kinds(found) == {kind: (1, [row[0] or "(null)"])}
    assert [each.kind for each in found.blocking] == [kind]


def test_a_row_of_zeros_is_no_problem_whatever_else_it_says(connection: Connection) -> None:
    add(connection, (None, "", None, 0, 0), ("2", "x" * 300, "-infinity", 0, None))
    assert surveyed(connection).problems == []


def test_ids_that_repeat_block_and_days_that_repeat_are_only_told(connection: Connection) -> None:
    add(
        connection,
        ("1", "a", "2026-10-01", 1, 0),
        ("1", "b", "2026-10-01", 1, 0),
        ("2", "c", "2026-10-02", 1, 0),
        ("3", "c", "2026-10-02", 1, 0),
    )
    found = surveyed(connection)
    assert kinds(found) == {"repeated_id": (1, ["1"]), "repeated_day": (1, ["2"])}
    assert [each.kind for each in found.blocking] == ["repeated_id"]


def test_days_before_the_retention_floor_are_a_problem(connection: Connection) -> None:
    add(connection, ("1", "a", "2026-08-31", 1, 0), ("2", "a", "2026-09-01", 1, 0))
    connection.execute("UPDATE retention_floor SET floor_date = '2026-09-01'")
    assert kinds(surveyed(connection)) == {"outside_window": (1, ["1"])}


def live(connection: Connection, campaign: str, occurred_at: str, ingested_at: str) -> None:
    """A live event, and when it came in."""
    connection.execute(
        "SELECT add_campaign_event(gen_random_uuid(), %s, 'sent', %s::timestamptz)",
        (campaign, occurred_at),
    )
    connection.execute(
        "UPDATE ingest_batches SET ingested_at = %s::timestamptz "
        "WHERE batch_id = (SELECT max(batch_id) FROM ingest_batches)",
        (ingested_at,),
    )


def test_live_events_from_before_the_cut_are_listed_by_day(connection: Connection) -> None:
    live(connection, "a", "2026-10-30T23:59:59Z", "2026-11-02T00:00:00Z")
    live(connection, "b", "2026-10-30T00:00:00Z", "2026-11-02T00:00:00Z")
    live(connection, "a", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
    found = surveyed(connection)
    assert found.live_before_cut == {date(2026, 10, 30): 2}
    assert any("2 live events happened before the cut" in text for text in found.warnings())


def test_producers_that_began_after_the_cut_are_told(connection: Connection) -> None:
    live(connection, "a", "2026-10-31T12:00:00Z", "2026-11-01T09:00:00Z")
    late = surveyed(connection)
    assert not late.live_in_time
    assert any("no live event was ingested before 2026-11-01" in text for text in late.warnings())
    live(connection, "a", "2026-10-31T12:00:00Z", "2026-10-31T23:59:59Z")
    assert surveyed(connection).live_in_time


def test_the_plan_changes_nothing(connection: Connection) -> None:
    add(connection, ("1", "a", "2026-10-01", 1, 0))
    before = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    surveyed(connection)
    after = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    assert before is not None
    assert after == (before[0] + 1,), "no transaction in between has written"


def test_columns_may_have_other_names(connection: Connection) -> None:
    connection.execute(
        'ALTER TABLE campaign_daily_stat_entries RENAME COLUMN sent TO "Mails, sent"'
    )
    connection.execute(
        'INSERT INTO campaign_daily_stat_entries (id, campaign_id, stat_date, "Mails, sent") '
        "VALUES ('1', 'a', '2026-10-01', 4)"
    )
    assert surveyed(connection, replay_column_sent="Mails, sent").sums["sent"] == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ALTER COLUMN sent TYPE numeric", "of type numeric"),
        ("ALTER COLUMN stat_date TYPE timestamp", "of type timestamp without time zone"),
        ("DROP COLUMN campaign_id", "has no column campaign_id"),
    ],
)
def test_a_table_that_would_have_to_be_rounded_or_guessed_is_refused(
    connection: Connection, change: str, says: str
) -> None:
    connection.execute(f"ALTER TABLE campaign_daily_stat_entries {change}")
    with pytest.raises(NeedsAPerson, match=says):
        find_legacy(connection, ReplaySettings())


def test_a_table_that_is_not_there_or_is_a_view_is_refused(connection: Connection) -> None:
    with pytest.raises(NeedsAPerson, match="does not exist"):
        find_legacy(connection, ReplaySettings(replay_legacy_table="nothing"))
    connection.execute("CREATE VIEW gone_by AS TABLE campaign_daily_stat_entries")
    with pytest.raises(NeedsAPerson, match="is a view"):
        find_legacy(connection, ReplaySettings(replay_legacy_table="gone_by"))


def test_days_are_planned_from_what_the_rows_become(connection: Connection) -> None:
    add(connection, ("1", "a", "2026-10-02", 1, 1), ("2", "b", "2026-10-02", 0, 1))
    add(connection, ("3", "a", "2026-10-01", 1, 0), ("4", "a", "2026-10-03", 0, 0))
    table = find_legacy(connection, ReplaySettings())
    gather(connection, table, CUT)
    days = gathered_days(connection, CUT)
    assert [(day.stat_date.day, day.rows, day.events) for day in days] == [(1, 1, 1), (2, 2, 3)]


@pytest.mark.parametrize(
    "index",
    [
        None,
        "campaign_id, stat_date",
        "campaign_id, stat_date DESC",
        'campaign_id COLLATE "C", stat_date',
    ],
)
def test_attributes_are_those_of_the_latest_day(connection: Connection, index: str | None) -> None:
    if index is not None:
        connection.execute(f"CREATE INDEX ON campaign_daily_stat_entries ({index})".encode())
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO campaign_daily_stat_entries "
            "(id, admin_uuid, campaign_id, campaign_id_int, stat_date) VALUES (%s, %s, %s, %s, %s)",
            [
                ("1", "old", "a", 1, "2025-12-31"),
                ("2", "new", "a", 1, "2026-01-01"),
                ("3", None, "b", None, "2026-01-01"),
                ("4", "no day", "b", 2, None),
                ("5", "no day", "c", 3, None),
                ("6", "no campaign", None, 4, "2026-01-01"),
                ("7", "another row of the day", "a", 5, "2026-01-01"),
            ],
        )
    table = find_legacy(connection, ReplaySettings())
    assert fill_attributes(connection, table) == 2
    assert fill_attributes(connection, table) == 0
    found = connection.execute("SELECT * FROM campaign_attributes ORDER BY 1").fetchall()
    assert found == [("a", "new", 1), ("b", None, None)]


def test_an_empty_or_half_written_range_cannot_be_stored(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO replay_ranges VALUES ('2026-01-02', '2026-01-02', 1, 1)")
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "INSERT INTO replay_ranges (first_date, end_date, planned_rows, planned_events, rows) "
            "VALUES ('2026-01-02', '2026-01-03', 1, 1, 1)"
        )
