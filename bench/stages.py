"""`python -m bench.stages`: where the processor's time goes, by stage, and the floors beside it.

The write path of a worker in one process and one thread, one stage after the other, in batches of
10,000 records of each of four partitions: processor time of the process and of the server's
processes, per event. Nothing overlaps here, so the sum is what an event costs, and not how fast a
worker is. Floors: the client reading the same topic and nothing else; orjson parsing the same
values; psql copying the same rows, with the indexes, and into a table without any.
"""

import contextlib
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bench import contest, psql, report
from bench.conditions import conditions
from bench.cpu import server_seconds
from bench.database import Database
from bench.report import Spread
from bench.servers import PARTITIONS, Servers, servers, topic_of_our_own
from bench.traffic import Traffic, publish, publish_plain
from bench.writing import Clock, Writing, fetch, parse
from ingester.binary_copy import COLUMNS
from ingester.logs import set_up_logs
from ingester.settings import load_settings
from ingester.stage import listen

_STAGES: Final = (
    *("fetch", "decode and validate", "key lookup", "encode"),
    *("prepare", "lock", "copy", "staging", "ledger", "commit"),
)
_FLOORS: Final = {
    "floor: psql copy text": ("text", "campaign_events"),
    "floor: psql copy binary": ("binary", "campaign_events"),
    "floor: psql copy binary, no index": ("binary", "bare_events"),
}
_WARM_UP_BATCHES: Final = 2
_QUICK: Final = (200_000, 1)

Costs = dict[str, list[tuple[float, float]]]
"""By stage or floor: µs per event of our process and of the server, one pair a round."""


def main(
    *,
    events: Annotated[int, typer.Option(min=200_000, help="Events of each topic.")] = 400_000,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="200,000 events, one round: to try the bench.")
    ] = False,
) -> None:
    """Processor time per event by stage, and the floors."""
    if quick:
        events, repeat = _QUICK
    psql.find_psql()
    where = servers()
    with contest.fresh(where, ()) as database:
        found = conditions(database, where.bootstrap)
    set_up_logs(load_settings())
    clock = Clock()
    listen(clock.follow)
    results: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        topics = [stack.enter_context(topic_of_our_own(where.bootstrap)) for _ in range(2)]
        traffics = {
            "required fields only": publish_plain(where.bootstrap, topics[0], events=events),
            "realistic mix": publish(where.bootstrap, topics[1], events=events, duplicates=0.0),
        }
        for name, traffic in traffics.items():
            costs: Costs = {}
            for number in range(1, repeat + 1):
                _round(where, traffic, folder, clock, costs)
                report.say(f"{name}: {number} of {repeat}")
            results[name] = _show(name, costs)
    report.write("stages", found, results)


def _round(where: Servers, traffic: Traffic, folder: Path, clock: Clock, costs: Costs) -> None:
    with contest.fresh(where, traffic.months) as database:
        settings = load_settings(
            database_url=database.url,
            kafka_bootstrap_servers=where.bootstrap,
            kafka_topic=traffic.topic,
        )
        clock.backend_pid = database.value("backend_pid")
        batches = fetch(settings, clock, PARTITIONS)
        parse(batches, clock)
        _add(costs, clock, traffic.records)
        writing = Writing(settings, clock)
        _add(costs, clock, writing.write(batches, _WARM_UP_BATCHES))
        writing.close()
        if database.record("ledger_totals") != traffic.expected:
            raise RuntimeError(f"{database.record('ledger_totals')} is not {traffic.expected}")
        for form in ("text", "binary"):
            database.dump(folder / form, form)
    for name, (form, table) in _FLOORS.items():
        with contest.fresh(where, traffic.months) as database:
            database.run("bare_table")
            spent = _server_cost(database, folder / form, form, table)
            costs.setdefault(name, []).append((0.0, 1e6 * spent / traffic.records))


def _server_cost(database: Database, file: Path, form: str, table: str) -> float:
    backend = database.value("backend_pid")
    before = server_seconds(backend) or 0.0
    psql.load(database.url, file, form, f"{table} ({', '.join(COLUMNS)})")
    return (server_seconds(backend) or 0.0) - before


def _add(costs: Costs, clock: Clock, events: int) -> None:
    """Take what the clock has, per event, and empty it."""
    for stage in clock.own:
        pair = 1e6 * clock.own[stage] / events, 1e6 * clock.server[stage] / events
        costs.setdefault(stage, []).append(pair)
    clock.own.clear()
    clock.server.clear()


def _show(name: str, costs: Costs) -> dict[str, Any]:
    told = [stage for stage in costs if stage in _STAGES or stage.startswith("floor")]
    told.sort(key=lambda stage: _STAGES.index(stage) if stage in _STAGES else len(_STAGES))
    spreads = {
        stage: tuple(Spread.of(side) for side in zip(*costs[stage], strict=True)) for stage in told
    }
    rows = [
        (stage, *(f"{spread.median:.2f}" for spread in sides)) for stage, sides in spreads.items()
    ]
    sums = [sum(spreads[s][side].median for s in told if s in _STAGES) for side in (0, 1)]
    rows.insert(sum(s in _STAGES for s in told), ("all stages", *(f"{each:.2f}" for each in sums)))
    columns = ("processor time per event, µs", "ingester", "PostgreSQL")
    report.table(f"{name}: medians of {len(costs['fetch'])}", columns, rows)
    return {
        stage: {"ingester_us": own.as_json(), "postgresql_us": server.as_json()}
        for stage, (own, server) in spreads.items()
    } | {"sum": {"ingester_us": sums[0], "postgresql_us": sums[1]}}


if __name__ == "__main__":
    typer.run(main)
