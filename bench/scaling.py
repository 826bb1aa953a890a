"""`python -m bench.scaling`: one, two and four workers on one topic of four partitions.

On a machine whose cores broker, database and workers share, the curve bends where the cores are
full: the processor time per event beside it says what a machine of their own would do; see
docs/scaling.md.
"""

import contextlib
from typing import Annotated, Final

import typer

from bench import contest, report
from bench.conditions import conditions
from bench.servers import forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import publish_plain

_WORKERS: Final = (1, 2, 4)
_QUICK: Final = (100_000, 1)


def main(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Events of the topic.")] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each side.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="100,000 events, one run: to try the bench.")
    ] = False,
) -> None:
    """The worker curve: 1, 2, 4."""
    if quick:
        events, repeat = _QUICK
    where = servers()
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        topic = stack.enter_context(topic_of_our_own(where.bootstrap))
        traffic = publish_plain(where.bootstrap, topic, events=events)
        sides = [
            contest.ingester(f"workers: {workers}", where, traffic, group, workers=workers)
            for workers in _WORKERS
        ]
        for side in sides[1:]:
            side.yardstick = sides[0]
        with contest.fresh(where, traffic.months) as database:
            found = conditions(database, where.bootstrap)
        contest.compete(sides, where, repeat)
    contest.show(f"{events:,} events of the required fields", sides)
    report.write("scaling", found, contest.results(sides))


if __name__ == "__main__":
    typer.run(main)
