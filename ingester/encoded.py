"""Slices as rows: what the decoding thread can prepare while the writing thread is still copying.

Pure. Knows batches and binary COPY; not where keys and ids come from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from ingester import binary_copy
from ingester.batch import Slice
from ingester.outcomes import Events

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


@dataclass(frozen=True, slots=True)
class Encoded:
    """Slices as sorted rows, ready for COPY, and what was counted on the way.

    `counts` has batch_id, rows and rows that repeat another one per slice; `repeats` by month the
    repeating rows, and whether each conflicts with the first of its identity. `unknown` has, by
    batch_id, the events whose campaign had no key yet: no row of theirs is there. `generation`
    tells whether keys and ids are still those of the server that is written to.
    """

    generation: int
    counts: list[tuple[int, int, int]]
    rows: list[bytes]
    repeats: dict[date, list[tuple[bytes, bool]]]
    unknown: dict[int, list[Events]]

    def tallies(self) -> dict[int, Tally]:
        """Fresh tallies: all rows count as new until the table knows better."""
        return {
            batch_id: Tally(batch_id, inserted=rows - repeats, duplicates=repeats)
            for batch_id, rows, repeats in self.counts
        }

    def unknown_campaigns(self) -> set[str]:
        """The campaigns that need a key before the rest can be encoded."""
        return {
            campaign_id
            for parts in self.unknown.values()
            for part in parts
            for campaign_id in part.campaign_ids
        }

    def completed(self, keys: Mapping[str, int]) -> "Encoded":
        """With the rows of the unknown events; `keys` has all their campaigns.

        They cannot repeat what is encoded already, which is of other campaigns.
        """
        rest = _encode(self.unknown, keys, self.generation)
        more = {batch_id: (rows, repeats) for batch_id, rows, repeats in rest.counts}
        counts = [
            (
                batch_id,
                rows + more.get(batch_id, (0, 0))[0],
                repeats + more.get(batch_id, (0, 0))[1],
            )
            for batch_id, rows, repeats in self.counts
        ]
        repeats = {
            month: self.repeats.get(month, []) + rest.repeats.get(month, [])
            for month in self.repeats.keys() | rest.repeats.keys()
        }
        return Encoded(self.generation, counts, sorted(self.rows + rest.rows), repeats, {})


def encode_slices(
    slices: Sequence[Slice], keys: Mapping[str, int], batch_ids: Sequence[int], generation: int
) -> Encoded:
    """Encode the events of some slices, each slice under its batch id."""
    events = {
        batch_id: part.outcomes.parts for part, batch_id in zip(slices, batch_ids, strict=True)
    }
    return _encode(events, keys, generation)


def _encode(
    events_of: Mapping[int, Sequence[Events]], keys: Mapping[str, int], generation: int
) -> Encoded:
    encoded: list[bytes] = []
    arrivals = [np.empty((0, 3), np.int64)]
    rows_of: dict[int, int] = {}
    unknown: dict[int, list[Events]] = {}
    for number, (batch_id, parts) in enumerate(events_of.items()):
        before = len(encoded)
        for part in parts:
            events, found, rest = _with_keys(part, keys)
            encoded += binary_copy.encode(events, found, batch_id)
            slices = np.full(len(events), number)
            arrivals.append(np.stack((events.occurred_us, slices, events.at), axis=1))
            if rest is not None:
                unknown.setdefault(batch_id, []).append(rest)
        rows_of[batch_id] = len(encoded) - before
    rows, repeating = _without_repeats(encoded, np.concatenate(arrivals))
    repeats: dict[date, list[tuple[bytes, bool]]] = {}
    for row, conflicts in repeating:
        repeats.setdefault(binary_copy.month_of(row), []).append((row, conflicts))
    repeats_of = Counter(binary_copy.batch_of(row) for row, _ in repeating)
    counts = [(batch_id, count, repeats_of[batch_id]) for batch_id, count in rows_of.items()]
    return Encoded(generation, counts, sorted(rows), repeats, unknown)


def _without_repeats(
    rows: list[bytes], arrivals: npt.NDArray[np.int64]
) -> tuple[list[bytes], list[tuple[bytes, bool]]]:
    """Split off the rows that repeat one that arrived before; `arrivals` has time, slice, place.

    Only rows of the same microsecond can: nearly all are let through by their time alone.
    """
    times = arrivals[:, 0]
    order = np.argsort(times, kind="stable")
    ties = np.flatnonzero(times[order[1:]] == times[order[:-1]])
    if not len(ties):
        return rows, []
    tied = np.zeros(len(rows), np.bool_)
    tied[order[ties]] = tied[order[ties + 1]] = True
    numbers = np.flatnonzero(tied)
    numbers = numbers[np.lexsort((arrivals[numbers, 2], arrivals[numbers, 1]))]
    first, repeating = binary_copy.without_repeats([rows[number] for number in numbers.tolist()])
    if not repeating:
        return rows, []
    return [rows[number] for number in np.flatnonzero(~tied).tolist()] + first, repeating


def _with_keys(
    events: Events, keys: Mapping[str, int]
) -> tuple[Events, npt.NDArray[np.int32], Events | None]:
    """The events whose campaigns have keys, with these keys, and the others where there are any."""
    found = np.fromiter(map(keys.get, events.campaign_ids, repeat(_NO_KEY)), np.int32, len(events))
    known = found != _NO_KEY
    if known.all():
        return events, found, None
    return events.chosen(known), found[known], events.chosen(~known)
