"""Sides that take turns on one server, each into a fresh database, and are judged by row counts.

A side is a name, how many records it brings, and a function from a fresh migrated database to
seconds. Nothing fast and wrong gets a figure: whatever ran, the rows are counted afterwards.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from bench import report
from bench.cpu import process_seconds, server_seconds
from bench.database import Database
from bench.report import Spread
from bench.servers import Servers
from bench.traffic import Traffic
from bench.worker import WorkerRun, run_worker


@dataclass(slots=True)
class Contender:
    """One side: how it runs, what it must leave behind, and what was measured.

    `months` need a leaf; `rows` must be in `campaign_events` afterwards. `prepare` comes before
    anything is measured.
    """

    name: str
    events: int
    months: Sequence[date]
    rows: int
    run: Callable[[Database], float]
    yardstick: "Contender | None" = None
    prepare: Callable[[Database], object] | None = None
    seconds: list[float] = field(default_factory=list)
    postgres_cpu_seconds: list[float] = field(default_factory=list)
    kafka_cpu_seconds: list[float] = field(default_factory=list)
    worker_runs: list[WorkerRun] = field(default_factory=list)

    @property
    def ratios(self) -> Spread:
        """Its rate over the rate of the yardstick in the same round."""
        yardstick = self.yardstick or self
        return Spread.of(
            (self.events / ours) / (yardstick.events / theirs)
            for ours, theirs in zip(self.seconds, yardstick.seconds, strict=True)
        )

    @property
    def rates(self) -> Spread:
        """Records a second."""
        return Spread.of(self.events / seconds for seconds in self.seconds)


def ingester(
    name: str,
    where: Servers,
    traffic: Traffic,
    group: str,
    *,
    workers: int = 1,
    yardstick: Contender | None = None,
) -> Contender:
    """The side of `ingester run`: from its first fetch to the answer to its last COMMIT."""

    def run(database: Database) -> float:
        done = run_worker(database.url, where.bootstrap, traffic.topic, group, workers=workers)
        if database.record("ledger_totals") != traffic.expected:
            raise RuntimeError(f"{database.record('ledger_totals')} is not {traffic.expected}")
        side.worker_runs.append(done)
        return done.steady_seconds

    rows = traffic.expected["inserted"]
    side = Contender(name, traffic.records, traffic.months, rows, run, yardstick)
    return side


@contextlib.contextmanager
def fresh(where: Servers, months: Sequence[date]) -> Iterator[Database]:
    """A migrated database with empty leaves, after a CHECKPOINT."""
    with Database(where.database_url, "contest") as database:
        for month in months:
            database.run("create_leaf", month=month)
        database.run("checkpoint")
        yield database


def take_turn(side: Contender, where: Servers) -> None:
    """Run one side once and note what it took. Raises where rows are missing."""
    with fresh(where, side.months) as database:
        if side.prepare is not None:
            side.prepare(database)
            database.run("checkpoint")
        backend = database.value("backend_pid")
        before = server_seconds(backend), process_seconds(where.kafka_pid)
        side.seconds.append(side.run(database))
        after = server_seconds(backend), process_seconds(where.kafka_pid)
        kept = side.postgres_cpu_seconds, side.kafka_cpu_seconds
        for values, first, last in zip(kept, before, after, strict=True):
            if first is not None and last is not None:
                values.append(last - first)
        if (rows := database.value("count_events")) != side.rows:
            raise RuntimeError(f"{side.name}: {rows} rows instead of {side.rows}")


def compete(sides: Sequence[Contender], where: Servers, rounds: int) -> None:
    """All sides in turn, so many times (A B A B …)."""
    for number in range(1, rounds + 1):
        for side in sides:
            take_turn(side, where)
        shown = ", ".join(f"{side.name} {side.seconds[-1]:.2f} s" for side in sides)
        report.say(f"{number} of {rounds}: {shown}")


def figures(side: Contender) -> dict[str, Spread]:
    """Everything that is told of a side, by a name that says what it is and its unit."""
    per_event_us = 1e6 / side.events
    runs = side.worker_runs
    found = {
        "seconds": Spread.of(side.seconds),
        "events_per_second": side.rates,
        "ratio_to_yardstick": side.ratios,
    }
    if runs:
        steady_cpu = [run.steady_cpu_seconds for run in runs if run.steady_cpu_seconds is not None]
        found |= {
            "whole_process_seconds": Spread.of(run.wall_seconds for run in runs),
            "whole_process_cpu_seconds": Spread.of(run.cpu_seconds for run in runs),
            "rss_peak_mib": Spread.of(run.rss_peak_bytes / 2**20 for run in runs),
        }
        if steady_cpu:
            found["worker_cpu_us_per_event"] = Spread.of(s * per_event_us for s in steady_cpu)
    for name, seconds in (
        ("postgres_cpu_us_per_event", side.postgres_cpu_seconds),
        ("kafka_cpu_us_per_event", side.kafka_cpu_seconds),
    ):
        if seconds:
            found[name] = Spread.of(value * per_event_us for value in seconds)
    return found


def show(title: str, sides: Sequence[Contender]) -> None:
    """One table of all sides; the JSON has more."""
    columns = ("", "events/s", "ratio", "CPU µs/event", "RSS MiB")
    rows = []
    for side in sides:
        found = figures(side)
        cpu, rss = found.get("worker_cpu_us_per_event"), found.get("rss_peak_mib")
        rows.append(
            (
                side.name,
                side.rates.told(0),
                side.ratios.told(2),
                f"{cpu.median:.2f}" if cpu else "",
                f"{rss.median:.0f}" if rss else "",
            )
        )
    report.table(f"{title}, median (min-max) of {len(sides[0].seconds)}", columns, rows)


def results(sides: Sequence[Contender]) -> dict[str, Any]:
    """The same for the JSON, and every run of a worker."""
    return {
        side.name: {
            "events": side.events,
            "yardstick": side.yardstick.name if side.yardstick else None,
            **{name: spread.as_json() for name, spread in figures(side).items()},
            "runs": [run.as_json() for run in side.worker_runs],
        }
        for side in sides
    }
