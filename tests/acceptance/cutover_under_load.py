"""Cutover and rollback while old applications read the old name: failed reads, longest stall.

    python -m tests.acceptance.cutover_under_load --scale 1 --rate 200

Generates and replays a legacy table, then swaps the name there and back, `--swaps` times. Prints a
JSON object; exit code 3 where a read failed.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.ingester import Ingester
from tests.databases import Databases
from tests.migration.reading import Readers
from tests.session_services import Choice, SessionServices
from tests.topics import Topics


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.cutover_under_load")
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--rate", type=int, default=200, help="reads a second")
    parser.add_argument("--swaps", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Make what is needed, swap under load, clean up; returns the exit code."""
    arguments = _arguments(given)
    services = SessionServices(Choice.made())
    databases, topics = Databases(services.url), Topics(services.bootstrap)
    database, topic = databases.migrated(), topics.create(partitions=4)
    directory = Path(tempfile.mkdtemp(prefix="ingester-cutover-"))
    ingester = Ingester(
        directory,
        services.bootstrap,
        databases.url_of(database),
        topic,
        {"INGESTER_BATCH_ROWS_MAX": "20000", "INGESTER_LOG_LEVEL": "info"},
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` is reached
    try:
        _prepare(ingester, arguments)
        report = _swapped(ingester, arguments)
    finally:
        ingester.end()
        databases.drop(database)
        topics.end()
        databases.end()
        services.end()
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if not report["failed"] else 3


def _prepare(ingester: Ingester, arguments: argparse.Namespace) -> None:
    _replay(ingester, "generate", "--seed", str(arguments.seed), "--scale", str(arguments.scale))
    _replay(ingester, "run", "--json")
    assert ingester.run("run", "--until-caught-up", seconds=600).code == 0
    assert ingester.run("refresh", "--once", seconds=600).code == 0


def _swapped(ingester: Ingester, arguments: argparse.Namespace) -> dict[str, Any]:
    stalls: dict[str, list[float]] = {"cutover": [], "rollback": []}
    stopped: dict[str, list[float]] = {"cutover": [], "rollback": []}
    with Readers(ingester.database_url, arguments.rate, arguments.seed) as readers:
        time.sleep(3.0)
        quiet_until = time.monotonic()
        for _ in range(arguments.swaps):
            for step, longest in stalls.items():
                started = time.monotonic()
                told = json.loads(_replay(ingester, step, "--yes", "--json"))
                time.sleep(1.0)
                longest.append(readers.longest_seconds(started) * 1000)
                stopped[step].append(told["stopped_seconds"] * 1000)
    return {
        "reads": len(readers.reads),
        "reads_per_second": arguments.rate,
        "failed": readers.failed[:10],
        "longest_read_ms_before": round(readers.longest_seconds(until=quiet_until) * 1000, 1),
        "longest_read_ms_during": _rounded(stalls),
        "readers_locked_out_ms": _rounded(stopped),
        "scale": arguments.scale,
        "seed": arguments.seed,
    }


def _rounded(times: dict[str, list[float]]) -> dict[str, list[float]]:
    return {step: [round(ms, 1) for ms in each] for step, each in times.items()}


def _replay(ingester: Ingester, *arguments: str) -> str:
    running = ingester.run(*arguments, seconds=1_200, module="replay")
    assert running.code == 0, running.tail()
    return running.stdout


if __name__ == "__main__":
    sys.exit(main())
