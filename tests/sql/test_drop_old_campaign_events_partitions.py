"""drop_old_campaign_events_partitions: months leave, numbers stay, the books always balance."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from tests.sql.history import Event, History, months_ago, random_events, utc_today

DROP = "CALL drop_old_campaign_events_partitions(%s)"


def leaves(history: History) -> list[str]:
    return [name for (name,) in history.query(
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = 'campaign_events'::regclass ORDER BY 1"
    )]  # fmt: skip


def tables(history: History) -> list[str]:
    return [name for (name,) in history.query(
        "SELECT relname::text FROM pg_class"
        " WHERE relkind = 'r' AND relname ~ '^campaign_events_\\d' ORDER BY 1"
    )]  # fmt: skip


def leaf(months: int) -> str:
    return f"campaign_events_{months_ago(months):%Y_%m}"


def filled(history: History, months: int = 5, seed: int = 5) -> None:
    """Events in this month and in so many before it, some folded, some not, some ledger merged."""
    rng = random.Random(seed)
    for number in range(8):
        first = months_ago(months) if number % 2 else months_ago(2)
        history.ingest(
            random_events(rng, ["a", "b", "c"], first, utc_today(), 25), partition=number % 2
        )
        if number == 3:
            history.refresh()
            history.query("SELECT merge_ingest_batches(clock_timestamp())")


def test_the_current_month_is_the_first_of_those_kept_and_rollups_stay(history: History) -> None:
    filled(history)
    history.refresh()
    before = history.query("SELECT * FROM campaign_daily_stats ORDER BY 1, 2")
    history.connection.execute(DROP, [3])
    assert leaves(history) == tables(history) == [leaf(2), leaf(1), leaf(0)]
    assert history.query("SELECT floor_date FROM retention_floor") == [(months_ago(2),)]
    assert history.query("SELECT * FROM campaign_daily_stats ORDER BY 1, 2") == before
    dropped = history.query("SELECT month_start FROM dropped_partitions ORDER BY 1")
    assert dropped == [(months_ago(5),), (months_ago(4),), (months_ago(3),)]
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_what_was_not_folded_yet_is_folded_before_it_leaves(history: History) -> None:
    filled(history)
    history.connection.execute(DROP, [1])
    history.refresh()
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_a_second_call_finds_nothing_to_do(history: History) -> None:
    filled(history)
    history.connection.execute(DROP, [2])
    before = history.query("SELECT * FROM dropped_partitions ORDER BY 1")
    history.connection.execute(DROP, [2])
    assert history.query("SELECT * FROM dropped_partitions ORDER BY 1") == before
    assert leaves(history) == [leaf(1), leaf(0)]


def test_the_floor_never_goes_down(history: History) -> None:
    filled(history)
    history.connection.execute(DROP, [2])
    history.connection.execute(DROP, [5])
    history.connection.execute(DROP, [2_000_000_000])
    assert history.query("SELECT floor_date FROM retention_floor") == [(months_ago(1),)]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="below the retention floor"):
        history.query("SELECT create_campaign_events_partition(%s)", months_ago(3))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not between"):
        history.query(
            "SELECT add_campaign_event(gen_random_uuid(), 'a', 'sent', %s)",
            datetime.combine(months_ago(1), datetime.min.time(), UTC) - timedelta(microseconds=1),
        )


def test_the_month_is_the_utc_month_in_any_session(history: History) -> None:
    filled(history)
    # A week ahead of UTC and a week behind it, so that this can fail on half of all days.
    for zone in ("<ahead>-167", "<behind>+167"):
        history.connection.execute(f"SET timezone = '{zone}'".encode())
        history.connection.execute(DROP, [4])
        assert leaves(history) == [leaf(3), leaf(2), leaf(1), leaf(0)]
    history.connection.execute("SET timezone = 'UTC'")
    history.assert_books_balance()


@pytest.mark.parametrize("months", [0, -1, None])
def test_keeping_no_month_is_refused(history: History, months: int | None) -> None:
    filled(history)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="1 or more"):
        history.connection.execute(DROP, [months])
    assert len(leaves(history)) == 6
    assert history.query("SELECT isfinite(floor_date) FROM retention_floor") == [(False,)]


def test_events_that_the_ledger_does_not_know_are_not_thrown_away(history: History) -> None:
    filled(history)
    history.refresh()
    history.connection.execute(
        "UPDATE campaign_events SET batch_id = 999999 WHERE occurred_at < %s", [months_ago(4)]
    )
    with pytest.raises(psycopg.errors.DataCorrupted, match="the ledger knows"):
        history.connection.execute(DROP, [1])
    assert leaf(5) in leaves(history)


@contextmanager
def calling(url: str, months: int) -> Iterator[tuple[threading.Thread, int, list[str]]]:
    """The procedure in a thread of its own: the thread, its backend's pid, and how it ended."""
    outcome: list[str] = []
    with psycopg.connect(url, autocommit=True) as session:

        def call() -> None:
            try:
                session.execute(DROP, [months])
                outcome.append("done")
            except psycopg.Error as error:
                outcome.append(error.sqlstate or "connection lost")

        thread = threading.Thread(target=call)
        thread.start()
        try:
            yield thread, session.info.backend_pid, outcome
        except BaseException:
            session.cancel_safe()
            raise
        finally:
            thread.join()


def test_a_batch_under_way_is_waited_for_and_the_others_are_not_stalled(
    history: History, database_url: str
) -> None:
    filled(history)
    with psycopg.connect(database_url) as batch:
        batch.execute("SELECT pg_advisory_xact_lock_shared(ingest_lock_key('floor'))")
        with calling(database_url, 1) as (thread, _, outcome):
            # The exclusive request times out and steps back, so that others get their turn.
            history.connection.execute("SET lock_timeout = '3s'")
            history.ingest([Event("a", datetime.now(UTC))])
            for _ in range(3):
                history.query("SELECT pg_advisory_xact_lock_shared(ingest_lock_key('floor'))")
                time.sleep(0.2)
            assert thread.is_alive()
            assert history.query("SELECT isfinite(floor_date) FROM retention_floor") == [(False,)]
            batch.commit()
            thread.join(20)
            assert outcome == ["done"]
    assert leaves(history) == [leaf(0)]
    history.assert_books_balance()


def test_a_floor_that_is_high_enough_asks_nobody_to_wait(
    history: History, database_url: str
) -> None:
    filled(history)
    history.connection.execute(DROP, [1])
    with psycopg.connect(database_url) as batch:
        batch.execute("SELECT pg_advisory_xact_lock_shared(ingest_lock_key('floor'))")
        history.connection.execute("SET statement_timeout = '800ms'")
        history.connection.execute(DROP, [1])


def test_a_long_reader_is_neither_ended_nor_does_it_stall_the_others(
    history: History, database_url: str
) -> None:
    filled(history)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM campaign_events")
        with calling(database_url, 1) as (thread, _, outcome):
            longest = 0.0
            for _ in range(15):
                began = time.monotonic()
                history.query("SELECT count(*) FROM campaign_events")
                longest = max(longest, time.monotonic() - began)
                history.ingest([Event("a", datetime.now(UTC))])
                time.sleep(0.1)
            assert thread.is_alive()
            assert longest < 1
            history.assert_books_balance()
            reader.commit()
            thread.join(20)
            assert outcome == ["done"]
    assert leaves(history) == [leaf(0)]
    history.refresh()
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_ledger_rows_may_be_merged_while_it_waits(history: History, database_url: str) -> None:
    filled(history)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM campaign_events")
        with calling(database_url, 1) as (_, _, outcome):
            time.sleep(1)
            ((merged,),) = history.query("SELECT merge_ingest_batches(clock_timestamp())")
            reader.commit()
        assert merged > 0
        assert outcome == ["done"]
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_killed_before_a_detach_it_has_booked_nothing_and_can_be_called_again(
    history: History, database_url: str
) -> None:
    filled(history)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM campaign_events")
        with calling(database_url, 1) as (_, pid, outcome):
            while history.query("SELECT isfinite(floor_date) FROM retention_floor") == [(False,)]:
                time.sleep(0.01)
            time.sleep(0.5)
            history.query("SELECT pg_terminate_backend(%s)", pid)
        assert outcome == ["57P01"]
        assert history.query("SELECT * FROM dropped_partitions") == []
        assert len(leaves(history)) == 6
        history.assert_books_balance()
        history.assert_statistics_are_true()
    history.connection.execute(DROP, [1])
    assert leaves(history) == tables(history) == [leaf(0)]
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_a_leaf_that_was_detached_but_not_dropped_is_dropped_next_time(history: History) -> None:
    filled(history)
    # A view on the leaf lets DETACH pass and DROP fail.
    history.connection.execute(f"CREATE VIEW in_the_way AS SELECT * FROM {leaf(5)}".encode())
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        history.connection.execute(DROP, [1])
    assert leaves(history) == [leaf(0)]
    assert leaf(5) in tables(history)
    history.assert_books_balance()
    history.assert_statistics_are_true()
    history.connection.execute("DROP VIEW in_the_way")
    history.connection.execute(DROP, [6])
    assert tables(history) == [leaf(0)]
    history.assert_books_balance()


def test_a_table_that_only_bears_such_a_name_is_left_alone(history: History) -> None:
    filled(history, months=2)
    history.refresh()
    history.connection.execute("CREATE TABLE campaign_events_2001_01 (mine integer)")
    history.connection.execute("ALTER TABLE campaign_events DETACH PARTITION " + leaf(2))
    history.connection.execute(DROP, [1])
    assert tables(history) == ["campaign_events_2001_01", leaf(2), leaf(0)]
    for month in (date(2001, 1, 1), months_ago(2), months_ago(0)):
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match="has not been retired"
        ):
            history.query("SELECT drop_retired_campaign_events_partition(%s)", month)


# Each step of the procedure: its parameters, and its result as far as the procedure reads it.
STEPS = {
    "raise_retention_floor": ("new_floor date", "boolean"),
    "refresh_campaign_stats": ("max_batches integer", "text"),
    "campaign_events_partition_contents": ("month_start date", "jsonb"),
    "retire_campaign_events_partition": ("month_start date, contents jsonb", "boolean"),
    "drop_retired_campaign_events_partition": ("for_month date", "boolean"),
}


@contextmanager
def deadly(history: History, step: str, call: int, *, afterwards: bool) -> Iterator[None]:
    """A step of the procedure that ends its own backend in one of its calls.

    Before the step nothing is open: the last COMMIT is what counts. Afterwards its work is done but
    not committed. The calls are counted by a sequence, which no rollback turns back.
    """
    parameters, result = STEPS[step]
    names = ", ".join(parameter.split()[0] for parameter in parameters.split(", "))
    types = ", ".join(parameter.split()[1] for parameter in parameters.split(", "))
    die = (
        f"IF nextval('calls') = {call} THEN"
        " PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); END IF;"
    )
    work = f"outcome := original_{step}({names});"
    body = work + die if afterwards else die + work
    body = f"$$ DECLARE outcome {result}; BEGIN {body} RETURN outcome; END $$"
    for statement in (
        "CREATE SEQUENCE calls",
        f"ALTER FUNCTION {step}({types}) RENAME TO original_{step}",
        f"CREATE FUNCTION {step}({parameters}) RETURNS {result} LANGUAGE plpgsql AS {body}",
    ):
        history.connection.execute(statement.encode())
    yield
    for statement in (
        f"DROP FUNCTION {step}({types})",
        f"ALTER FUNCTION original_{step}({types}) RENAME TO {step}",
        "DROP SEQUENCE calls",
    ):
        history.connection.execute(statement.encode())


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "uncommitted"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("call", [1, 2])
def test_killed_at_any_step_the_books_balance_and_the_next_call_finishes(
    history: History, database_url: str, step: str, call: int, *, afterwards: bool
) -> None:
    filled(history)
    with deadly(history, step, call, afterwards=afterwards):
        with calling(database_url, 2) as (_, _, outcome):
            pass
        # The floor is raised once and everything is folded in one slice: no second call to die in.
        once = call == 2 and step in ("raise_retention_floor", "refresh_campaign_stats")
        assert outcome == (["done"] if once else ["57P01"])
        history.assert_books_balance()
        history.assert_statistics_are_true()
    history.connection.execute(DROP, [2])
    assert leaves(history) == tables(history) == [leaf(1), leaf(0)]
    history.assert_books_balance()
    history.assert_statistics_are_true()
