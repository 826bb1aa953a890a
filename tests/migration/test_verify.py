"""`replay verify` is clean where all is well, with late events present, and finds what is not."""

import json
from random import Random
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from ingester.errors import DifferencesFound
from replay.cli import app
from replay.expand import METRICS
from tests.migration.old_table import NAME, cut_date

TAGGED = r"substring(uuid_send(event_id) FROM 7 FOR 4) = '\x8ca39a17'"
CORRUPTIONS = 30


def verify(expect: int) -> dict[str, Any]:
    """Run the command with --json; returns what it printed."""
    run = CliRunner().invoke(app, ["verify", "--json"])
    code = run.exception.exit_code if isinstance(run.exception, DifferencesFound) else run.exit_code
    assert code == expect, (run.exception, run.output[-2_000:])
    report: dict[str, Any] = json.loads(run.stdout)
    assert report["ok"] == (expect == 0)
    return report


def test_a_complete_replay_verifies_and_late_events_are_a_column_of_their_own(
    replayed_url: str,
) -> None:
    report = verify(0)
    totals = report["totals"]
    with psycopg.connect(replayed_url) as connection:
        for metric in METRICS:
            row = connection.execute(
                f"SELECT coalesce(sum({metric}), 0) FROM {NAME} WHERE stat_date < %s".encode(),
                [cut_date()],
            ).fetchone()
            assert row == (totals[metric]["legacy"],)
            assert totals[metric]["replayed"] == totals[metric]["legacy"]
            with_late = totals[metric]["replayed"] + totals[metric]["late"]
            assert totals[metric]["folded"] == totals[metric]["statistics"] == with_late
    assert sum(of["late"] for of in totals.values()) > 50
    assert report["differences"] == []


def test_the_table_for_people_says_the_same(replayed_url: str) -> None:
    assert replayed_url
    run = CliRunner().invoke(app, ["verify"])
    assert run.exit_code == 0
    assert run.stdout.count("ok ") == 4
    for metric in METRICS:
        assert metric in run.stdout


@pytest.mark.parametrize("seed", range(CORRUPTIONS))
def test_a_corruption_is_found_and_named(replayed_url: str, seed: int) -> None:
    random = Random(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    with psycopg.connect(replayed_url, autocommit=True, options="-c timezone=UTC") as connection:
        touched = KINDS[kind](connection, random)
    report = verify(3)
    named = {(each["campaign_id"], each["day"], each["metric"]) for each in report["differences"]}
    assert named == touched, kind


def test_a_difference_says_where_its_events_are(replayed_url: str) -> None:
    with psycopg.connect(replayed_url, autocommit=True, options="-c timezone=UTC") as connection:
        _event_off_by_one(connection, Random(1))
    found = verify(3)["differences"]
    of_legacy = next(each for each in found if each["proof"] == "legacy")
    assert of_legacy["found"] == of_legacy["expected"] + 1
    assert of_legacy["row_id"].startswith("row-")
    with psycopg.connect(replayed_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT event_count, batch_id FROM campaign_events WHERE event_id = %s",
            [of_legacy["event_ids"][0]],
        ).fetchone()
        assert row is not None
        place = of_legacy["places"][0]
        stored = connection.execute(
            "SELECT topic, partition, first_offset FROM ingest_batches WHERE batch_id = %s",
            [row[1]],
        ).fetchone()
    assert row[0] == of_legacy["found"]
    assert stored == (place["topic"], place["partition"], place["first_offset"])


def test_events_that_are_not_folded_yet_are_no_difference(replayed_url: str) -> None:
    with psycopg.connect(replayed_url, autocommit=True) as connection:
        connection.execute(
            "SELECT add_campaign_event(gen_random_uuid(), 'campaign-1', 'sent',"
            " now() - interval '9 days')"
        )
        assert connection.execute(
            "SELECT count(*) FROM ingest_batches WHERE folded_at IS NULL"
        ).fetchone() == (1,)
    report = verify(0)
    assert report["totals"]["sent"]["statistics"] == report["totals"]["sent"]["folded"]


def test_days_whose_events_were_dropped_are_not_compared(replayed_url: str) -> None:
    with psycopg.connect(replayed_url, autocommit=True) as connection:
        connection.execute("CALL drop_old_campaign_events_partitions(2)")
    report = verify(0)
    assert report["floor"] is not None
    assert 0 < report["totals"]["sent"]["legacy"] == report["totals"]["sent"]["replayed"]
    with psycopg.connect(replayed_url, autocommit=True) as connection:
        all_of_them = connection.execute(
            f"SELECT sum(sent) FROM {NAME} WHERE stat_date < %s".encode(), [cut_date()]
        ).fetchone()
    assert all_of_them is not None
    assert report["totals"]["sent"]["legacy"] < all_of_them[0]


def test_before_the_first_run_there_is_nothing_to_verify(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    run = CliRunner().invoke(app, ["verify"])
    assert "replay run" in str(run.exception)


# -- what can go wrong; each returns the campaigns, days and metrics that it touched

Key = tuple[str, str, str]
Connection = psycopg.Connection[tuple[Any, ...]]
_METRIC = "CASE event_type WHEN 'positive_reply' THEN 'positive_replies' ELSE event_type::text END"


def _an_event(connection: Connection, random: Random, *, tagged: bool) -> tuple[Any, ...]:
    """Campaign, day, metric, id and campaign key of an event before the cut."""
    found = connection.execute(
        f"SELECT campaign_id, (occurred_at AT TIME ZONE 'UTC')::date::text, {_METRIC}, event_id,"
        " campaign_key FROM campaign_events INNER JOIN campaigns USING (campaign_key)"
        f" WHERE ({TAGGED}) = %s AND occurred_at < %s ORDER BY event_id".encode(),
        [tagged, cut_date()],
    ).fetchall()
    return random.choice(found)


def _a_row(connection: Connection, random: Random) -> tuple[str, str, str, str]:
    """Id, campaign, day and a metric that is not zero of a legacy row."""
    found = connection.execute(
        f"SELECT id, campaign_id, stat_date::text FROM {NAME}"
        " WHERE opened > 0 AND stat_date < %s ORDER BY id".encode(),
        [cut_date()],
    ).fetchall()
    row_id, campaign_id, day = random.choice(found)
    return row_id, campaign_id, day, "opened"


def _event_off_by_one(connection: Connection, random: Random) -> set[Key]:
    campaign_id, day, metric, event_id, _ = _an_event(connection, random, tagged=True)
    connection.execute(
        "UPDATE campaign_events SET event_count = event_count + 1 WHERE event_id = %s", [event_id]
    )
    return {(campaign_id, day, metric)}


def _late_event_off_by_one(connection: Connection, random: Random) -> set[Key]:
    campaign_id, day, metric, event_id, _ = _an_event(connection, random, tagged=False)
    connection.execute(
        "UPDATE campaign_events SET event_count = event_count + 1 WHERE event_id = %s", [event_id]
    )
    return {(campaign_id, day, metric)}


def _event_missing(connection: Connection, random: Random) -> set[Key]:
    campaign_id, day, metric, event_id, _ = _an_event(connection, random, tagged=True)
    connection.execute("DELETE FROM campaign_events WHERE event_id = %s", [event_id])
    return {(campaign_id, day, metric)}


def _event_on_the_wrong_day(connection: Connection, random: Random) -> set[Key]:
    campaign_id, day, metric, event_id, _ = _an_event(connection, random, tagged=True)
    moved = connection.execute(
        "UPDATE campaign_events SET occurred_at = occurred_at - interval '1 day'"
        " WHERE event_id = %s RETURNING (occurred_at AT TIME ZONE 'UTC')::date::text",
        [event_id],
    ).fetchone()
    assert moved is not None
    return {(campaign_id, day, metric), (campaign_id, moved[0], metric)}


def _event_of_the_wrong_campaign(connection: Connection, random: Random) -> set[Key]:
    campaign_id, day, metric, event_id, key = _an_event(connection, random, tagged=True)
    moved = connection.execute(
        "UPDATE campaign_events SET campaign_key = other.campaign_key FROM (SELECT campaign_key,"
        " campaign_id FROM campaigns WHERE campaign_key <> %s ORDER BY 1 LIMIT 1) AS other"
        " WHERE event_id = %s RETURNING other.campaign_id",
        [key, event_id],
    ).fetchone()
    assert moved is not None
    return {(campaign_id, day, metric), (moved[0], day, metric)}


def _event_of_the_wrong_metric(connection: Connection, random: Random) -> set[Key]:
    campaign_id, day, metric, event_id, _ = _an_event(connection, random, tagged=True)
    other = "bounced" if metric != "bounced" else "sent"
    connection.execute(
        "UPDATE campaign_events SET event_type = %s::campaign_event_type WHERE event_id = %s",
        [other, event_id],
    )
    return {(campaign_id, day, metric), (campaign_id, day, other)}


def _row_off_by_one(connection: Connection, random: Random) -> set[Key]:
    row_id, campaign_id, day, metric = _a_row(connection, random)
    connection.execute(
        f"UPDATE {NAME} SET {metric} = {metric} + 1 WHERE id = %s".encode(), [row_id]
    )
    return {(campaign_id, day, metric)}


def _row_missing(connection: Connection, random: Random) -> set[Key]:
    row_id, campaign_id, day, _ = _a_row(connection, random)
    values = connection.execute(
        f"DELETE FROM {NAME} WHERE id = %s RETURNING {', '.join(METRICS)}".encode(), [row_id]
    ).fetchone()
    assert values is not None
    return {
        (campaign_id, day, metric) for metric, value in zip(METRICS, values, strict=True) if value
    }


def _row_with_swapped_metrics(connection: Connection, random: Random) -> set[Key]:
    row_id, campaign_id, day, _ = _a_row(connection, random)
    connection.execute(
        f"UPDATE {NAME} SET bounced = opened, opened = bounced WHERE id = %s".encode(), [row_id]
    )
    return {(campaign_id, day, "opened"), (campaign_id, day, "bounced")}


def _statistics_off_by_one(connection: Connection, random: Random) -> set[Key]:
    found = connection.execute(
        "SELECT campaign_id, campaign_key, event_date FROM campaign_daily_rollup"
        " INNER JOIN campaigns USING (campaign_key) WHERE event_date < %s AND sent > 0"
        " ORDER BY 1, 3",
        [cut_date()],
    ).fetchall()
    campaign_id, key, day = random.choice(found)
    connection.execute(
        "UPDATE campaign_daily_rollup SET sent = sent + 1"
        " WHERE campaign_key = %s AND event_date = %s",
        [key, day],
    )
    return {(campaign_id, str(day), "sent")}


KINDS = {
    "event off by one": _event_off_by_one,
    "late event off by one": _late_event_off_by_one,
    "event missing": _event_missing,
    "event on the wrong day": _event_on_the_wrong_day,
    "event of the wrong campaign": _event_of_the_wrong_campaign,
    "event of the wrong metric": _event_of_the_wrong_metric,
    "row off by one": _row_off_by_one,
    "row missing": _row_missing,
    "row with swapped metrics": _row_with_swapped_metrics,
    "statistics off by one": _statistics_off_by_one,
}
