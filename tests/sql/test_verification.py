"""`verify` finds what somebody changed behind the ingester's back, and nothing where nobody did."""

import json

import psycopg
import pytest
from typer.testing import CliRunner

from ingester.cli import app
from ingester.errors import DifferencesFound
from ingester.settings import load_settings
from ingester.store.connection import connect
from ingester.store.verification import CHECKS, snapshot

HISTORY = """
SELECT add_campaign_event(
    gen_random_uuid(), 'campaign ' || n % 3, 'opened', clock_timestamp() - n * interval '3 days'
)
FROM generate_series(1, 40) AS n;
INSERT INTO ingest_offsets
    (topic, partition, first_offset, next_offset, records, rejected)
VALUES ('t', 0, 5, 7, 2, 2);
INSERT INTO ingest_batches
    (batch_id, topic, topic_id, partition, first_offset, next_offset,
     records, inserted, duplicates, rejected, folded_at)
VALUES (nextval('ingest_batch_ids'), 't', 'id', 0, 5, 7, 2, 0, 0, 2, now());
INSERT INTO rejected_events
    (batch_id, topic, topic_id, partition, "offset", value_bytes, value_sha256, reason_code, detail)
SELECT currval('ingest_batch_ids'), 't', 'id', 0, n, 0, '', 'tombstone', ''
FROM generate_series(5, 6) AS n;
SELECT refresh_campaign_stats();
"""

DAMAGE = {
    "DELETE FROM campaign_events WHERE event_id = (SELECT min(event_id::text)::uuid "
    "FROM campaign_events)": {"rows", "daily"},
    "UPDATE campaign_events SET event_count = 2 WHERE event_id = (SELECT min(event_id::text)::uuid "
    "FROM campaign_events)": {"daily"},
    "UPDATE campaign_daily_rollup SET opened = opened + 1 WHERE event_date = "
    "(SELECT max(event_date) FROM campaign_daily_rollup)": {"daily", "weekly", "monthly"},
    "UPDATE campaign_weekly_rollup SET sent = 1 WHERE week_start = (SELECT max(week_start) "
    "FROM campaign_weekly_rollup)": {"weekly"},
    "DELETE FROM campaign_monthly_rollup WHERE month_start = (SELECT max(month_start) "
    "FROM campaign_monthly_rollup)": {"monthly"},
    'DELETE FROM rejected_events WHERE "offset" = 5': {"rejects"},
    "UPDATE ingest_offsets SET next_offset = 9": {"offsets_contiguous"},
    "UPDATE ingest_offsets SET first_offset = 4": {"offsets_contiguous"},
    "UPDATE ingest_offsets SET records = 3, duplicates = 1": {"totals"},
    "UPDATE ingest_batches SET dropped = 1 WHERE batch_id = 1": {"rows", "dropped"},
}


@pytest.fixture
def history_url(database_url: str) -> str:
    """A database with some events, two rejects and folded statistics."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(HISTORY)
    return database_url


def failing(url: str) -> set[str]:
    with connect(load_settings(database_url=url), "test") as connection, snapshot(connection) as at:
        return {name for name in CHECKS if at.check(name)}


def test_an_untouched_database_verifies(history_url: str) -> None:
    assert failing(history_url) == set()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(history_url: str, damage: str) -> None:
    with psycopg.connect(history_url, autocommit=True) as connection:
        connection.execute(damage)
    assert failing(history_url) == DAMAGE[damage]


def test_the_command_names_what_differs(history_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", history_url)
    good = CliRunner().invoke(app, ["verify", "--json"])
    assert (good.exit_code, json.loads(good.stdout)["ok"]) == (0, True)
    with psycopg.connect(history_url, autocommit=True) as connection:
        connection.execute("UPDATE campaign_weekly_rollup SET sent = 1")
    bad = CliRunner().invoke(app, ["verify", "--json"])
    assert isinstance(bad.exception, DifferencesFound)
    assert bad.exception.exit_code == 3
    failed = [check["name"] for check in json.loads(bad.stdout)["checks"] if not check["ok"]]
    assert failed == ["weekly"]


def test_stats_and_status_say_the_same_as_the_tables(
    history_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", history_url)
    monkeypatch.setenv("KAFKA_TOPIC", "nobody asks for its lag")
    run = CliRunner().invoke(app, ["stats", "--from", "2000-01-01", "--by", "all", "--json"])
    assert sum(row["opened"] for row in json.loads(run.stdout)) == 40
    run = CliRunner().invoke(app, ["stats", "--from", "2000-01-01", "--by", "month", "--top", "1"])
    assert "campaign 1" in run.stdout
    run = CliRunner().invoke(app, ["status", "--json"])
    status = json.loads(run.stdout)
    assert status["totals"]["rejected"] == 2
    assert status["rejects"] == [{"reason_code": "tombstone", "state": "new", "count": 2}]
    assert status["freshness"]["unfolded_batches"] == 0
