"""`python -m bench.duplicates`: what it costs when records are repeated.

The realistic mix with no repeats, then with 1, 10 and 50 % of them; the rate counts records. With
100 % everything is published a second time, to a database that holds it already: each record is
looked for in the table and found.
"""

import contextlib
from typing import Annotated, Final

import typer

from bench import contest, report
from bench.conditions import conditions
from bench.contest import Contender
from bench.database import Database
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import Traffic, publish
from bench.worker import run_worker

_SHARES: Final = (0.0, 0.01, 0.1, 0.5)
_QUICK: Final = (50_000, 1)


def main(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Records of each topic.")] = 300_000,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each side.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="50,000 records, one run: to try the bench.")
    ] = False,
) -> None:
    """One worker with 0, 1, 10, 50 and 100 % of the records repeated."""
    if quick:
        events, repeat = _QUICK
    where = servers()
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        sides: list[Contender] = []
        topics: list[Traffic] = []
        for share in (*_SHARES, 0.0):
            topic = stack.enter_context(topic_of_our_own(where.bootstrap))
            report.say(f"publishing {events:,} records, {share:.0%} of them repeated")
            topics.append(publish(where.bootstrap, topic, events=events, duplicates=share))
        for share, traffic in zip(_SHARES, topics, strict=False):
            side = contest.ingester(f"{share:.0%} repeated", where, traffic, group)
            side.yardstick = sides[0] if sides else None
            sides.append(side)
        sides.append(_everything_again(where, topics[0], topics[-1], group, sides[0]))
        with contest.fresh(where, topics[0].months) as database:
            found = conditions(database, where.bootstrap)
        contest.compete(sides, where, repeat)
    contest.show(f"{events:,} records", sides)
    report.write("duplicates", found, contest.results(sides))


def _everything_again(
    where: Servers, first: Traffic, again: Traffic, group: str, yardstick: Contender
) -> Contender:
    """A topic with the bytes of another one, which has been ingested before."""

    def run(database: Database) -> float:
        done = run_worker(database.url, where.bootstrap, again.topic, group)
        side.worker_runs.append(done)
        return done.steady_seconds

    def prepare(database: Database) -> None:
        run_worker(database.url, where.bootstrap, first.topic, group)

    rows = first.expected["inserted"]
    side = Contender("100% repeated", again.records, first.months, rows, run, yardstick, prepare)
    return side


if __name__ == "__main__":
    typer.run(main)
