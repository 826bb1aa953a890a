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
from ingester.binary_copy import Columns, Rows
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

    Those of campaigns that had to be looked up first stand behind the others, in that order too.
    `suspects` were met lately and may be in the table already; `rows` hardly. `repeats` repeat one
    of them; `conflicting` says which of these tell another story than the first.
    """

    rows: Rows = field(default_factory=Rows.none)
    suspects: Rows = field(default_factory=Rows.none)
    repeats: Rows = field(default_factory=Rows.none)
    conflicting: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    def __add__(self, other: "MonthRows") -> "MonthRows":
        """Both, one behind the other; the other one's rows are of other campaigns."""
        return MonthRows(
            self.rows + other.rows,
            self.suspects + other.suspects,
            self.repeats + other.repeats,
            np.concatenate((self.conflicting, other.conflicting)),
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
    parts: list[tuple[Events, npt.NDArray[np.int32], int]] = []
    slices: list[int] = []
    unknown: dict[int, list[Events]] = {}
    rows_of: Counter[int] = Counter()
    for number, (batch_id, every) in enumerate(events_of.items()):
        for events in every:
            found = np.fromiter(
                map(keys.get, events.campaign_ids, repeat(_NO_KEY)), np.int32, len(events)
            )
            missing = found == _NO_KEY
            if missing.any():
                unknown.setdefault(batch_id, []).append(events.chosen(missing))
            parts.append((events, found, batch_id))
            slices.append(number)
            rows_of[batch_id] += len(events) - int(np.count_nonzero(missing))
    columns = Columns.of(parts)
    order, repeats = _in_order(columns, _arrivals(slices, [events for events, *_ in parts]))
    known = columns.keys != _NO_KEY
    if unknown:
        # They are few: leaving them out now costs less than choosing all others before.
        order, repeats = order[known[order]], repeats[known[repeats[:, 0]]]
    met = hashes(columns.event_ids, columns.occurred_us, columns.keys)
    suspicious = np.concatenate(
        [np.empty(0, np.bool_), *(part.occurred_us <= newest[at] for part, _, at in parts)]
    )
    suspicious[suspicious] = recent.has(met[suspicious])
    repeats_of = Counter(columns.batch_ids[repeats[:, 0]].tolist())
    counts = {batch_id: (rows_of[batch_id], repeats_of[batch_id]) for batch_id in events_of}
    months = _by_month(columns, order, suspicious, repeats)
    return Encoded(generation, counts, months, unknown, met[known], newest)


def _arrivals(slices: Sequence[int], parts: Sequence[Events]) -> npt.NDArray[np.int64]:
    """Numbers that grow from one event to the one that arrived after it."""
    places = (part.at + (number << 32) for number, part in zip(slices, parts, strict=True))
    return np.concatenate([np.empty(0, np.int64), *places])


def _in_order(
    columns: Columns, arrivals: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The numbers of all events in the order of the primary key; and (R, 2) of repeats.

    A repeat stands behind the first of its identity, and is told together with it.
    Nearly always the time alone decides; only what has the same microsecond is looked at further.
    """
    times = columns.occurred_us
    order = np.argsort(times, kind="stable")
    equal = times[order[1:]] == times[order[:-1]]
    places = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    if not len(places):
        return order, np.empty((0, 2), np.intp)
    numbers = order[places]
    high, low = columns.event_ids[numbers].view(">u8").reshape(-1, 2).T.astype(np.uint64)
    identity = (low, high, columns.keys[numbers], times[numbers])
    sort = np.lexsort((arrivals[numbers], *identity))
    order[places] = numbers = numbers[sort]
    is_first = np.ones(len(numbers), np.bool_)
    is_first[1:] = np.any([part[sort][1:] != part[sort][:-1] for part in identity], axis=0)
    first = np.maximum.accumulate(np.where(is_first, np.arange(len(numbers)), 0))
    return order, np.stack((numbers, numbers[first]), axis=1)[~is_first]


def _by_month(
    columns: Columns,
    order: npt.NDArray[np.intp],
    suspicious: npt.NDArray[np.bool_],
    repeats: npt.NDArray[np.intp],
) -> dict[date, MonthRows]:
    months: dict[date, MonthRows] = {}

    def of(month: date) -> MonthRows:
        return months.setdefault(month, MonthRows())

    new = order
    if len(repeats) or suspicious.any():
        repeating, first = repeats.T
        conflicting = columns.types[repeating] != columns.types[first]
        conflicting |= columns.counts[repeating] != columns.counts[first]
        told = 0
        for month, found in binary_copy.months_of(binary_copy.encode(columns, repeating)):
            of(month).repeats = found
            of(month).conflicting = conflicting[told : told + len(found)]
            told += len(found)
        kept = np.ones(len(suspicious), np.bool_)
        kept[repeating] = False
        suspects = binary_copy.encode(columns, order[(kept & suspicious)[order]])
        for month, found in binary_copy.months_of(suspects):
            of(month).suspects = found
        new = order[(kept & ~suspicious)[order]]
    for month, found in binary_copy.months_of(binary_copy.encode(columns, new)):
        of(month).rows = found
    return dict(sorted(months.items()))
