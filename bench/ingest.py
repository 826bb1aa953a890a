r"""`python -m bench.ingest`: events of a full topic to committed rows, against `psql \copy`.

One worker, and psql with a text file of the same rows, take turns (A B A B …) on the same server,
each into a fresh migrated database with the same partitioned table, the same indexes and the same
leaves, made beforehand. Twice: with events of the required fields only, and with the realistic mix
of `ingester simulate` (optional fields, several spellings, CloudEvents). A further turn, for
information: the mix with 1 % of the records repeated. After every run the rows are counted, so that
nothing fast and wrong gets a figure.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import psql, report
from bench.conditions import conditions, contents
from bench.cpu import process_seconds, server_seconds
from bench.database import Database
from bench.report import Spread
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import Traffic, publish, publish_plain
from bench.worker import WorkerRun, run_worker

PARTITIONS = 4
REPEATING_SHARE = 0.01
SECONDS_ARE = {
    "worker": "from the log's partitions_started to its last committed, that is, from the start of "
    "consuming to the answer to the last COMMIT (whole process: from its start to its exit)",
    "psql": "the COPY with its COMMIT, as \\timing tells it",
}
_QUICK = (100_000, 3)


@dataclass(slots=True)
class Contender:
    """One side: how it runs, how many events it brings, and what was measured."""

    name: str
    events: int
    run: Callable[[Database], float]
    yardstick: "Contender | None" = None
    seconds: list[float] = field(default_factory=list)
    postgres_cpu_seconds: list[float] = field(default_factory=list)
    kafka_cpu_seconds: list[float] = field(default_factory=list)
    worker_runs: list[WorkerRun] = field(default_factory=list)


def main(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Events of the topic.")] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each side.")] = 5,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="100,000 events, 3 runs: to try the bench, not to quote."),
    ] = False,
) -> None:
    """One worker against psql's text copy of the same rows, side by side."""
    if quick:
        events, repeat = _QUICK
    psql.find_psql()
    where = servers()
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        unique, repeating = (
            _published(stack, where, events, share) for share in (0.0, REPEATING_SHARE)
        )
        file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "events.txt"
        plain = _published_plain(stack, where, events)
        plain_file = file.with_name("plain.txt")
        found, tables = _first_ingest(where, unique, group, file)
        _first_ingest(where, plain, group, plain_file)
        copy = Contender("psql copy text", unique.records, lambda db: psql.load(db.url, file))
        plain_copy = Contender(
            "psql copy text, required fields only",
            plain.records,
            lambda db: psql.load(db.url, plain_file),
        )
        sides = [
            _worker("worker, required fields only", where, plain, group, plain_copy),
            plain_copy,
            _worker("worker, realistic mix", where, unique, group, copy),
            copy,
            _worker("worker, realistic mix, 1 % repeated", where, repeating, group, copy),
        ]
        topics = (plain, plain, unique, unique, repeating)
        for number in range(1, repeat + 1):
            for side, traffic in zip(sides, topics, strict=True):
                _take_turn(side, where, traffic)
            shown = ", ".join(f"{side.name} {side.seconds[-1]:.2f} s" for side in sides)
            report.say(f"{number} of {repeat}: {shown}")
    found["versions"]["psql"] = psql.version()
    _show(sides)
    about = {"tables": tables, "published": unique.published, "seconds_are": SECONDS_ARE}
    report.write("ingest", found, about | _results(sides))


def _published(stack: contextlib.ExitStack, where: Servers, events: int, share: float) -> Traffic:
    name = unique_name("events")
    topic = stack.enter_context(topic_of_our_own(where.bootstrap, name, PARTITIONS))
    report.say(f"publishing {events:,} records, {share:.0%} of them repeated")
    return publish(where.bootstrap, topic, events=events, duplicates=share)


def _published_plain(stack: contextlib.ExitStack, where: Servers, events: int) -> Traffic:
    name = unique_name("plain")
    topic = stack.enter_context(topic_of_our_own(where.bootstrap, name, PARTITIONS))
    report.say(f"publishing {events:,} records with the required fields only")
    return publish_plain(where.bootstrap, topic, events=events)


def _worker(
    name: str, where: Servers, traffic: Traffic, group: str, yardstick: Contender
) -> Contender:
    def run(database: Database) -> float:
        done = run_worker(database.url, where.bootstrap, traffic.topic, group)
        if database.record("ledger_totals") != traffic.expected:
            raise RuntimeError(f"{database.record('ledger_totals')} is not {traffic.expected}")
        side.worker_runs.append(done)
        return done.steady_seconds

    side = Contender(name, traffic.records, run, yardstick)
    return side


def _first_ingest(
    where: Servers, traffic: Traffic, group: str, file: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Warm everything up, dump the rows for psql, and note the conditions; nothing is timed."""
    with _fresh(where, traffic) as database:
        found = conditions(database, where.bootstrap)
        run_worker(database.url, where.bootstrap, traffic.topic, group)
        database.dump(file)
        return found, contents(database)


def _take_turn(side: Contender, where: Servers, traffic: Traffic) -> None:
    with _fresh(where, traffic) as database:
        backend = database.value("backend_pid")
        before = server_seconds(backend), process_seconds(where.kafka_pid)
        side.seconds.append(side.run(database))
        after = server_seconds(backend), process_seconds(where.kafka_pid)
        kept = side.postgres_cpu_seconds, side.kafka_cpu_seconds
        for values, first, last in zip(kept, before, after, strict=True):
            if first is not None and last is not None:
                values.append(last - first)
        rows = database.value("count_events")
        expected = traffic.expected["inserted"]
        if rows != expected:
            raise RuntimeError(f"{side.name}: {rows} rows instead of {expected}")


@contextlib.contextmanager
def _fresh(where: Servers, traffic: Traffic) -> Iterator[Database]:
    with Database(where.database_url, "ingest") as database:
        for month in traffic.months:
            database.run("create_leaf", month=month)
        database.run("checkpoint")
        yield database


def _ratios(side: Contender, yardstick: Contender) -> Spread:
    """Rate of a side over the rate of the yardstick in the same round."""
    return Spread.of(
        (side.events / ours) / (yardstick.events / theirs)
        for ours, theirs in zip(side.seconds, yardstick.seconds, strict=True)
    )


def _figures(side: Contender) -> dict[str, Spread]:
    """Everything that is told of a side, by a name that says what it is and its unit."""
    per_event_us = 1e6 / side.events
    runs = side.worker_runs
    figures = {
        "seconds": Spread.of(side.seconds),
        "events_per_second": Spread.of(side.events / seconds for seconds in side.seconds),
        "ratio_to_psql_copy": _ratios(side, side.yardstick or side),
    }
    if runs:
        steady_cpu = [run.steady_cpu_seconds for run in runs if run.steady_cpu_seconds is not None]
        figures |= {
            "whole_process_seconds": Spread.of(run.wall_seconds for run in runs),
            "whole_process_cpu_seconds": Spread.of(run.cpu_seconds for run in runs),
            "rss_peak_mib": Spread.of(run.rss_peak_bytes / 2**20 for run in runs),
        }
        if steady_cpu:
            figures["worker_cpu_us_per_event"] = Spread.of(s * per_event_us for s in steady_cpu)
    for name, seconds in (
        ("postgres_cpu_us_per_event", side.postgres_cpu_seconds),
        ("kafka_cpu_us_per_event", side.kafka_cpu_seconds),
    ):
        if seconds:
            figures[name] = Spread.of(value * per_event_us for value in seconds)
    return figures


def _show(sides: Sequence[Contender]) -> None:
    for side in sides:
        report.table(
            f"{side.name}: {side.events:,} events, median of {len(side.seconds)}",
            ("", "median", "min", "max"),
            (
                (name.replace("_", " "), *spread.shown(0 if "per_second" in name else 2))
                for name, spread in _figures(side).items()
            ),
        )


def _results(sides: Sequence[Contender]) -> dict[str, Any]:
    return {
        side.name: {
            "events": side.events,
            **{name: spread.as_json() for name, spread in _figures(side).items()},
            "runs": [run.as_json() for run in side.worker_runs],
        }
        for side in sides
    }


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
