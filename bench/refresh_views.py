"""`python -m bench.refresh_views`: folding new events against REFRESH of materialised views.

A database with as many events as the legacy system's values make, and another where every campaign
is always alive, which is hard on the fold. Each round 10,000 new events come through the real write
path and are folded; then three materialised views of the same statistics (by day, week, month) are
refreshed CONCURRENTLY, so that readers are not blocked either. Both must say the same in the end.
"""

import contextlib
import time
from typing import Annotated, Any, Final

import typer

from bench import report
from bench.arrivals import EVENTS
from bench.conditions import conditions, contents
from bench.history import MONTHS, History
from bench.past import past_of
from bench.report import Spread
from bench.servers import Servers, servers
from bench.straight import VIEWS
from ingester.logs import set_up_logs
from ingester.settings import load_settings

_QUICK: Final = (50_000, 2)
_FOLDING: Final = "fold"
_POPULATIONS: Final = {
    "campaigns live for four months, as in the legacy system": 4,
    "all campaigns live all the time": MONTHS,
}
_TOLD: Final = ("median", "min", "max")


def main(
    *,
    events: Annotated[
        int, typer.Option(min=1000, help="History; the legacy table makes 308,716 events.")
    ] = 308_716,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds.")] = 7,
    quick: Annotated[
        bool, typer.Option("--quick", help="50,000 events, 2 rounds: to try the bench.")
    ] = False,
) -> None:
    """Fold 10,000 new events; then REFRESH MATERIALIZED VIEW CONCURRENTLY, three times."""
    if quick:
        events, repeat = _QUICK
    where = servers()
    set_up_logs(load_settings())
    populations: dict[str, Any] = {}
    for population, lifetime_months in _POPULATIONS.items():
        report.say(population)
        found, populations[population] = _measure(
            where, History(events, lifetime_months=lifetime_months), repeat
        )
    report.table(
        f"{EVENTS:,} new events, {events:,} events of history: seconds, and how many times",
        ("", "", "median", "min", "max"),
        (
            (population, name.replace("_", " "), *(f"{side[name][each]:.3f}" for each in _TOLD))
            for population, side in populations.items()
            for name in ("fold_seconds", "refresh_concurrently_seconds", "ratio")
        ),
    )
    report.write("refresh_views", found, {"events": events, "populations": populations})


def _measure(
    where: Servers, history: History, repeat: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    with contextlib.ExitStack() as stack:
        past = past_of(stack, where.database_url, history)
        found = conditions(past.database, where.bootstrap)
        past.switch_autovacuum_on()
        past.database.run("migration_views")
        for view in VIEWS:
            past.database.run("straight_refresh", {"view": view})
        past.database.run("refresh_views_indexes")
        past.round(None, 0.0)
        refreshing: list[float] = []
        for number in range(1, repeat + 1):
            past.round(_FOLDING, 0.0)
            began = time.perf_counter()
            for view in VIEWS:
                past.database.run("refresh_view_concurrently", {"view": view})
            refreshing.append(time.perf_counter() - began)
            report.say(f"{number} of {repeat}: REFRESH {refreshing[-1]:.2f} s")
        if past.database.value("refresh_views_difference") != 0:
            raise RuntimeError("views and roll-ups differ")
        tables = contents(past.database)
    folding = past.fold_seconds[_FOLDING]
    spreads = {
        "fold_seconds": Spread.of(folding),
        "refresh_concurrently_seconds": Spread.of(refreshing),
        "ratio": Spread.of(theirs / ours for theirs, ours in zip(refreshing, folding, strict=True)),
    }
    return found, {
        "tables": tables,
        **{name: spread.as_json() for name, spread in spreads.items()},
    }


if __name__ == "__main__":
    typer.run(main)
