"""`python -m bench.reading`: dashboards while everything is ingested at full rate, and the reverse.

1, 8 and 32 readers, each asking again 0.05 s after an answer (`readers`): while nothing is
ingested, then while one worker empties a full topic and a refresher folds. Told are p50 and p99 of
each question on both, and the worker's rate with so many readers against its rate with none.
"""

import contextlib
import time
from typing import Annotated, Any, Final

import typer

from bench import live, report
from bench.conditions import conditions, contents
from bench.history import UNTIL, History
from bench.past import Past, past_of
from bench.readers import QUESTIONS, Times, reading
from bench.report import Spread
from bench.servers import Servers, forget_group, servers, topic_of_our_own, unique_name
from bench.traffic import publish_plain
from bench.worker import run_worker

_READERS: Final = (1, 8, 32)
_LIFETIME_MONTHS: Final = 4
"""As in the legacy system, where a campaign has values on some sixty days."""
_QUICK: Final = (100_000, 100_000, 2.0)


def main(
    *,
    history: Annotated[int, typer.Option(min=1000, help="Events of history.")] = 1_000_000,
    events: Annotated[int, typer.Option(min=1000, help="Events of each topic.")] = 1_500_000,
    seconds: Annotated[float, typer.Option(min=1, help="Reading without ingestion.")] = 8.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="100,000 events, 2 seconds: to try the bench.")
    ] = False,
) -> None:
    """Readers and a worker at full rate: what each costs the other."""
    if quick:
        history, events, seconds = _QUICK
    where = servers()
    group = unique_name("group")
    with contextlib.ExitStack() as stack:
        stack.callback(forget_group, where.bootstrap, group)
        past = past_of(
            stack, where.database_url, History(history, lifetime_months=_LIFETIME_MONTHS)
        )
        found = conditions(past.database, where.bootstrap)
        past.switch_autovacuum_on()
        variables = live.environment(where, past.database.url, "none", group)
        stack.enter_context(live.running("ingester", "refresh", variables=variables))
        alone: dict[int, Times] = {}
        beside: dict[int, Times] = {}
        rates: dict[int, Spread] = {}
        # Without readers at both ends: the tables grow meanwhile.
        undisturbed, _ = _ingest(where, past, group, events, 0)
        for readers in _READERS:
            with reading(past.database, past.history, readers) as alone[readers]:
                time.sleep(seconds)
            rate, beside[readers] = _ingest(where, past, group, events, readers)
            rates[readers] = Spread.of([rate])
            report.say(f"{readers} readers: {rate:,.0f} events a second")
        rates[0] = Spread.of([undisturbed, _ingest(where, past, group, events, 0)[0]])
        tables = contents(past.database)
    results = {
        "ingest": {
            str(readers): {
                "events_per_second": rate.median,
                "ratio_to_no_readers": rate.median / rates[0].median,
                "values": rate.values,
            }
            for readers, rate in sorted(rates.items())
        },
        "reading_alone_ms": {str(readers): _told(times) for readers, times in alone.items()},
        "reading_while_ingesting_ms": {str(n): _told(beside[n]) for n in _READERS},
    }
    _show(results)
    report.write("reading", found, {"tables": tables} | results)


def _ingest(
    where: Servers, past: Past, group: str, events: int, readers: int
) -> tuple[float, Times]:
    """Empty a topic of new events beside so many readers; its rate, and what they took."""
    seed = past.database.value("count_topics")  # other events each time
    with topic_of_our_own(where.bootstrap) as topic:
        alive = past.history.alive(UNTIL.date())
        traffic = publish_plain(where.bootstrap, topic, events=events, seed=seed, campaigns=alive)
        past.database.run("checkpoint")
        with reading(past.database, past.history, readers) as times:
            done = run_worker(past.database.url, where.bootstrap, topic, group)
    return traffic.records / done.steady_seconds, times


def _told(times: Times) -> dict[str, dict[str, float]]:
    return {
        what: times[name].scaled(1000).latencies()
        for name, what in QUESTIONS.items()
        if name in times
    }


def _show(results: dict[str, Any]) -> None:
    rows = []
    for readers in map(str, _READERS):
        for what in QUESTIONS.values():
            alone = results["reading_alone_ms"][readers].get(what)
            beside = results["reading_while_ingesting_ms"][readers].get(what)
            cells = [
                f"{side[share]:.1f}" if side else ""
                for side in (alone, beside)
                for share in ("p50", "p99")
            ]
            rows.append((f"{readers}: {what}", *cells))
    columns = ("readers: ms", "p50 alone", "p99 alone", "p50 ingesting", "p99 ingesting")
    report.table("what readers wait for", columns, rows)
    report.table(
        "what readers cost the worker",
        ("readers", "events/s", "ratio"),
        (
            (readers, f"{side['events_per_second']:,.0f}", f"{side['ratio_to_no_readers']:.2f}")
            for readers, side in results["ingest"].items()
        ),
    )


if __name__ == "__main__":
    typer.run(main)
