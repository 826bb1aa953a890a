"""rebuild_campaign_stats: puts right what somebody broke, and touches nothing else."""

import random
from datetime import date

import psycopg
import pytest

from tests.sql.history import Event, History, at, random_events

REBUILD = "SELECT days, weeks, months, changed FROM rebuild_campaign_stats(%s, %s)"
ROLLUPS = ("campaign_daily_rollup", "campaign_weekly_rollup", "campaign_monthly_rollup")


def filled(history: History) -> None:
    rng = random.Random(3)
    history.ingest(random_events(rng, ["a", "b", "c"], date(2024, 11, 20), date(2025, 2, 10), 200))
    history.refresh()
    history.ingest(random_events(rng, ["a", "b", "d"], date(2024, 11, 20), date(2025, 2, 10), 50))


def test_healthy_rollups_are_left_as_they_are(history: History) -> None:
    filled(history)
    days, weeks, months, changed = history.query(REBUILD, "2024-11-01", "2025-02-28")[0]
    assert changed == 0
    assert [(days,), (weeks,), (months,)] == [
        history.query(f"SELECT count(*) FROM {rollup}")[0] for rollup in ROLLUPS
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE {} SET sent = coalesce(sent, 0) + 7",
        "UPDATE {} SET bounced = NULL, last_activity = 'epoch'",
        "DELETE FROM {}",
    ],
)
def test_damage_in_any_rollup_is_repaired_and_unfolded_events_stay_out(
    history: History, damage: str
) -> None:
    filled(history)
    for rollup in ROLLUPS:
        history.connection.execute(damage.format(rollup).encode())
    history.query(REBUILD, "2024-11-20", "2025-02-10")
    history.assert_statistics_are_true()
    assert history.refresh()[0] == 1
    history.assert_statistics_are_true()


def test_rows_without_events_disappear(history: History) -> None:
    filled(history)
    ((key,),) = history.query("SELECT campaign_key FROM campaigns WHERE campaign_id = 'd'")
    for rollup, column in zip(ROLLUPS, ("event_date", "week_start", "month_start"), strict=True):
        history.connection.execute(
            f"INSERT INTO {rollup} (campaign_key, {column}, last_activity, sent)"
            " SELECT %s, min(" + column + "), now(), 1 FROM " + rollup,
            [key],
        )
    assert history.query(REBUILD, "2024-11-01", "2025-02-10")[0][3] == 3
    history.assert_statistics_are_true()


def test_only_the_days_of_the_range_are_recomputed_but_their_weeks_and_months_whole(
    history: History,
) -> None:
    filled(history)
    history.connection.execute("UPDATE campaign_daily_rollup SET sent = coalesce(sent, 0) + 1000")
    history.query(REBUILD, "2025-01-15", "2025-01-15")
    wrong = history.query(
        "SELECT DISTINCT event_date FROM campaign_daily_rollup WHERE sent >= 1000"
    )
    assert date(2025, 1, 15) not in {day for (day,) in wrong}
    assert len(wrong) > 1
    # The month follows its days, the damaged ones too: that is where the events may be gone.
    ((month,), (days,)) = history.query(
        "SELECT sum(sent) FROM campaign_monthly_rollup WHERE month_start = '2025-01-01'"
        " UNION ALL SELECT sum(sent) FROM campaign_daily_rollup"
        " WHERE event_date BETWEEN '2025-01-01' AND '2025-01-31'"
    )
    assert month == days


def test_readers_see_the_old_numbers_while_a_rebuild_is_open_and_wait_for_nothing(
    history: History, database_url: str
) -> None:
    history.ingest([Event("a", at("2025-03-05 10:00"))])
    history.refresh()
    for rollup in ROLLUPS:
        history.connection.execute(f"UPDATE {rollup} SET sent = 99".encode())
    with psycopg.connect(database_url) as rebuilding:
        rebuilding.execute(REBUILD, ["2025-03-05", "2025-03-05"])
        history.connection.execute("SET lock_timeout = '1s'")
        for view in ("campaign_daily_stats", "campaign_weekly_stats", "campaign_monthly_stats"):
            assert history.query(f"SELECT sent FROM {view}") == [(99,)]
        assert history.query("SELECT sent FROM get_campaign_stats(NULL, NULL, NULL)") == [(99,)]
        history.ingest([Event("a", at("2025-03-05 11:00"))])
        ((exclusive,),) = history.query(
            "SELECT count(*) FROM pg_locks"
            " WHERE mode = 'AccessExclusiveLock' AND locktype = 'relation'"
        )
        assert exclusive == 0
    history.assert_statistics_are_true()


def test_a_fold_waits_for_a_rebuild_and_both_count(history: History, database_url: str) -> None:
    history.ingest([Event("a", at("2025-03-05 10:00"))])
    with psycopg.connect(database_url) as rebuilding:
        rebuilding.execute(REBUILD, ["2025-03-01", "2025-03-31"])
        history.connection.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            history.refresh()
    history.refresh()
    history.assert_statistics_are_true()


def test_a_range_below_the_retention_floor_is_refused(history: History) -> None:
    filled(history)
    history.connection.execute("UPDATE retention_floor SET floor_date = '2025-01-01'")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="before 2025-01-01") as caught:
        history.query(REBUILD, "2024-12-31", "2025-02-01")
    assert caught.value.diag.message_hint
    assert history.query(REBUILD, "2025-01-01", "2025-02-01")[0][3] == 0


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, "2025-01-01"),
        ("2025-01-01", None),
        ("2025-01-02", "2025-01-01"),
        ("-infinity", "2025-01-01"),
        ("2025-01-01", "infinity"),
    ],
)
def test_ranges_that_are_none_are_refused(
    history: History, start: str | None, end: str | None
) -> None:
    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match=r"two finite dates|ends .* before"
    ):
        history.query(REBUILD, start, end)
