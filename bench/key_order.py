"""One order of the primary key of campaign_events: the schema with it, and rows sorted by it."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final

import numpy as np

from bench.database import Database
from bench.traffic import CAMPAIGNS, UNTIL
from ingester.binary_copy import KEY_BYTES, Columns, Rows, encode, months_of
from ingester.decoder import decode
from ingester.outcomes import EPOCH, Window
from ingester.settings import load_settings
from ingester.simulation.plan import Plan
from ingester.simulation.stream import records

DAYS: Final = 100
"""Of history, so that ninety days of a campaign can be asked for."""

# The fields of the key within an encoded row: see ingester.binary_copy.
_FIELDS: Final = {
    "occurred_at": slice(6, 14),
    "campaign_key": slice(18, 22),
    "event_id": slice(26, KEY_BYTES),
}


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """The three columns, first to last."""

    columns: tuple[str, str, str]

    def __str__(self) -> str:
        return ", ".join(self.columns)

    def sorted_by_leaf(self, batch: Sequence[bytes]) -> list[tuple[str, list[bytes]]]:
        """A batch sorted by time, as the leaves it goes to, each sorted as its index is."""
        key = itemgetter(*(_FIELDS[column] for column in self.columns))
        return [
            (f"campaign_events_{month:%Y_%m}", sorted(rows, key=key))
            for month, rows in months_of(Rows.of(batch))
        ]

    @contextlib.contextmanager
    def database(self, server_url: str, batches: Sequence[Sequence[bytes]]) -> Iterator[Database]:
        """The real schema but for this key, with the leaves that the batches need."""
        with Database(server_url, "primary_key") as database:
            database.run("drop_primary_key")
            first, second, third = self.columns
            database.run("add_primary_key", {"first": first, "second": second, "third": third})
            for month in sorted(
                {month for batch in batches for month, _ in months_of(Rows.of(batch))}
            ):
                database.run("create_leaf", month=month)
            database.run("checkpoint")
            yield database


def simulated_batches(events: int) -> tuple[list[list[bytes]], int]:
    """Simulated events in batches as the writer makes them, encoded and sorted by time.

    Returns the batches, and how many campaigns they name: keys 1 to that number, given in the order
    in which the campaigns appear.
    """
    until = datetime.fromisoformat(UNTIL)
    plan = Plan(events, 0.0, 0.0, CAMPAIGNS, DAYS, int(until.timestamp()) * 1_000_000, seed=1)
    window = Window.around(until, timedelta(days=DAYS + 1), timedelta(days=1), EPOCH)
    rows_max = load_settings().ingester_batch_rows_max
    keys: dict[str, int] = {}
    batches: list[list[bytes]] = []
    stream = records(plan)
    while taken := list(itertools.islice(stream, rows_max)):
        headers = [record.headers for record in taken]
        outcomes = decode([record.value for record in taken], headers.__getitem__, window)
        parts = []
        for part in outcomes.parts:
            found = [keys.setdefault(each, len(keys) + 1) for each in part.campaign_ids]
            parts.append((part, np.array(found, np.int32), len(batches) + 1))
        batches.append(sorted(encode(Columns.of(parts), np.arange(len(taken)))))
    return batches, len(keys)
