"""The whole migration at any scale, with live traffic and SIGKILLs, judged to the last unit.

    python -m tests.acceptance.migration --scale 1 --kills 30 --seed 1

generate → plan → run, while two workers and the refresher are at work and live events arrive, some
of them late (of days before the cut) → verify. Kills fall on `replay run` and on the workers, drawn
from the seed; whoever dies is started again. Uses the services that the environment names, or
starts its own; topic and database are made for the run and removed afterwards (`--keep` leaves
them). Prints what each step printed, a summary as JSON, and exits with 3 where anything differs.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import psycopg

from tests.acceptance.ingester import Ingester
from tests.acceptance.killing import short_session
from tests.acceptance.process import Running
from tests.databases import Databases
from tests.session_services import Choice, SessionServices
from tests.topics import Topics

_TAGGED = r"substring(uuid_send(event_id) FROM 7 FOR 4) = '\x8ca39a17'"
_COUNTS = f"""
SELECT
    count(*) FILTER (WHERE {_TAGGED}) AS replayed,
    count(*) FILTER (WHERE NOT {_TAGGED}) AS live,
    count(*) FILTER (WHERE NOT {_TAGGED} AND occurred_at < cut_date) AS late
FROM campaign_events, replay_state
"""
_FRESHNESS = f"""
SELECT
    count(*),
    percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
        ORDER BY extract(epoch FROM folded_at - occurred_at)
    )
FROM campaign_events INNER JOIN ingest_batches USING (batch_id)
WHERE NOT {_TAGGED} AND occurred_at BETWEEN %s AND %s
"""
"""From the moment an event happens to the moment its batch is folded into the statistics."""


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance.migration", description="Migrate, kill, verify."
    )
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=2_000, help="live events a second")
    parser.add_argument("--late", type=int, default=5_000, help="live events before the cut")
    parser.add_argument("--keep", action="store_true", help="leave topic and database")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Make what is needed, migrate, clean up; returns the exit code."""
    arguments = _arguments(given)
    services = SessionServices(Choice.made())
    databases, topics = Databases(services.url), Topics(services.bootstrap)
    database, topic = databases.migrated(), topics.create(partitions=4)
    directory = Path(tempfile.mkdtemp(prefix="ingester-migration-"))
    ingester = Ingester(
        directory,
        services.bootstrap,
        databases.url_of(database),
        topic,
        {
            "INGESTER_BATCH_ROWS_MAX": "20000",
            "INGESTER_LOG_LEVEL": "info",
            **short_session(services.bootstrap),
        },
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` is reached
    try:
        report = Migration(ingester, arguments).report()
    finally:
        ingester.end()
        if not arguments.keep:
            databases.drop(database)
            topics.end()
        databases.end()
        services.end()
    sys.stdout.write(json.dumps({**report, "logs": str(directory)}, indent=2, default=str) + "\n")
    return 0 if report["ok"] else 3


class Migration:
    """One migration under way."""

    def __init__(self, ingester: Ingester, arguments: argparse.Namespace) -> None:
        self._ingester = ingester
        self._arguments = arguments
        self._random = Random(arguments.seed)
        self._workers: list[Running] = []
        self._seconds: dict[str, float] = {}
        self._kills = {"replay": 0, "ingester": 0}

    def report(self) -> dict[str, Any]:
        """Do everything; returns the summary."""
        arguments = self._arguments
        self._replay("generate", "--seed", str(arguments.seed), "--scale", str(arguments.scale))
        self._workers = [self._ingester.start("run") for _ in range(2)]
        refresher = self._ingester.start("refresh")
        late = self._ingester.start(
            *("simulate", "--events", str(arguments.late), "--days", "20", "--json"),
            *("--duplicates", "0", "--invalid", "0", "--seed", str(arguments.seed)),
        )
        assert late.wait(120) == 0, late.tail()
        live = self._live()
        time.sleep(3.0)  # live traffic flows before the replay begins
        planned = json.loads(self._replay("plan", "--json").stdout)
        freshness = self._run_under_fire(planned)
        live.signal(signal.SIGINT)  # it ends the record under way and says what it published
        live.wait(60)
        self._settle()
        refresher.signal(signal.SIGTERM)
        refresher.wait(30)
        return self._judged(planned, json.loads(live.stdout), json.loads(late.stdout), freshness)

    def _live(self) -> Running:
        rate = self._arguments.rate
        return self._ingester.start(
            *("simulate", "--rate", str(rate), "--events", str(rate * 3_600), "--json"),
            *("--duplicates", "0", "--invalid", "0", "--seed", str(self._arguments.seed + 1)),
        )

    def _run_under_fire(self, planned: dict[str, Any]) -> dict[str, Any]:
        """Run the replay to its end, killing on the way; returns how fresh live events stayed."""
        kills = self._arguments.kills
        started, began_at = time.monotonic(), self._now()
        # Slow enough that there is something left to kill, full speed afterwards.
        rate = max(200, int(planned["events"] / max(kills, 1) / 1.5))
        slowly = ("--rate", str(rate)) if kills else ()
        running = self._ingester.start("run", "--json", *slowly, module="replay")
        while sum(self._kills.values()) < kills:
            time.sleep(self._random.uniform(0.2, 2.0))
            assert running.code is None, f"ended before the last kill:\n{running.tail()}"
            if self._random.random() < 0.5:
                running.kill()
                self._kills["replay"] += 1
                running = self._ingester.start("run", "--json", *slowly, module="replay")
            else:
                place = self._random.randrange(len(self._workers))
                self._workers[place].kill()
                self._kills["ingester"] += 1
                self._workers[place] = self._ingester.start("run")
        if kills:
            running.signal(signal.SIGTERM)
            running.wait(60)
            running = self._ingester.start("run", "--json", module="replay")
        assert running.wait(1_200) == 0, running.tail()
        sys.stdout.write(running.stdout + "\n")
        self._seconds["replay run"] = round(time.monotonic() - started, 1)
        ended_at = self._now()
        self._replay("run", "--json")  # a second one changes nothing
        time.sleep(3.0)
        return {"from": began_at, "to": ended_at}

    def _settle(self) -> None:
        """Stop the workers, read on to the end of the topic, and fold."""
        for worker in self._workers:
            worker.signal(signal.SIGTERM)
        for worker in self._workers:
            worker.wait(60)
        self._ingester.run("run", "--until-caught-up", seconds=600)
        folded = self._ingester.run("refresh", "--once", seconds=600)
        assert folded.code == 0, folded.tail()

    def _judged(
        self,
        planned: dict[str, Any],
        live: dict[str, Any],
        late: dict[str, Any],
        window: dict[str, Any],
    ) -> dict[str, Any]:
        verified = json.loads(self._replay("verify", "--json", fails=True).stdout)
        own = self._ingester.run("verify", "--against-topic", "--json", seconds=1_200)
        nothing = json.loads(self._replay_with_worker("sync", "--json").stdout)
        with psycopg.connect(self._ingester.database_url) as connection:
            counts = connection.execute(_COUNTS.encode()).fetchone() or ()
            fresh = connection.execute(
                _FRESHNESS.encode(), [window["from"], window["to"]]
            ).fetchone()
        found = dict(zip(("replayed", "live", "late"), counts, strict=True))
        expected = {"replayed": planned["events"], "live": live["unique"] + late["unique"]}
        return {
            "ok": verified["ok"]
            and own.code == 0
            and expected.items() <= found.items()
            and found["late"] >= late["unique"] > 0
            and nothing["corrections"] == 0,
            "scale": self._arguments.scale,
            "seed": self._arguments.seed,
            "kills": self._kills,
            "events": {"found": found, "expected": expected},
            "totals": verified["totals"],
            "replay_verify": verified["ok"],
            "ingester_verify_against_topic": own.code == 0,
            "live_freshness_seconds": _percentiles(fresh),
            "seconds": self._seconds,
        }

    def _replay_with_worker(self, *arguments: str) -> Running:
        """Run a command that waits for the ingester."""
        worker = self._ingester.start("run")
        try:
            return self._replay(*arguments)
        finally:
            worker.signal(signal.SIGTERM)
            worker.wait(30)

    def _replay(self, *arguments: str, fails: bool = False) -> Running:
        started = time.monotonic()
        running = self._ingester.run(*arguments, seconds=1_200, module="replay")
        self._seconds.setdefault(f"replay {arguments[0]}", round(time.monotonic() - started, 1))
        assert fails or running.code == 0, running.tail()
        if len(running.stdout) < 20_000:
            sys.stdout.write(running.stdout + "\n")
        return running

    def _now(self) -> Any:
        with psycopg.connect(self._ingester.database_url) as connection:
            return (connection.execute("SELECT clock_timestamp()").fetchone() or (None,))[0]


def _percentiles(found: tuple[Any, ...] | None) -> dict[str, Any]:
    if not found or not found[1]:
        return {"events": 0}
    names = ("p50", "p99", "max")
    times = {name: round(float(each), 2) for name, each in zip(names, found[1], strict=True)}
    return {"events": found[0], **times}


if __name__ == "__main__":
    sys.exit(main())
