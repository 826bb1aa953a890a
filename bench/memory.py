"""`python -m bench.memory`: peak memory of one worker, from a backlog of five million events.

And with metadata of 1 KB and of nearly 16 KB in each event, and with 100,000 campaigns. Peak is
ru_maxrss of the whole process, with everything that Python and its libraries need themselves.
"""

import contextlib
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from bench import contest, report
from bench.conditions import conditions
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import CAMPAIGNS, publish_plain

_QUICK: Final = 50


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the topic."""

    name: str
    events: int
    campaigns: int = CAMPAIGNS
    metadata_bytes: int = 0


_BACKLOGS: Final = (
    Backlog("required fields only", 5_000_000),
    Backlog("100,000 campaigns", 1_000_000, campaigns=100_000),
    Backlog("1 KB of metadata", 500_000, metadata_bytes=1_000),
    Backlog("16 KB of metadata", 50_000, metadata_bytes=16_000),
)


def main(
    *,
    repeat: Annotated[int, typer.Option(min=1, help="Runs with each backlog.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="A fiftieth of the events, once: to try the bench.")
    ] = False,
) -> None:
    """Peak memory of one worker with each kind of backlog."""
    share, repeat = (_QUICK, 1) if quick else (1, repeat)
    where = servers()
    with contest.fresh(where, ()) as database:
        found = conditions(database, where.bootstrap)
    results: dict[str, Any] = {}
    for backlog in _BACKLOGS:
        results[backlog.name] = _measure(where, backlog, backlog.events // share, repeat)
    report.table(
        f"peak of {repeat}",
        ("backlog", "events", "peak RSS, MiB", "events/s"),
        (
            (
                name,
                f"{one['events']:,}",
                f"{one['rss_peak_mib']:.0f}",
                f"{one['events_per_second']:,.0f}",
            )
            for name, one in results.items()
        ),
    )
    report.write("memory", found, results)


def _measure(where: Servers, backlog: Backlog, events: int, repeat: int) -> dict[str, Any]:
    report.say(f"publishing {events:,} events, {backlog.name}")
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        topic = stack.enter_context(topic_of_our_own(where.bootstrap))
        traffic = publish_plain(
            where.bootstrap,
            topic,
            events=events,
            campaigns=range(1, backlog.campaigns + 1),
            metadata_bytes=backlog.metadata_bytes,
        )
        side = contest.ingester(backlog.name, where, traffic, group)
        for _ in range(repeat):
            contest.take_turn(side, where)
    return {
        "events": events,
        "rss_peak_mib": max(run.rss_peak_bytes for run in side.worker_runs) / 2**20,
        "events_per_second": side.rates.median,
        "runs": [run.as_json() for run in side.worker_runs],
    }


if __name__ == "__main__":
    typer.run(main)
