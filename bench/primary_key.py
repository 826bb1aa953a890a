"""`python -m bench.primary_key`: what the order of the primary key of campaign_events costs.

The same events, in the same batches, into the real schema with each order of the key in turn: COPY
of each batch sorted as its key is, as the writer does. Told are seconds, WAL and size of the key,
and what a question about one campaign reads: one day, and ninety. Bytes and blocks hardly depend on
the machine; seconds do.
"""

import contextlib
import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from time import perf_counter
from typing import Annotated, Any, Final

import typer

from bench import report
from bench.conditions import conditions, contents
from bench.database import Database
from bench.report import Spread
from bench.servers import servers
from bench.traffic import CAMPAIGNS, UNTIL
from ingester.binary_copy import encode, months_of
from ingester.decoder import EPOCH, Event, Window, decode
from ingester.settings import load_settings
from ingester.simulation.plan import Plan
from ingester.simulation.stream import records

DAYS: Final = 100
"""Of history, so that ninety days of a campaign can be asked for."""
_QUESTIONS: Final = 100
_QUICK: Final = (100_000, 1)

Batch = list[tuple[str, list[bytes]]]
"""A transaction: for each leaf its encoded rows, in the order of the primary key."""


@dataclass(slots=True)
class Order:
    """One order of the key, and what was measured; `key` cuts it out of an encoded row."""

    columns: tuple[str, str, str]
    key: Callable[[bytes], bytes]
    copy_seconds: list[float] = field(default_factory=list)
    wal_bytes: list[float] = field(default_factory=list)
    key_bytes: list[float] = field(default_factory=list)
    answers: dict[str, dict[str, list[float]]] = field(default_factory=dict)


# The fields of the key within an encoded row: see ingester.binary_copy.
_TIME, _CAMPAIGN, _ID = slice(6, 14), slice(18, 22), slice(26, 42)


def _orders() -> list[Order]:
    return [
        Order(("occurred_at", "campaign_key", "event_id"), lambda row: row[:42]),
        Order(
            ("campaign_key", "occurred_at", "event_id"),
            lambda row: row[_CAMPAIGN] + row[_TIME] + row[_ID],
        ),
        Order(
            ("event_id", "occurred_at", "campaign_key"),
            lambda row: row[_ID] + row[_TIME] + row[_CAMPAIGN],
        ),
    ]


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
    batches = _batches(events)
    orders = _orders()
    found: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for number, order in itertools.product(range(1, repeat + 1), orders):
        with _database(where.database_url, order, batches) as database:
            found = found or conditions(database, where.bootstrap)
            _load(database, order, batches)
            _ask(database, order)
            tables[", ".join(order.columns)] = contents(database)
        report.say(f"{number} of {repeat}: {', '.join(order.columns)}")
    _show(orders)
    results = {", ".join(order.columns): _figures(order) for order in orders}
    report.write("primary_key", found, {"tables": tables, "orders": _as_json(results)})


def _batches(events: int) -> list[list[bytes]]:
    """Simulated events as the writer encodes them, in batches of its size, sorted by time."""
    until = datetime.fromisoformat(UNTIL)
    unix_us = int(until.timestamp()) * 1_000_000
    plan = Plan(events, 0.0, 0.0, CAMPAIGNS, DAYS, unix_us, seed=1)
    window = Window.around(until, timedelta(days=DAYS + 1), timedelta(days=1), EPOCH)
    stream, keys, batches = records(plan), dict[str, int](), list[list[bytes]]()
    while values := [r.value for r in itertools.islice(stream, load_settings().ingester_batch_rows_max)]:
        # The few CloudEvents need their headers, which are not asked for here: left out.
        outcomes = [o for o in decode(values, lambda _: (), window) if type(o) is tuple]
        for campaign_id in sorted({event[0] for event in outcomes} - keys.keys()):
            keys[campaign_id] = len(keys) + 1
        batches.append(sorted(encode(outcomes, keys, batch_id=len(batches) + 1)))
    return batches


@contextlib.contextmanager
def _database(server_url: str, order: Order, batches: Sequence[list[bytes]]) -> Iterator[Database]:
    with Database(server_url, "primary_key") as database:
        database.run("drop_primary_key")
        first, second, third = order.columns
        database.run("add_primary_key", {"first": first, "second": second, "third": third})
        for month in sorted({month for batch in batches for month, _ in months_of(batch)}):
            database.run("create_leaf", month=month)
        database.run("checkpoint")
        yield database


def _sorted(batch: list[bytes], order: Order) -> Batch:
    return [
        (f"campaign_events_{month:%Y_%m}", sorted(rows, key=order.key))
        for month, rows in months_of(batch)
    ]


def _load(database: Database, order: Order, batches: Sequence[list[bytes]]) -> None:
    seconds = 0.0
    wal_before = database.value("wal_position")
    for batch in batches:
        ready = _sorted(batch, order)
        began = perf_counter()
        database.copy(ready)
        seconds += perf_counter() - began
    order.copy_seconds.append(seconds)
    order.wal_bytes.append(database.value("wal_position") - wal_before)
    order.key_bytes.append(database.value("primary_key_bytes"))


def _ask(database: Database, order: Order) -> None:
    """Ask about some campaigns; the plan tells the time and how many blocks were looked at."""
    database.run("vacuum", {"table": "campaign_events"})
    until = datetime.fromisoformat(UNTIL)
    random = Random(1)  # noqa: S311 - the same questions for every order
    for days in (1, 90):
        kept = order.answers.setdefault(f"{days} days", {"ms": [], "blocks": []})
        for _ in range(_QUESTIONS):
            end = until - timedelta(days=random.randrange(DAYS - days + 1))
            ((((plan,),),)) = database.rows(
                "campaign_days",
                campaign_key=1 + random.randrange(CAMPAIGNS),
                since=end - timedelta(days=days),
                until=end,
            )
            kept["ms"].append(plan[0]["Execution Time"])
            kept["blocks"].append(
                plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
            )
