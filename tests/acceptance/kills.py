"""The kills at any size, with `ingester simulate` as the source.

    python -m tests.acceptance.kills --events 500000 --kills 20 --seed 1

uses the services that the environment names, or starts its own; a topic and a database are made for
the run and removed afterwards (`--keep` leaves them). Prints every kill with its stage, a table of
them and a JSON object; exit code 3 where anything differs.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.ingester import Ingester
from tests.acceptance.killing import kill_until_caught_up, short_session, table
from tests.databases import Databases
from tests.session_services import Choice, SessionServices
from tests.topics import Topics


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance.kills",
        description="Kill workers while a batch is open.",
    )
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--batch-rows", type=int, default=5_000)
    parser.add_argument("--duplicates", type=float, default=0.02)
    parser.add_argument("--invalid", type=float, default=0.002)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1_500.0, help="for kills and catching up")
    parser.add_argument("--keep", action="store_true", help="leave topic and database")
    return parser.parse_args(given)


def _json_of(ingester: Ingester, *arguments: str, seconds: float) -> dict[str, Any]:
    running = ingester.run(*arguments, "--json", seconds=seconds)
    try:
        answer: dict[str, Any] = json.loads(running.stdout)
    except ValueError:
        return {"ok": False, "exit_code": running.code, "detail": running.tail(1_000)}
    return answer | {"exit_code": running.code}


def main(given: Sequence[str] | None = None) -> int:
    """Simulate, kill, catch up, judge, verify; returns the exit code."""
    arguments = _arguments(given)
    services = SessionServices(Choice.made())
    databases, topics = Databases(services.url), Topics(services.bootstrap)
    database, topic = databases.migrated(), topics.create(partitions=arguments.partitions)
    directory = Path(tempfile.mkdtemp(prefix="ingester-kills-"))
    ingester = Ingester(
        directory,
        services.bootstrap,
        databases.url_of(database),
        topic,
        {
            "INGESTER_BATCH_ROWS_MAX": str(arguments.batch_rows),
            **short_session(services.bootstrap),
        },
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` is reached
    try:
        report = _report(ingester, arguments)
    finally:
        ingester.end()
        if not arguments.keep:
            databases.drop(database)
            topics.end()
        databases.end()
        services.end()
    sys.stdout.write(json.dumps({**report, "logs": str(directory)}, indent=2) + "\n")
    return 0 if report["ok"] else 3


def _report(ingester: Ingester, arguments: argparse.Namespace) -> dict[str, Any]:
    published = _json_of(
        ingester,
        *("simulate", "--events", str(arguments.events), "--seed", str(arguments.seed)),
        *("--duplicates", str(arguments.duplicates), "--invalid", str(arguments.invalid)),
        seconds=600,
    )
    started = time.monotonic()
    kills = kill_until_caught_up(
        ingester,
        kills=arguments.kills,
        records=arguments.events,
        seed=arguments.seed,
        workers=arguments.workers,
        seconds=arguments.seconds,
    )
    lasted = time.monotonic() - started
    for number, kill in enumerate(kills, 1):
        sys.stdout.write(
            f"kill {number:>4}: worker {kill.seat + 1} pid {kill.pid} batch {kill.batch} "
            f"of its life, at {kill.stage}, {kill.seconds_after_start:.2f} s old\n"
        )
    sys.stdout.write(f"\n{table(kills)}\n\n")
    verdict = ingester.verdict()
    verified = _json_of(ingester, "verify", "--against-topic", seconds=600)
    balanced = verdict.inserted + verdict.duplicates + verdict.rejected == arguments.events
    return {
        "ok": verdict.ok and balanced and verified.get("ok") is True,
        "published": published,
        "kills_with_a_batch_open": sum(kill.stage != "committed" for kill in kills),
        "kills_by_stage": dict(Counter(kill.stage for kill in kills)),
        "seconds": round(lasted, 1),
        "inserted_plus_duplicates_plus_rejected_is_published": balanced,
        "checker": verdict.as_json(),
        "verify": verified,
    }


if __name__ == "__main__":
    sys.exit(main())
