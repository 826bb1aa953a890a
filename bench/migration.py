"""`python -m bench.migration`: the whole migration at full scale, against the same in plain SQL.

Both start from the same generated legacy table and empty new tables, and take turns. Ours is what
an operator does: `replay run` while one `ingester run` reads along, `ingester refresh --once`,
`replay verify`; each a process, whose start is in the figure. The yardstick is bench.straight.
Then, once: storage of everything new after upkeep and VACUUM, and dashboard queries on old and new.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from bench import dashboard, live, report, straight
from bench.conditions import conditions
from bench.database import Database
from bench.report import Spread
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name

_QUICK = (0.05, 1)
_MIB = 1024 * 1024
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss, getrusage(2)
_DASHBOARD_ROUNDS = 15
_JOINING_SECONDS = 5.0
"""In life the worker has long joined its group."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One process: its seconds, its peak memory, what it printed as JSON."""

    seconds: float
    rss_bytes: int
    printed: dict[str, Any]


def main(
    *,
    scale: Annotated[float, typer.Option(min=0.001, help="Of the legacy system.")] = 1.0,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds of each side.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the legacy table.")] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="A twentieth, one round: to try the bench.")
    ] = False,
) -> None:
    """Replay, ingest, refresh and verify, next to INSERT … SELECT, REFRESH and FULL JOIN."""
    if quick:
        scale, repeat = _QUICK
    where = servers()
    until = datetime.now(UTC).date()
    with Database(where.database_url, "migration") as database:
        found = conditions(database, where.bootstrap)
        generated = generate(where, database, scale, until, seed)
        ours: list[dict[str, Any]] = []
        plain: list[dict[str, float]] = []
        storage: dict[str, int] = {}
        compared: list[dashboard.Compared] = []
        for number in range(1, repeat + 1):
            ours.append(migrate(where, database, until))
            if number == repeat:
                database.run("vacuum_all")
                storage = dict(database.rows("new_storage"))
                compared = dashboard.compare(database, until, _DASHBOARD_ROUNDS)
            database.run("migration_start_again")
            plain.append(_plain(database))
            report.say(f"{number} of {repeat}: {ours[-1]['seconds']}, plain SQL {plain[-1]}")
        legacy_bytes = database.value("legacy_storage")
    results = _results(ours, plain, storage, legacy_bytes, compared)
    _show(results, compared)
    about = {"generate_seconds": generated.seconds, "generated": generated.printed}
    report.write("migration", found, about | results)


def generate(where: Servers, database: Database, scale: float, until: date, seed: int = 1) -> Ran:
    """Make the legacy table."""
    report.say(f"generating the legacy table at scale {scale:g}")
    arguments = ("--seed", str(seed), "--scale", str(scale), "--until", str(until))
    return _run(live.environment(where, database.url, "none", "none"), "generate", *arguments)


def migrate(where: Servers, database: Database, until: date) -> dict[str, Any]:
    """One whole migration of ours into empty tables."""
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        topic = stack.enter_context(topic_of_our_own(where.bootstrap))
        environment = live.environment(where, database.url, topic, group)
        with live.running("ingester", "run", variables=environment):
            time.sleep(_JOINING_SECONDS)
            began = time.perf_counter()
            run = _run(environment, "run", "--until", str(until))
            while not database.value("migration_ingested", topic=topic):
                time.sleep(0.02)
            ingested = time.perf_counter()
        # The worker's end is not part of a migration: it goes on in life.
        refresh = _run(environment, "refresh", "--once", program="ingester")
        verify = _run(environment, "verify")
    if not verify.printed["ok"]:
        raise RuntimeError("replay verify found differences")
    return {
        "events": run.printed["events"],
        "seconds": {
            "run": round(run.seconds, 2),
            "ingest, after run": round(ingested - began - run.seconds, 2),
            "refresh": round(refresh.seconds, 2),
            "verify": round(verify.seconds, 2),
        },
        "total_seconds": ingested - began + refresh.seconds + verify.seconds,
        "replay_rss_bytes": run.rss_bytes,
        "verify_rss_bytes": verify.rss_bytes,
    }


def _plain(database: Database) -> dict[str, float]:
    database.run("migration_views")
    seconds = straight.migrate(database)
    database.run("migration_drop_views")
    database.run("migration_start_again")
    return {name: round(value, 2) for name, value in seconds.items()}


def _run(environment: dict[str, str], *arguments: str, program: str = "replay") -> Ran:
    """Run a command to its good end."""
    command = [sys.executable, "-m", program, *arguments, "--json"]
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        printed = process.stdout.read() if process.stdout else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(f"{program} {arguments[0]} ended with {process.returncode}")
    return Ran(seconds, used.ru_maxrss * _MAXRSS_BYTES, json.loads(printed))


def _results(
    ours: list[dict[str, Any]],
    plain: list[dict[str, float]],
    storage: dict[str, int],
    legacy_bytes: int,
    compared: list[dashboard.Compared],
) -> dict[str, Any]:
    ratios = [
        one["total_seconds"] / sum(other.values()) for one, other in zip(ours, plain, strict=True)
    ]
    return {
        "ours": ours,
        "plain_sql": plain,
        "ours_seconds": Spread.of(one["total_seconds"] for one in ours).as_json(),
        "plain_sql_seconds": Spread.of(sum(other.values()) for other in plain).as_json(),
        "ratio": Spread.of(ratios).as_json(),
        "replay_rss_bytes": max(one["replay_rss_bytes"] for one in ours),
        "new_bytes": sum(storage.values()),
        "new_bytes_by_table": storage,
        "legacy_bytes": legacy_bytes,
        "dashboards": {
            each.what: {"old": each.old.as_json(), "new": each.new.as_json(), "ratio": each.ratio}
            for each in compared
        },
        "dashboards_geometric_mean": dashboard.geometric_mean(compared),
    }


def _show(results: dict[str, Any], compared: list[dashboard.Compared]) -> None:
    def cells(name: str, digits: int) -> list[str]:
        return [f"{results[name][key]:.{digits}f}" for key in ("median", "min", "max")]

    report.table(
        "the whole migration",
        ["", "median", "min", "max"],
        [
            ["replay, ingest, refresh, verify: seconds", *cells("ours_seconds", 1)],
            ["plain SQL: seconds", *cells("plain_sql_seconds", 1)],
            ["ratio (goal: at most 2.0)", *cells("ratio", 2)],
        ],
    )
    report.say(
        f"everything new {results['new_bytes'] / _MIB:.1f} MiB after VACUUM (goal: at most 60), "
        f"legacy {results['legacy_bytes'] / _MIB:,.0f} MiB; "
        f"peak memory of replay run {results['replay_rss_bytes'] / _MIB:.0f} MiB (at most 150)"
    )
    dashboard.show(compared)


if __name__ == "__main__":
    typer.run(main)
