"""`python -m bench.peers`: one worker of ours beside other ways from Kafka to PostgreSQL.

All read one topic of required fields, and take turns into fresh databases on one server, with the
server's durability. Each is idempotent in its own way. None of the peers validates as we do, keeps
what it refuses, keeps a ledger, or commits its offsets in the same transaction; see `side` for how
they are measured. `psql copy text` of our rows into our table is the yardstick of all.
"""

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from bench import contest, psql, report
from bench.conditions import conditions
from bench.contest import Contender
from bench.peers import packages
from bench.peers.connect import Connect
from bench.peers.side import Command, peer
from bench.servers import forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import publish_plain
from bench.worker import run_worker

_QUICK: Final = (50_000, 1)
_CANNOT: Final = {
    "all peers": "move the offsets in the transaction of the rows; keep a ledger",
    "naive executemany, FastStream, Quix Streams": "keep a record that they refuse",
    "Quix Streams PostgreSQLSink": "use COPY; validate",
    "Kafka Connect": "look up a campaign's key; leave the first of two repeats (it upserts)",
}


def main(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Events of the topic.")] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each side.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="50,000 events, one run: to try the bench.")
    ] = False,
) -> None:
    """Ours, naive executemany, FastStream, Quix Streams, Kafka Connect with Debezium's sink."""
    if quick:
        events, repeat = _QUICK
    psql.find_psql()
    where = servers()
    python, jars = packages.python(), packages.jars()
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        topic = stack.enter_context(topic_of_our_own(where.bootstrap))
        traffic = publish_plain(where.bootstrap, topic, events=events)
        with contest.fresh(where, traffic.months) as database:
            found = conditions(database, where.bootstrap)
            found["versions"] |= packages.versions() | {"psql": psql.version()}
            run_worker(database.url, where.bootstrap, topic, group)
            database.dump(folder / "events")
        text = Contender(
            "psql copy text",
            events,
            traffic.months,
            events,
            lambda database: psql.load(database.url, folder / "events"),
        )
        commands: dict[str, Command] = {
            "naive executemany": lambda _database, _group: (
                *(sys.executable, "-m", "bench.peers.naive"),
            ),
            "FastStream": lambda _database, _group: (
                *(python, "-m", "bench.peers.with_faststream"),
            ),
            "Quix Streams PostgreSQLSink": lambda _database, _group: (
                *(python, "-m", "bench.peers.with_quix"),
            ),
            **{
                f"Kafka Connect, Debezium {how}, tasks: {tasks}": Connect(
                    jars, folder, where, traffic, tasks, how == "UNNEST"
                )
                for how in ("rewritten batches", "UNNEST")
                for tasks in (1, 2)
            },
        }
        sides = [
            text,
            contest.ingester("ingester, one worker", where, traffic, group, yardstick=text),
            *(peer(name, where, traffic, command, text) for name, command in commands.items()),
        ]
        contest.compete(sides, where, repeat)
    contest.show(f"{events:,} events of the required fields", sides)
    fastest = max(sides[2:], key=lambda side: side.rates.median)
    ratio = sides[1].rates.median / fastest.rates.median
    report.say(f"one worker of ours: {ratio:.1f} times the fastest peer, {fastest.name}")
    for name, what in _CANNOT.items():
        report.say(f"{name} cannot: {what}")
    about = {"fastest_peer": fastest.name, "ratio_to_fastest_peer": ratio, "cannot": _CANNOT}
    report.write("peers", found, contest.results(sides) | about)


if __name__ == "__main__":
    typer.run(main)
