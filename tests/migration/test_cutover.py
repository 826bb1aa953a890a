"""The old table's name changes hands: readers notice nothing, writers are told, and back again."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from replay.cli import app
from replay.expand import METRICS
from tests.migration.old_table import NAME, OldTable, cut_date
from tests.sql.history import utc_today

COLUMNS = (
    "SELECT attname, format_type(atttypid, atttypmod), attcollation FROM pg_attribute"
    " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
READ = (
    f"SELECT campaign_id, stat_date, {', '.join(METRICS)}, admin_uuid, campaign_id_int FROM {NAME}"
    " WHERE campaign_id = %s AND stat_date < %s AND sent > 0 ORDER BY stat_date"
)


def replay(*arguments: str, **settings: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env=settings)


def done(*arguments: str, **settings: str) -> dict[str, Any]:
    run = replay(*arguments, "--json", **settings)
    assert run.exit_code == 0, (run.exception, run.output[-2_000:])
    report: dict[str, Any] = json.loads(run.stdout)
    return report


def refused(*arguments: str, **settings: str) -> str:
    run = replay(*arguments, **settings)
    assert getattr(run.exception, "exit_code", None) == 78, (run.exception, run.output)
    return str(run.exception)


@pytest.fixture
def reader(replayed_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """An old application: one connection for everything, statements prepared."""
    with psycopg.connect(replayed_url, autocommit=True, prepare_threshold=0) as connection:
        yield connection


Reader = psycopg.Connection[tuple[Any, ...]]


def test_without_yes_nothing_changes(old_table: OldTable) -> None:
    report = done("cutover")
    assert (report["ready"], report["done"]) == (True, False)
    assert old_table.query("SELECT relkind FROM pg_class WHERE relname = %s", NAME) == [("r",)]
    assert old_table.query("SELECT count(*) FROM migration_audit") == [(0,)]


def test_readers_see_the_same_with_statements_they_had_prepared(
    old_table: OldTable, reader: Reader
) -> None:
    columns = reader.execute(COLUMNS, [NAME]).fetchall()
    day = cut_date() - timedelta(days=21)  # before that no late event was made
    before = reader.execute(READ.encode(), ["campaign-4", day]).fetchall()
    assert len(before) > 10
    done("cutover", "--yes")
    assert reader.execute(READ.encode(), ["campaign-4", day]).fetchall() == before
    assert reader.execute(COLUMNS, [NAME]).fetchall() == columns
    assert old_table.query("SELECT relkind FROM pg_class WHERE relname = %s", NAME) == [("v",)]
    ids = reader.execute(f"SELECT count(*), count(DISTINCT id) FROM {NAME}".encode()).fetchone()
    assert ids is not None
    assert ids[0] == ids[1]


def test_a_campaign_is_found_through_an_index(replayed_url: str) -> None:
    done("cutover", "--yes")
    with psycopg.connect(replayed_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO campaigns (campaign_id) SELECT 'other ' || n FROM generate_series(1, 5000)"
            " AS n; ANALYZE campaigns"
        )
        plan = "\n".join(
            line
            for (line,) in connection.execute(
                f"EXPLAIN SELECT * FROM {NAME} WHERE campaign_id = 'campaign-4'".encode()
            )
        )
    assert "campaigns_legacy_campaign_id" in plan
    assert "Seq Scan on campaigns" not in plan


@pytest.mark.parametrize(
    "write",
    [
        f"INSERT INTO {NAME} (id, campaign_id, stat_date) VALUES ('x', 'campaign-1', now())",
        f"UPDATE {NAME} SET sent = 1 WHERE campaign_id = 'campaign-1'",
        f"UPDATE {NAME} SET sent = 1 WHERE campaign_id = 'nobody'",
        f"DELETE FROM {NAME}",
    ],
)
def test_writers_are_told_where_to_publish(replayed_url: str, write: str) -> None:
    done("cutover", "--yes")
    with psycopg.connect(replayed_url, autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as error:
            connection.execute(write.encode())
        assert error.value.diag.message_hint == "Publish events to the Kafka topic t instead."
        with (
            pytest.raises(psycopg.Error),
            connection.cursor().copy(f"COPY {NAME} (id) FROM STDIN".encode()) as copy,
        ):
            copy.write_row(["x"])


def test_an_upsert_is_an_error_too(replayed_url: str) -> None:
    """PostgreSQL refuses it before any trigger of ours could speak; the runbook says so."""
    done("cutover", "--yes")
    upsert = (
        f"INSERT INTO {NAME} (id, campaign_id, stat_date) VALUES ('x', 'c', now())"
        " ON CONFLICT (campaign_id, stat_date) DO UPDATE SET sent = 1"
    )
    with (
        psycopg.connect(replayed_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InvalidColumnReference),
    ):
        connection.execute(upsert.encode())


def test_the_view_has_the_grants_of_the_table(old_table: OldTable) -> None:
    role = "reader_of_" + old_table.query("SELECT current_database()")[0][0]
    old_table.run(f'CREATE ROLE "{role}"')
    try:
        old_table.run(f'GRANT SELECT ON {NAME} TO "{role}"')
        old_table.run(f'GRANT UPDATE (sent) ON {NAME} TO "{role}"')
        done("cutover", "--yes")
        assert old_table.query(
            "SELECT has_table_privilege(%s, %s, 'SELECT'), has_table_privilege(%s, %s, 'DELETE'),"
            " has_column_privilege(%s, %s, 'sent', 'UPDATE')",
            *(role, NAME, role, NAME, role, NAME),
        ) == [(True, False, True)]
        old_table.run(f'SET ROLE "{role}"')
        assert old_table.query(f"SELECT count(*) > 0 FROM {NAME}") == [(True,)]
        old_table.run("RESET ROLE")
        done("rollback", "--yes")
    finally:
        old_table.run(f'DROP OWNED BY "{role}"')
        old_table.run(f'DROP ROLE "{role}"')


def test_views_and_functions_follow_the_name_there_and_back(old_table: OldTable) -> None:
    old_table.run(f"CREATE VIEW opens AS SELECT campaign_id, opened FROM {NAME}")
    old_table.run("CREATE VIEW all_opens AS SELECT sum(opened) AS opened FROM opens")
    old_table.run(
        "CREATE FUNCTION total() RETURNS bigint LANGUAGE sql"
        f" BEGIN ATOMIC SELECT sum(opened) FROM {NAME}; END"
    )
    old_table.run(
        f"CREATE FUNCTION by_name() RETURNS bigint LANGUAGE sql AS 'SELECT sum(opened) FROM {NAME}'"
    )
    asked = (
        f"SELECT (SELECT opened FROM all_opens), total(), by_name(),"
        f" (SELECT sum(opened) FROM {NAME})"
    )
    old = old_table.query(asked)[0]
    assert len(set(old)) == 1
    report = done("cutover", "--yes")
    assert {(each["identity"], each["action"]) for each in report["dependents"]} == {
        ("opens", "move"),
        ("total()", "move"),
        ("by_name()", "note"),
    }
    new = old_table.query(asked)[0]
    assert len(set(new)) == 1
    assert new[0] != old[0], "late and live events are in the statistics only"
    done("rollback", "--yes")
    back = old_table.query(asked)[0]
    assert len(set(back)) == 1
    assert old_table.query("SELECT count(*) FROM pg_class WHERE relname ~ '_(legacy|view)$'") == [
        (0,)
    ]


def test_what_cannot_be_moved_refuses_the_cutover(old_table: OldTable) -> None:
    old_table.run(f"CREATE MATERIALIZED VIEW held AS SELECT * FROM {NAME}")
    old_table.run(f"CREATE TABLE notes (of varchar(255) REFERENCES {NAME})")
    text = refused("cutover", "--yes")
    assert "materialized view held" in text
    assert "foreign key notes_of_fkey of notes" in text
    assert old_table.query("SELECT relkind FROM pg_class WHERE relname = %s", NAME) == [("r",)]


MISSING = {
    "UPDATE replay_ranges SET rows = NULL, events = NULL, sent = NULL, opened = NULL,"
    " clicked = NULL, replied = NULL, positive_replies = NULL, bounced = NULL,"
    " published_at = NULL, acknowledged_at = NULL": "Run: replay run",
    "INSERT INTO replay_corrections (campaign_id, stat_date, metric, revision, delta, event_id)"
    " VALUES ('campaign-1', '2026-01-01', 'sent', 1, 1, gen_random_uuid())": "Run: replay sync",
    "UPDATE replay_watermarks SET next_offset = next_offset + 1": "partitions are behind",
    "UPDATE ingest_batches SET folded_at = NULL WHERE batch_id ="
    " (SELECT max(batch_id) FROM ingest_batches WHERE partition = 0)": "batches are not folded",
    'INSERT INTO rejected_events (batch_id, topic, partition, "offset", value, value_bytes,'
    " value_sha256, reason_code, detail) VALUES (1, 't', 0, 5,"
    " convert_to('\"00000000-0000-8ca3-9a17-000000000000\"', 'UTF8'), 9, '', 'x', '')"
    "": "1 were rejected",
    f"UPDATE {NAME} SET sent = sent + 1": "Run: replay verify",
    "UPDATE campaign_monthly_rollup SET sent = 7": "monthly statistics equal their days",
}


@pytest.mark.parametrize(("damage", "expected"), MISSING.items(), ids=MISSING.values())
def test_whatever_is_missing_is_named_and_nothing_changes(
    old_table: OldTable, damage: str, expected: str
) -> None:
    old_table.run(damage)
    text = refused("cutover", "--yes")
    assert expected in text
    assert old_table.query("SELECT relkind FROM pg_class WHERE relname = %s", NAME) == [("r",)]


def test_a_column_that_the_statistics_do_not_know_refuses_the_cutover(old_table: OldTable) -> None:
    old_table.run(f"ALTER TABLE {NAME} ADD COLUMN mood text")
    run = replay("cutover", "--yes")
    assert "column mood" in str(run.exception)
    assert old_table.query("SELECT relkind FROM pg_class WHERE relname = %s", NAME) == [("r",)]


def test_a_table_with_columns_of_other_names_and_without_a_metric_goes_all_the_way(
    old_table: OldTable,
) -> None:
    old_table.run(f"ALTER TABLE {NAME} DROP COLUMN bounced")
    old_table.run(f'ALTER TABLE {NAME} RENAME COLUMN sent TO "Mails out"')
    names = {"REPLAY_COLUMN_SENT": "Mails out"}
    assert done("verify", **names)["ok"] is True
    done("cutover", "--yes", **names)
    assert old_table.query(f'SELECT sum("Mails out") > 0 FROM {NAME}') == [(True,)]
    old_table.run("SELECT add_campaign_event(gen_random_uuid(), 'new', 'sent', now(), 4)")
    old_table.history.refresh()
    done("rollback", "--yes", **names)
    found = old_table.query(f"SELECT \"Mails out\" FROM {NAME} WHERE campaign_id = 'new'")
    assert found == [(4,)]


def test_a_reader_in_a_long_transaction_makes_the_cutover_give_up(
    old_table: OldTable, reader: Reader
) -> None:
    with reader.transaction():
        reader.execute(f"SELECT 1 FROM {NAME} LIMIT 1".encode())
        run = replay(
            "cutover", "--yes", REPLAY_SWAP_LOCK_SECONDS="0.02", REPLAY_SWAP_SECONDS_MAX="0.3"
        )
        assert getattr(run.exception, "exit_code", None) == 75
    done("cutover", "--yes")
    assert old_table.query("SELECT relkind FROM pg_class WHERE relname = %s", NAME) == [("v",)]


def test_neither_swap_waits_for_the_refresher_or_for_tables_of_others(
    old_table: OldTable, reader: Reader
) -> None:
    old_table.run("CREATE TABLE notes (campaign_id varchar(255), note text)")
    old_table.run(f"CREATE VIEW noted AS SELECT * FROM {NAME} LEFT JOIN notes USING (campaign_id)")
    with reader.transaction():
        reader.execute("LOCK TABLE campaign_daily_rollup IN ROW EXCLUSIVE MODE")
        reader.execute("LOCK TABLE notes IN ROW EXCLUSIVE MODE")
        assert done("cutover", "--yes", REPLAY_SWAP_SECONDS_MAX="1")["attempts"] == 1
        assert done("rollback", "--yes", REPLAY_SWAP_SECONDS_MAX="1")["attempts"] == 1


def test_rollback_brings_the_days_since_the_cutover(old_table: OldTable) -> None:
    today = utc_today()
    old_table.insert(1, today, (5, 6, 7, 0, 0, 0))  # what the old system had until then
    done("cutover", "--yes")
    for _ in range(3):
        old_table.run(
            "SELECT add_campaign_event(gen_random_uuid(), 'born later', 'opened', now(), 4)"
        )
    old_table.run(
        "SELECT add_campaign_event(gen_random_uuid(), 'campaign-1', 'clicked', now(), 70)"
    )
    old_table.run(
        "SELECT add_campaign_event(gen_random_uuid(), 'campaign-1', 'clicked',"
        " now() - interval '9 days', 1)"
    )
    old_table.history.refresh()
    shown = old_table.query(
        f"SELECT campaign_id, stat_date, {', '.join(METRICS)} FROM {NAME} WHERE stat_date >= %s"
        " ORDER BY 1, 2",
        today,
    )
    assert "born later" in {row[0] for row in shown}
    report = done("rollback", "--yes")
    assert report["days_from"] == str(today)
    assert (report["updated"], report["inserted"]) == (1, len(shown) - 1)
    assert report["late_events_left_behind"] == 1
    assert shown == old_table.query(
        f"SELECT campaign_id, stat_date, {', '.join(METRICS)} FROM {NAME} WHERE stat_date >= %s"
        " ORDER BY 1, 2",
        today,
    )
    done("cutover", "--yes")


def test_every_step_is_in_the_audit_with_its_hash_and_stays_there(old_table: OldTable) -> None:
    first = done("cutover", "--yes")["evidence_sha256"]
    second = done("rollback", "--yes")["evidence_sha256"]
    done("cutover", "--yes")
    found = old_table.query("SELECT step, evidence, evidence_sha256 FROM migration_audit")
    assert sorted(step for step, _, _ in found) == ["cutover", "cutover", "rollback"]
    assert {first, second} < {sha256 for _, _, sha256 in found}
    assert len({sha256 for _, _, sha256 in found}) == 3
    for _, evidence, sha256 in found:
        assert hashlib.sha256(evidence.encode()).hexdigest() == sha256
    told = json.loads(next(text for _, text, sha256 in found if sha256 == first))
    assert told["cut_date"] == str(cut_date())
    assert told["totals"]["sent"]["legacy"] == told["totals"]["sent"]["replayed"]
    for change in ("DELETE FROM", "TRUNCATE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            old_table.run(f"{change} migration_audit")


def test_the_old_table_is_dropped_only_after_the_waiting_period_and_with_yes(
    old_table: OldTable,
) -> None:
    assert "nothing to drop" in refused("drop-legacy", "--yes")
    done("cutover", "--yes")
    assert "7 days after the cutover" in refused("drop-legacy", "--yes")
    would = done("drop-legacy", REPLAY_WAITING_DAYS="0")
    assert would["done"] is False
    old_table.run(f"CREATE VIEW past AS SELECT * FROM {NAME}_legacy")
    assert "view past" in refused("drop-legacy", "--yes", REPLAY_WAITING_DAYS="0")
    old_table.run("DROP VIEW past")
    report = done("drop-legacy", "--yes", REPLAY_WAITING_DAYS="0")
    assert report["bytes"] > 100_000
    assert old_table.query(f"SELECT to_regclass('{NAME}_legacy')") == [(None,)]
    assert old_table.query(f"SELECT count(*) > 0 FROM {NAME}") == [(True,)]
    assert "nothing to roll back" in refused("rollback", "--yes")


def test_verify_still_proves_after_the_cutover(old_table: OldTable) -> None:
    done("cutover", "--yes")
    assert done("verify")["ok"] is True
    assert "has happened" in refused("cutover", "--yes")
    assert old_table.query("SELECT count(*) FROM migration_audit") == [(1,)]
