"""`python -m bench.growth`: what a longer history costs, and what more campaigns cost.

Databases with so many events of history, one after the other, with 3,000 campaigns and (but for the
longest history) with 100,000, all of them alive all the time. In each: folding 10,000 new events,
emptying a full topic with one worker, the questions of a dashboard one at a time; memory is the
worker's. Histories are vacuumed and analysed, as they are in life.
"""

import contextlib
import time
from random import Random
from typing import Annotated, Any, Final

import typer

from bench import report
from bench.conditions import conditions, contents
from bench.history import UNTIL, History
from bench.past import Past, past_of
from bench.readers import QUESTIONS, parameters
from bench.report import Spread
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import CAMPAIGNS, publish_plain
from bench.worker import run_worker
from ingester.logs import set_up_logs
from ingester.settings import load_settings

_MANY_CAMPAIGNS: Final = 100_000
_FOLDING: Final = "fold"
_QUICK: Final = ("30000,60000", 30_000, 2)


def main(
    *,
    sizes: Annotated[
        str, typer.Option(help="Events of history, smallest first, with commas between.")
    ] = "300000,3000000,30000000",
    events: Annotated[int, typer.Option(min=1000, help="Events of the topic.")] = 500_000,
    repeat: Annotated[int, typer.Option(min=1, help="Folds, and runs of the worker.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="30,000 and 60,000 events: to try the bench.")
    ] = False,
) -> None:
    """Ingest rate, refresh, dashboard queries and memory with a growing history."""
    if quick:
        sizes, events, repeat = _QUICK
    where = servers()
    set_up_logs(load_settings())
    lengths = [int(size) for size in sizes.split(",")]
    histories = [History(length) for length in lengths]
    histories += [History(length, campaigns=_MANY_CAMPAIGNS) for length in lengths[:-1]]
    found: dict[str, Any] = {}
    results: list[dict[str, Any]] = []
    for history in histories:
        with contextlib.ExitStack() as stack:
            past = past_of(stack, where.database_url, history)
            found = found or conditions(past.database, where.bootstrap)
            results.append(_measure(stack, where, past, events, repeat))
        _show(results)
    report.write("growth", found, {"histories": results})


def _measure(
    stack: contextlib.ExitStack, where: Servers, past: Past, events: int, repeat: int
) -> dict[str, Any]:
    past.switch_autovacuum_on()
    past.round(None, 0.0)
    for _ in range(repeat):
        past.round(_FOLDING, 0.0)
    questions = _ask(past, 4 * repeat)
    group = unique_name("group")
    stack.callback(forget_group, where.bootstrap, group)
    runs = []
    for seed in range(1, repeat + 1):
        with topic_of_our_own(where.bootstrap) as topic:
            alive = past.history.alive(UNTIL.date())
            publish_plain(where.bootstrap, topic, events=events, seed=seed, campaigns=alive)
            past.database.run("checkpoint")
            runs.append(run_worker(past.database.url, where.bootstrap, topic, group))
    spreads = {
        "ingest_events_per_second": Spread.of(events / run.steady_seconds for run in runs),
        "worker_rss_mib": Spread.of(run.rss_peak_bytes / 2**20 for run in runs),
        "fold_ms": Spread.of(past.fold_seconds[_FOLDING]).scaled(1000),
        **questions,
    }
    return {
        "events": past.history.events,
        "campaigns": past.history.campaigns,
        "measured": {name: spread.as_json() for name, spread in spreads.items()},
        "tables": contents(past.database),
    }


def _ask(past: Past, times: int) -> dict[str, Spread]:
    """Milliseconds of each question, after one that is not counted."""
    random = Random(1)  # noqa: S311 - the same questions each time
    found = {}
    with past.database.reader() as ask:
        for name, what in QUESTIONS.items():
            seconds = []
            for _ in range(1 + times):
                asked = parameters(past.history, random)
                began = time.perf_counter()
                ask(name, **asked)
                seconds.append(time.perf_counter() - began)
            found[f"{what}, ms"] = Spread.of(seconds[1:]).scaled(1000)
    return found


def _show(results: list[dict[str, Any]]) -> None:
    columns = [f"{one['events']:,} of {one['campaigns']:,}" for one in results]
    report.table(
        f"medians by events of history and campaigns ({CAMPAIGNS:,} are the legacy system's)",
        ("", *columns),
        (
            (
                name.replace("_", " "),
                *(f"{one['measured'][name]['median']:,.1f}" for one in results),
            )
            for name in results[0]["measured"]
        ),
    )


if __name__ == "__main__":
    typer.run(main)
