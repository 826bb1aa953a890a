"""Slices as rows: what the decoding thread can prepare while the writing thread is still copying.

Pure. Knows batches and binary COPY; not where keys and ids come from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from ingester import binary_copy
from ingester.batch import Slice
from ingester.errors import IngesterError
from ingester.outcomes import Events
from ingester.recent import Hashes, Recent, hashes

_NO_KEY: Final = -1


@dataclass(slots=True)
class Tally:
    """Counts of one slice while it is written: inserted + duplicates + rejected = records."""

    batch_id: int
    inserted: int = 0
    duplicates: int = 0
    conflicting: int = 0

    def repeat(self, count: int) -> None:
        """Count rows as repeats that were taken for new until now."""
        self.inserted -= count
        self.duplicates += count


@dataclass(slots=True)
class MonthRows:
    """The rows of one month in the order of their primary key, ready for COPY.

    `suspects` were met lately and may be in the table already; `rows` hardly. `repeats` repeat one
    of them; each with whether it tells another story than the first.
    """

    rows: list[bytes] = field(default_factory=list)
    suspects: list[bytes] = field(default_factory=list)
    repeats: list[tuple[bytes, bool]] = field(default_factory=list)

    def __add__(self, other: "MonthRows") -> "MonthRows":
        """Both; the other one's rows are of other campaigns."""
        return MonthRows(
            sorted(self.rows + other.rows),
            sorted(self.suspects + other.suspects),
            self.repeats + other.repeats,
        )


@dataclass(frozen=True, slots=True)
class Encoded:
    """Slices as rows by month, and what was counted on the way.

    `counts` has batch_id, rows and rows that repeat another one per slice. `unknown` has, by
    batch_id, the events whose campaign had no key yet: no row of theirs is there. `generation`
    tells whether keys and ids are still those of the server that is written to. `hashes` are those
    of all identities, to be remembered when they are written; `newest` has per slice the time after
    which no event of its partition had been written.
    """

    generation: int
    counts: dict[int, tuple[int, int]]
    months: dict[date, MonthRows]
    unknown: dict[int, list[Events]]
    hashes: Hashes
    newest: Mapping[int, int]

    def tallies(self) -> dict[int, Tally]:
        """Fresh tallies: all rows count as new until the table knows better."""
        return {
            batch_id: Tally(batch_id, inserted=rows - repeats, duplicates=repeats)
            for batch_id, (rows, repeats) in self.counts.items()
        }

    def unknown_campaigns(self) -> set[str]:
        """The campaigns that need a key before the rest can be encoded."""
        return {
            campaign_id
            for parts in self.unknown.values()
            for part in parts
            for campaign_id in part.campaign_ids
        }

    def completed(self, keys: Mapping[str, int], recent: Recent) -> "Encoded":
        """With the rows of the unknown events; `keys` has all their campaigns.

        They cannot repeat what is encoded already, which is of other campaigns.
        """
        rest = _encode(self.unknown, keys, recent, self.newest, self.generation)
        if rest.unknown:
            raise IngesterError(f"no keys for {len(rest.unknown_campaigns())} campaigns looked up")
        months = dict(self.months)
        for month, more in rest.months.items():
            months[month] = months[month] + more if month in months else more
        counts = dict(self.counts)
        for batch_id, (rows, repeats) in rest.counts.items():
            counts[batch_id] = counts[batch_id][0] + rows, counts[batch_id][1] + repeats
        all_hashes = np.concatenate((self.hashes, rest.hashes))
        in_order = dict(sorted(months.items()))
        return Encoded(self.generation, counts, in_order, {}, all_hashes, self.newest)


def encode_slices(
    slices: Sequence[Slice],
    keys: Mapping[str, int],
    recent: Recent,
    batch_ids: Sequence[int],
    generation: int,
) -> Encoded:
    """Encode the events of some slices, each slice under its batch id."""
    events = {
        batch_id: part.outcomes.parts for part, batch_id in zip(slices, batch_ids, strict=True)
    }
    newest = {
        batch_id: recent.newest(part.partition)
        for part, batch_id in zip(slices, batch_ids, strict=True)
    }
    return _encode(events, keys, recent, newest, generation)


def _encode(
    events_of: Mapping[int, Sequence[Events]],
    keys: Mapping[str, int],
    recent: Recent,
    newest: Mapping[int, int],
    generation: int,
) -> Encoded:
    encoded: list[bytes] = []
    identities = [np.empty(0, np.uint64)]
    older = [np.empty(0, np.bool_)]
    arrivals = [np.empty((0, 3), np.int64)]
    rows_of: dict[int, int] = {}
    unknown: dict[int, list[Events]] = {}
    for number, (batch_id, parts) in enumerate(events_of.items()):
        before = len(encoded)
        for part in parts:
            found = np.fromiter(
                map(keys.get, part.campaign_ids, repeat(_NO_KEY)), np.int32, len(part)
            )
            slices = np.full(len(part), number)
            rows = binary_copy.encode(part, found, batch_id)
            arrived = np.stack((part.occurred_us, slices, part.at), axis=1)
            hashed = hashes(part, found)
            known = found != _NO_KEY
            if not known.all():
                # They are few: throwing their rows away costs less than choosing all others first.
                unknown.setdefault(batch_id, []).append(part.chosen(~known))
                rows = [rows[at] for at in np.flatnonzero(known).tolist()]
                arrived, hashed = arrived[known], hashed[known]
            encoded += rows
            arrivals.append(arrived)
            identities.append(hashed)
            older.append(arrived[:, 0] <= newest[batch_id])
        rows_of[batch_id] = len(encoded) - before
    repeating = _repeating(encoded, np.concatenate(arrivals))
    repeats_of = Counter(binary_copy.batch_of(encoded[number]) for number in repeating)
    counts = {batch_id: (rows, repeats_of[batch_id]) for batch_id, rows in rows_of.items()}
    met = np.concatenate(identities)
    suspicious = np.concatenate(older)
    suspicious[suspicious] = recent.has(met[suspicious])
    months = _by_month(encoded, suspicious, repeating)
    return Encoded(generation, counts, months, unknown, met, newest)


def _by_month(
    rows: list[bytes], suspicious: npt.NDArray[np.bool_], repeating: Mapping[int, int]
) -> dict[date, MonthRows]:
    months: dict[date, MonthRows] = {}

    def of(month: date) -> MonthRows:
        return months.setdefault(month, MonthRows())

    new = rows
    if repeating or suspicious.any():
        for number, first in repeating.items():
            row = rows[number]
            conflicts = binary_copy.is_conflicting(row, rows[first])
            of(binary_copy.month_of(row)).repeats.append((row, conflicts))
        kept = np.ones(len(rows), np.bool_)
        kept[list(repeating)] = False
        suspects = sorted(rows[number] for number in np.flatnonzero(kept & suspicious).tolist())
        for month, found in binary_copy.months_of(suspects):
            of(month).suspects = list(found)
        new = [rows[number] for number in np.flatnonzero(kept & ~suspicious).tolist()]
    for month, found in binary_copy.months_of(sorted(new)):
        of(month).rows = list(found)
    return dict(sorted(months.items()))


def _repeating(rows: Sequence[bytes], arrivals: npt.NDArray[np.int64]) -> dict[int, int]:
    """The rows that repeat one that arrived before, and which; `arrivals`: time, slice, place.

    Only rows of the same microsecond can: nearly all are let through by their time alone.
    """
    times = arrivals[:, 0]
    order = np.argsort(times, kind="stable")
    ties = np.flatnonzero(times[order[1:]] == times[order[:-1]])
    tied = np.zeros(len(rows), np.bool_)
    tied[order[ties]] = tied[order[ties + 1]] = True
    numbers = np.flatnonzero(tied)
    numbers = numbers[np.lexsort((arrivals[numbers, 2], arrivals[numbers, 1]))]
    first: dict[bytes, int] = {}
    repeating = {}
    for number in numbers.tolist():
        before = first.setdefault(rows[number][: binary_copy.KEY_BYTES], number)
        if before != number:
            repeating[number] = before
    return repeating
