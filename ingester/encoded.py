"""Slices as rows: what the decoding thread can prepare while the writing thread is still copying.

Pure. Knows batches and binary COPY; not where keys and ids come from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ingester import binary_copy
from ingester.batch import Slice


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
    repeating rows, and whether each conflicts with the first of its identity. `generation` tells
    whether keys and ids are still those of the server that is written to.
    """

    generation: int
    counts: list[tuple[int, int, int]]
    rows: list[bytes]
    repeats: dict[date, list[tuple[bytes, bool]]]

    def tallies(self) -> dict[int, Tally]:
        """Fresh tallies: all rows count as new until the table knows better."""
        return {
            batch_id: Tally(batch_id, inserted=rows - repeats, duplicates=repeats)
            for batch_id, rows, repeats in self.counts
        }


def encode_slices(
    slices: Sequence[Slice], keys: Mapping[str, int], batch_ids: Sequence[int], generation: int
) -> Encoded:
    """Encode the events of some slices, each under its batch id; `keys` has all their campaigns."""
    encoded: list[bytes] = []
    rows_of: dict[int, int] = {}
    for part, batch_id in zip(slices, batch_ids, strict=True):
        before = len(encoded)
        encoded += binary_copy.encode(part.outcomes, keys, batch_id)
        rows_of[batch_id] = len(encoded) - before
    rows, found = binary_copy.without_repeats(encoded)
    repeats: dict[date, list[tuple[bytes, bool]]] = {}
    for row, conflicts in found:
        repeats.setdefault(binary_copy.month_of(row), []).append((row, conflicts))
    repeating = Counter(binary_copy.batch_of(row) for row, _ in found)
    rows.sort()
    counts = [(batch_id, count, repeating[batch_id]) for batch_id, count in rows_of.items()]
    return Encoded(generation, counts, rows, repeats)
