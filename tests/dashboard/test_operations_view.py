"""The operations view over a database that stands still: every field and tile is what SQL says."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import psycopg
import pytest
from playwright.sync_api import Page, expect
from psycopg.rows import dict_row

from tests.dashboard.site import Dashboard, Site
from tests.sql.history import Event, History, at

SEEN_MS: Final = 30_000
HAPPENED: Final = """
    INSERT INTO rejected_events (
        batch_id, topic, partition, "offset", value_bytes, value_sha256, reason_code, detail, state
    ) VALUES
        (1, 't', 3, 1, 0, '', 'invalid_json', '', 'new'),
        (1, 't', 3, 2, 0, '', 'invalid_json', '', 'new'),
        (1, 't', 3, 3, 0, '', 'tombstone', '', 'discarded');
    INSERT INTO stats_refreshes (started, error) VALUES (now(), 'no space left');
    INSERT INTO replay_state (cut_date, legacy_table, topic, cluster_id, topic_id)
    VALUES ('2025-04-01', 'old', 't', 'c', 'i');
    INSERT INTO replay_ranges VALUES
        ('2025-01-01', '2025-02-01', 10, 30, 10, 30, 30, 0, 0, 0, 0, 0, now(), now());
    INSERT INTO replay_ranges (first_date, end_date, planned_rows, planned_events)
    VALUES ('2025-02-01', '2025-03-01', 10, 20);
    INSERT INTO migration_audit (step, taken_by, evidence, evidence_sha256)
    SELECT 'sync', 'tester', '{}', encode(sha256('{}'), 'hex') FROM generate_series(1, 2);
"""


@pytest.fixture
def dashboard(site: Site, database_url: str) -> Iterator[Dashboard]:
    """Two partitions, a month without leaf, a batch to fold, rejects, a migration under way."""
    with History(database_url) as history:
        history.ingest([Event("c", at("2025-03-05 10:00"), count=7)], partition=3, rejected=3)
        history.ingest([Event("d", at("2025-05-05 10:00"))])
        history.refresh()
        history.ingest([Event("d", at(f"2025-05-0{day} 10:00")) for day in (6, 7)])
        history.connection.execute(HAPPENED)
    dashboard = Dashboard(site.ingester, DATABASE_URL=database_url)
    yield dashboard
    dashboard.running.end()


def as_json(connection: psycopg.Connection[Any], query: str) -> Any:
    """Rows as JSON objects, as the API writes them."""
    rows = connection.cursor(row_factory=dict_row).execute(query.encode()).fetchall()
    return json.loads(json.dumps(rows, default=lambda at: at.isoformat().replace("+00:00", "Z")))


def test_every_field_is_what_sql_says(dashboard: Dashboard, database_url: str) -> None:
    told = dashboard.ask("/api/operations").json
    with psycopg.connect(database_url, options="-c timezone=UTC") as owner:
        counts = "records, inserted, duplicates, conflicting, rejected"
        partitions = as_json(
            owner,
            f"SELECT topic, partition, next_offset, NULL::bigint AS lag, {counts}, updated_at"
            " FROM ingest_offsets ORDER BY partition",
        )
        (freshness,) = as_json(
            owner,
            "SELECT count(*) AS unfolded_batches, sum(inserted)::bigint AS unfolded_events,"
            " (SELECT max(updated_at) FROM ingest_offsets) AS last_ingest,"
            " (SELECT max(finished) FROM stats_refreshes WHERE error IS NULL) AS last_refresh,"
            " (SELECT max(finished) FROM stats_refreshes WHERE error <> '') AS last_failure,"
            " 'no space left' AS last_error, min(ingested_at) AS complete_until"
            " FROM ingest_batches WHERE folded_at IS NULL",
        )
        ((recorded,),) = owner.execute("SELECT sum(records) FROM ingest_batches").fetchall()
        (replay,) = as_json(owner, "SELECT started_at, cut_date FROM replay_state")
        (step,) = as_json(owner, "SELECT max(taken_at) AS taken_at FROM migration_audit")
        ((events_bytes,),) = owner.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
            " WHERE inhparent = 'campaign_events'::regclass"
        ).fetchall()
    assert told["partitions"] == partitions
    assert told["totals"] == {
        "records": 7, "inserted": 4, "duplicates": 0, "conflicting": 0, "rejected": 3,
    }  # fmt: skip
    complete_until = datetime.fromisoformat(freshness.pop("complete_until"))
    behind = datetime.fromisoformat(told["at"]) - complete_until
    assert told["freshness"].pop("seconds_behind") == pytest.approx(
        behind.total_seconds(), abs=0.01
    )
    assert told["freshness"] == freshness
    assert told["leaves"] == {
        "count": 2, "first": "2025-03-01", "last": "2025-05-01", "months_ahead": 0,
        "gaps": ["2025-04-01"], "floor": None,
    }  # fmt: skip
    assert told["rejects"] == [
        {"reason_code": "invalid_json", "state": "new", "count": 2},
        {"reason_code": "tombstone", "state": "discarded", "count": 1},
    ]
    assert sum(row["records"] for row in told["rate"]) == recorded == 7
    assert sum(row["inserted"] for row in told["rate"]) == 4
    assert told["replay"] == {
        **replay, "ranges": 2, "ranges_done": 1, "events": 50, "events_done": 30,
    }  # fmt: skip
    assert told["migration_steps"] == [{**step, "step": "sync", "times": 2}]
    storage = told["storage_bytes"]
    assert storage.pop("total") == sum(storage.values())
    assert storage.keys() == {"events", "rollups", "campaigns", "rejects", "ledger"}
    assert storage["events"] == events_bytes
    assert told["lag"] is None


def test_every_tile_tells_its_number(dashboard: Dashboard, page: Page) -> None:
    page.goto(f"{dashboard.url}/operations")
    page.locator("main[data-loaded]").wait_for()
    for tile, value, under in (
        ("lag", "unknown", ""),
        ("behind", " s", "2 events to fold"),
        ("refresh", "", "failed: no space left"),
        ("rejects", "2", "3 ever rejected"),
        ("months", "0", "1 missing between"),
    ):
        shown = page.locator(f'[data-tile="{tile}"]')
        expect(shown.locator("strong")).to_contain_text(value, timeout=SEEN_MS)
        expect(shown.locator(".under")).to_contain_text(under)
    migration = page.get_by_role("region", name="Migration")
    expect(migration).to_contain_text("30 of 50 events published, 1 of 2 ranges")
    expect(migration.get_by_role("row").nth(1)).to_contain_text("sync")
    months = page.get_by_role("region", name="Monthly partitions")
    expect(months).to_contain_text("1 Apr 2025")
