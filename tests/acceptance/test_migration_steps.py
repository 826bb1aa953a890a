"""The steps after the replay, as processes on a real Kafka, killed wherever it happens to fall."""

import json
import time
from random import Random
from typing import Any

import psycopg
import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.process import Running

NAME = "campaign_daily_stat_entries"
KILLS = 5


def replay(ingester: Ingester, *arguments: str, code: int = 0) -> dict[str, Any]:
    running = ingester.run(*arguments, "--json", module="replay")
    assert running.code == code, running.tail()
    report: dict[str, Any] = json.loads(running.stdout)
    return report


def change(ingester: Ingester, statement: str) -> None:
    with psycopg.connect(ingester.database_url, autocommit=True) as connection:
        assert connection.execute(statement.encode()).rowcount > 0


@pytest.fixture
def migrating(ingester: Ingester) -> tuple[Ingester, Running]:
    """A replayed old table; a worker and the refresher are at work."""
    replay(ingester, "generate", "--scale", "0.01", "--seed", "5")
    worker = ingester.start("run")
    ingester.start("refresh", "--interval", "0.2")
    replay(ingester, "run")
    return ingester, worker


def refreshed(ingester: Ingester) -> None:
    """Until nothing is left to ingest and to fold."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        status = json.loads(ingester.run("status", "--json").stdout)
        if status["lag"] == 0 and status["freshness"]["unfolded_batches"] == 0:
            return
        time.sleep(0.2)
    raise AssertionError(status)


def test_a_sync_that_is_killed_again_and_again_corrects_everything_once(
    migrating: tuple[Ingester, Running],
) -> None:
    ingester, worker = migrating
    random = Random(1)
    for number in range(KILLS):
        change(
            ingester,
            f"UPDATE {NAME} SET opened = opened + 1, sent = sent + 2"
            f" WHERE sent > 0 AND (campaign_id_int + {number}) % 3 = 0",
        )
        change(
            ingester,
            f"DELETE FROM {NAME} WHERE id IN (SELECT id FROM {NAME} WHERE sent > 0 LIMIT 5)",
        )
        running = ingester.start("sync", "--json", module="replay")
        time.sleep(random.uniform(0.2, 1.2))
        running.kill()
        if number == 2:
            worker.kill()
            worker = ingester.start("run")
    replay(ingester, "sync")
    assert replay(ingester, "sync")["corrections"] == 0
    refreshed(ingester)
    report = replay(ingester, "verify")
    assert report["totals"]["opened"]["legacy"] == report["totals"]["opened"]["statistics"] > 0
    assert ingester.run("verify", "--against-topic").code == 0


def test_a_killed_swap_has_happened_or_has_not(migrating: tuple[Ingester, Running]) -> None:
    ingester, _ = migrating
    refreshed(ingester)
    random = Random(2)
    for _ in range(KILLS):
        for step, after in (("cutover", "v"), ("rollback", "r")):
            running = ingester.start(step, "--yes", "--json", module="replay")
            time.sleep(random.uniform(0.3, 0.9))
            running.kill()
            if kind(ingester) != after:
                replay(ingester, step, "--yes")
            assert kind(ingester) == after
    steps = audited(ingester)
    assert steps == ["cutover", "rollback"] * KILLS


def kind(ingester: Ingester) -> str:
    """What bears the old table's name; all else that is left of a swap would be named after it."""
    deadline = time.monotonic() + 60
    with psycopg.connect(ingester.database_url, autocommit=True) as connection:
        while connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name IN ('replay-cutover', 'replay-rollback')"
        ).fetchone():  # the server notices a little later that its client is gone
            assert time.monotonic() < deadline
            time.sleep(0.05)
        found = connection.execute(
            "SELECT relname, relkind FROM pg_class WHERE relname ~ %s AND relkind IN ('r', 'v')"
            " ORDER BY 1",
            [f"^{NAME}"],
        ).fetchall()
    names = [name for name, _ in found]
    assert names == ([NAME] if found[0][1] == "r" else [NAME, f"{NAME}_legacy"])
    return str(found[0][1])


def audited(ingester: Ingester) -> list[str]:
    with psycopg.connect(ingester.database_url) as connection:
        found = connection.execute("SELECT step FROM migration_audit ORDER BY audit_id").fetchall()
    return [step for (step,) in found]
