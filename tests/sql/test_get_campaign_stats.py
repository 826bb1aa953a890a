"""get_campaign_stats: exact for any range, granularity and set of campaigns, in any session."""

import random
from datetime import date, datetime, timedelta
from typing import Final

import psycopg
import pytest

from tests.sql.history import GRANULARITIES, Event, History, Row, at, random_events

CAMPAIGNS: Final = ["alpha", "Beta", "_g", "ß-delta", "omega 1"]
READ: Final = "SELECT * FROM get_campaign_stats(%s, %s, %s, %s)"


def utc(text: str) -> datetime:
    """A period_start: a time without zone, which is UTC whatever the session's zone."""
    return datetime.fromisoformat(text)


def stats(
    history: History,
    campaign_ids: list[str] | None,
    start: str | None,
    end: str | None,
    granularity: str = "day",
) -> list[Row]:
    return history.query(READ, campaign_ids, start, end, granularity)


@pytest.mark.parametrize("time_zone", ["America/Sao_Paulo", "Pacific/Kiritimati"])
def test_any_range_equals_a_group_by_over_the_events_of_folded_batches(
    history: History, database_url: str, time_zone: str
) -> None:
    rng = random.Random(f"ranges {time_zone}")
    first, last = date(2023, 10, 20), date(2025, 12, 10)
    for _ in range(8):
        history.ingest(random_events(rng, CAMPAIGNS, first, last, 60))
    history.refresh(6)
    history.ingest(random_events(rng, CAMPAIGNS, first, last, 40))

    def day() -> date | None:
        some = first + timedelta(days=rng.randrange(-40, (last - first).days + 40))
        edge = rng.choice([some.replace(day=1), some - timedelta(days=some.weekday())])
        return rng.choice([some, some, edge, edge - timedelta(days=1), None])

    answers = 0
    with psycopg.connect(database_url, options=f"-c timezone={time_zone}") as session:
        for number in range(300):
            granularity = GRANULARITIES[number % len(GRANULARITIES)]
            start, end = day(), day()
            if start and end and start > end and rng.random() < 0.9:
                start, end = end, start
            campaign_ids = rng.choice(
                [
                    None,
                    rng.choices([*CAMPAIGNS, "unknown"], k=rng.randrange(5)),
                    [rng.choice(CAMPAIGNS)],
                ]
            )
            told = session.execute(READ, [campaign_ids, start, end, granularity]).fetchall()
            case = (granularity, start, end, campaign_ids)
            assert told == history.truth(campaign_ids, start, end, granularity), case
            answers += len(told) > 0
    assert answers > 200, "the ranges must hit events, or this shows nothing"


def test_events_of_batches_not_folded_yet_count_at_no_granularity(history: History) -> None:
    history.ingest([Event("c", at("2025-03-05 10:20"))])
    for granularity in GRANULARITIES:
        assert stats(history, None, None, None, granularity) == []
    history.refresh()
    for granularity in GRANULARITIES:
        assert [row[2] for row in stats(history, None, None, None, granularity)] == [1]


def test_a_key_whose_corrections_sum_to_zero_is_still_there(history: History) -> None:
    history.ingest([Event("z", at("2025-03-05 10:00"), count=4)])
    history.ingest([Event("z", at("2025-03-05 10:01"), count=-4)])
    history.refresh()
    for granularity in GRANULARITIES:
        rows = stats(history, ["z"], "2025-03-01", "2025-03-09", granularity)
        assert [row[2:] for row in rows] == [(0, 0, 0, 0, 0, 0)]


def test_periods_start_on_the_calendar_even_when_the_range_cuts_them(history: History) -> None:
    history.ingest([Event("c", at("2025-08-14 13:45"))])
    history.refresh()
    starts = {
        granularity: stats(history, ["c"], "2025-08-13", "2025-08-14", granularity)[0][1]
        for granularity in GRANULARITIES
    }
    assert starts == {
        "hour": utc("2025-08-14 13:00"),
        "day": utc("2025-08-14"),
        "week": utc("2025-08-11"),
        "month": utc("2025-08-01"),
        "quarter": utc("2025-07-01"),
        "year": utc("2025-01-01"),
        "all": utc("2025-08-13"),
    }


def test_all_without_a_start_begins_with_each_campaigns_first_day(history: History) -> None:
    history.ingest([Event("a", at("2025-02-03 23:59")), Event("b", at("2025-05-06 00:00"))])
    history.refresh()
    for start in (None, "-infinity"):
        assert [row[:2] for row in stats(history, None, start, "2025-12-31", "all")] == [
            ("a", utc("2025-02-03")),
            ("b", utc("2025-05-06")),
        ]


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_ids_given_twice_double_nothing_and_unknown_ones_add_nothing(
    history: History, granularity: str
) -> None:
    history.ingest([Event("a", at("2025-02-03 10:00")), Event("b", at("2025-02-03 10:00"))])
    history.refresh()
    assert [
        (row[0], row[2]) for row in stats(history, ["a", "a", "?"], None, None, granularity)
    ] == [("a", 1)]
    assert stats(history, ["?"], None, None, granularity) == []
    assert stats(history, [], None, None, granularity) == []


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("2025-02-03", "2025-02-03", True),
        ("2025-02-04", "2025-02-03", False),
        ("-infinity", "infinity", True),
        ("-infinity", "-infinity", False),
        ("infinity", "infinity", False),
        ("infinity", None, False),
        (None, "-infinity", False),
        ("4713-11-24 BC", "5874897-12-31", True),
        ("5874897-12-31", "5874897-12-31", False),
        ("0001-01-01", "9999-12-31", True),
    ],
)
def test_dates_at_the_ends_of_the_calendar_are_bounds_like_others(
    history: History, start: str | None, end: str | None, *, found: bool
) -> None:
    history.ingest([Event("a", at("2025-02-03 10:00"))])
    history.refresh()
    lengths = {name: len(stats(history, None, start, end, name)) for name in GRANULARITIES}
    assert lengths == dict.fromkeys(GRANULARITIES, int(found))


@pytest.mark.parametrize("granularity", ["DAY", "days", "decade", "", None])
def test_an_unknown_granularity_is_told_the_valid_ones(history: History, granularity: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        stats(history, None, None, None, granularity)
    assert caught.value.diag.message_hint == (
        "Valid ones: hour, day, week, month, quarter, year, all."
    )


def test_hours_below_the_retention_floor_are_an_error_and_days_are_not(history: History) -> None:
    history.ingest([Event("a", at("2025-02-03 10:00")), Event("a", at("2025-03-03 10:00"))])
    history.refresh()
    history.query("UPDATE retention_floor SET floor_date = '2025-03-01' RETURNING 1")
    assert len(stats(history, None, "2025-03-01", None, "hour")) == 1
    assert stats(history, None, "2025-02-02", "2025-02-01", "hour") == []
    for start in ("2025-02-28", None):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="events before 2025-03-01"):
            stats(history, None, start, None, "hour")
        assert stats(history, None, start, None, "day")


def test_a_reader_needs_execute_and_nothing_else(history: History, database_url: str) -> None:
    history.ingest([Event("a", at("2025-02-03 10:00"))])
    history.refresh()
    ((role,),) = history.query("SELECT 'reader_' || md5(current_database())")
    history.connection.execute(f"CREATE ROLE {role}".encode())
    try:
        with psycopg.connect(database_url, autocommit=True) as session:
            session.execute(f"SET ROLE {role}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(READ, [None, None, None, "day"])
            history.connection.execute(
                f"GRANT EXECUTE ON FUNCTION get_campaign_stats TO {role}".encode()
            )
            # A table of its own that bears the name of ours is not what the function reads.
            session.execute("CREATE TEMPORARY TABLE campaign_daily_rollup (forged integer)")
            assert len(session.execute(READ, [None, None, None, "day"]).fetchall()) == 1
    finally:
        history.connection.execute(f"DROP OWNED BY {role}".encode())
        history.connection.execute(f"DROP ROLE {role}".encode())


def test_days_and_hours_agree_inside_one_statement_while_batches_fold(
    history: History, database_url: str
) -> None:
    """One snapshot: a fold that commits between two reads of a statement is seen by neither."""
    history.ingest([Event("a", at("2025-02-03 10:00"))])
    with psycopg.connect(database_url) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT 1")
        history.refresh()
        for granularity in GRANULARITIES:
            assert session.execute(READ, [None, None, None, granularity]).fetchall() == []
