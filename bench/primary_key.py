"""`python -m bench.primary_key`: what the order of the primary key of campaign_events costs.

The same events, in the same batches, into the real schema with each order of the key in turn: COPY
of each batch sorted as its key is, as the writer does. Told are seconds, WAL and size of the key,
and what a question about one campaign reads: one day, and ninety. Bytes and blocks hardly depend on
the machine; seconds do.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from time import perf_counter
from typing import Annotated, Any, Final

import typer

from bench import report
from bench.conditions import conditions, contents
from bench.database import Database
from bench.key_order import DAYS, KeyOrder, simulated_batches
from bench.report import Spread
from bench.servers import servers
from bench.traffic import UNTIL

_ORDERS: Final = (
    KeyOrder(("occurred_at", "campaign_key", "event_id")),
    KeyOrder(("campaign_key", "occurred_at", "event_id")),
    KeyOrder(("event_id", "occurred_at", "campaign_key")),
)
_QUESTIONS: Final = 100
_QUICK: Final = (100_000, 1)


@dataclass(slots=True)
class Cost:
    """What one order of the key cost, by what was measured."""

    order: KeyOrder
    measured: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, value: float) -> None:
        """Note one measurement."""
        self.measured.setdefault(what, []).append(value)


def main(
    *,
    events: Annotated[int, typer.Option(min=1000, help="Events to load.")] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Loads with each order.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="100,000 events, one load each.")] = False,
) -> None:
    """Load and read the same events with each order of the primary key."""
    if quick:
        events, repeat = _QUICK
    where = servers()
    report.say(f"making {events:,} events")
    batches, campaigns = simulated_batches(events)
    costs = [Cost(order) for order in _ORDERS]
    found: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for number in range(1, repeat + 1):
        for cost in costs:
            with cost.order.database(where.database_url, batches) as database:
                found = found or conditions(database, where.bootstrap)
                _load(database, cost, batches)
                tables[str(cost.order)] = contents(database)
                _ask(database, cost, campaigns)
            report.say(f"{number} of {repeat}: {cost.order}")
    results = {str(cost.order): _spreads(cost) for cost in costs}
    _show(results)
    report.write("primary_key", found, {"tables": tables, "orders": _as_json(results)})


def _load(database: Database, cost: Cost, batches: list[list[bytes]]) -> None:
    seconds = 0.0
    wal_before = database.wal_bytes
    for batch in batches:
        leaf_rows = cost.order.sorted_by_leaf(batch)
        began = perf_counter()
        database.copy(leaf_rows)
        seconds += perf_counter() - began
    cost.add("COPY, seconds", seconds)
    cost.add("WAL, MiB", (database.wal_bytes - wal_before) / 2**20)
    cost.add("primary key, MiB", database.value("primary_key_bytes") / 2**20)


def _ask(database: Database, cost: Cost, campaigns: int) -> None:
    """Ask about some campaigns; the plan tells the time and how many blocks were looked at."""
    database.run("vacuum", {"table": "campaign_events"})
    until = datetime.fromisoformat(UNTIL)
    random = Random(1)  # noqa: S311 - the same questions for every order
    for days in (1, 90):
        for _ in range(_QUESTIONS):
            end = until - timedelta(days=random.randrange(DAYS - days + 1))
            (explained,) = database.value(
                "campaign_days",
                campaign_key=1 + random.randrange(campaigns),
                since=end - timedelta(days=days),
                until=end,
            )
            plan = explained["Plan"]
            cost.add(f"{days} days of a campaign, ms", explained["Execution Time"])
            blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            cost.add(f"{days} days of a campaign, blocks", blocks)


def _spreads(cost: Cost) -> dict[str, Spread]:
    return {what: Spread.of(values) for what, values in cost.measured.items()}


def _show(results: dict[str, dict[str, Spread]]) -> None:
    for order, spreads in results.items():
        report.table(
            f"PRIMARY KEY ({order})",
            ("", "median", "min", "max"),
            ((what, *spread.shown(2)) for what, spread in spreads.items()),
        )


def _as_json(results: dict[str, dict[str, Spread]]) -> dict[str, Any]:
    return {
        order: {what: spread.as_json() for what, spread in spreads.items()}
        for order, spreads in results.items()
    }


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
