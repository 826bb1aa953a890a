"""`python -m bench.refresh`: folding 10,000 new events costs the same, however long the history.

Two databases, one with little and one with much history, take turns: new events are written through
the real write path, then folded as `ingester refresh` folds them, then the new block ranges of the
BRIN are summarised, which the refresher does after each fold; both are timed. Four circumstances:
autovacuum on (the history vacuumed and analysed, as autovacuum has done in life) and off (nothing
was ever vacuumed or analysed); all events of the current month, and some late ones of old months.
"""

import contextlib
from typing import Annotated, Any

import typer

from bench import report
from bench.arrivals import EVENTS, LATE_SHARE
from bench.conditions import conditions, contents
from bench.history import History
from bench.past import Past, past_of
from bench.report import Spread
from bench.servers import servers
from ingester.logs import set_up_logs
from ingester.settings import load_settings

_QUICK = (100_000, 1_000_000, 3)
_CIRCUMSTANCES = {  # autovacuum, share of late events
    "autovacuum off": (False, 0.0),
    "autovacuum off, some late": (False, LATE_SHARE),
    "autovacuum on": (True, 0.0),
    "autovacuum on, some late": (True, LATE_SHARE),
}


def main(
    *,
    little: Annotated[int, typer.Option(min=1000, help="Events of the short history.")] = 300_000,
    much: Annotated[int, typer.Option(min=1000, help="Events of the long history.")] = 3_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Folds in each circumstance.")] = 9,
    quick: Annotated[
        bool, typer.Option("--quick", help="100,000 and 1,000,000, 3 folds: to try the bench.")
    ] = False,
) -> None:
    """Fold 10,000 new events with little and with much history, autovacuum on and off."""
    if quick:
        little, much, repeat = _QUICK
    where = servers()
    set_up_logs(load_settings())
    with contextlib.ExitStack() as stack:
        pasts = [past_of(stack, where.database_url, History(events)) for events in (little, much)]
        found = conditions(pasts[0].database, where.bootstrap)
        vacuumed = False
        for circumstance, (autovacuum, late_share) in _CIRCUMSTANCES.items():
            if autovacuum and not vacuumed:
                vacuumed = True
                for past in pasts:
                    past.switch_autovacuum_on()
            _measure(pasts, circumstance, late_share, repeat)
        for past in pasts:
            if past.database.value("folded_difference") != 0:
                raise RuntimeError("the roll-ups are not the sum of the events")
        _show(pasts)
        tables = {f"{past.history.events} events": contents(past.database) for past in pasts}
        report.write("refresh", found, {"tables": tables, "circumstances": _results(pasts)})


def _measure(pasts: list[Past], circumstance: str, late_share: float, repeat: int) -> None:
    for past in pasts:
        past.database.run("checkpoint")
        past.round(None, late_share)
    for _ in range(repeat):
        for past in pasts:
            past.round(circumstance, late_share)
    report.say(f"{circumstance}: measured")


def _results(pasts: list[Past]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for circumstance in _CIRCUMSTANCES:
        little, much = (Spread.of(past.fold_seconds[circumstance]) for past in pasts)
        results[circumstance] = {
            "ratio": round(much.median / little.median, 4),
            **{
                f"{past.history.events} events": {
                    "fold_seconds": Spread.of(past.fold_seconds[circumstance]).as_json(),
                    "summarize_seconds": Spread.of(past.summarize_seconds[circumstance]).as_json(),
                }
                for past in pasts
            },
        }
    return results


def _show(pasts: list[Past]) -> None:
    for circumstance in _CIRCUMSTANCES:
        rows = []
        for past in pasts:
            size = f"{past.history.events:,} events of history"
            for what, seconds in (
                ("fold", past.fold_seconds[circumstance]),
                ("summarise", past.summarize_seconds[circumstance]),
            ):
                spread = Spread.of(1000 * value for value in seconds)
                rows.append((f"{what}, {size}", *spread.shown(1)))
        little, much = (Spread.of(past.fold_seconds[circumstance]).median for past in pasts)
        rows.append(("fold, ratio of the medians", f"{much / little:.2f}", "", ""))
        title = f"{circumstance}: ms for {EVENTS:,} events"
        report.table(title, ("", "median", "min", "max"), rows)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
