"""Slices as rows: what the decoding thread can prepare while the writing thread is still copying.

Pure. Knows batches and binary COPY; not where keys and ids come from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ingester import binary_copy
from ingester.batch import Slice
from ingester.decoder import Event, Rejected


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
    unknown: dict[int, list[Event]]

    def tallies(self) -> dict[int, Tally]:
        """Fresh tallies: all rows count as new until the table knows better."""
        return {
            batch_id: Tally(batch_id, inserted=rows - repeats, duplicates=repeats)
            for batch_id, rows, repeats in self.counts
        }

    def unknown_campaigns(self) -> set[str]:
        """The campaigns that need a key before the rest can be encoded."""
        return {event[0] for events in self.unknown.values() for event in events}

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
    outcomes = {batch_id: part.outcomes for part, batch_id in zip(slices, batch_ids, strict=True)}
    return _encode(outcomes, keys, generation)


def _encode(
    outcomes: Mapping[int, Sequence[Event | Rejected]], keys: Mapping[str, int], generation: int
) -> Encoded:
    encoded: list[bytes] = []
    rows_of: dict[int, int] = {}
    unknown: dict[int, list[Event]] = {}
    for batch_id, found in outcomes.items():
        rest: list[Event] = []
        before = len(encoded)
        encoded += binary_copy.encode(found, keys, batch_id, rest)
        rows_of[batch_id] = len(encoded) - before
        if rest:
            unknown[batch_id] = rest
    rows, repeating = binary_copy.without_repeats(encoded)
    repeats: dict[date, list[tuple[bytes, bool]]] = {}
    for row, conflicts in repeating:
        repeats.setdefault(binary_copy.month_of(row), []).append((row, conflicts))
    repeats_of = Counter(binary_copy.batch_of(row) for row, _ in repeating)
    rows.sort()
    counts = [(batch_id, count, repeats_of[batch_id]) for batch_id, count in rows_of.items()]
    return Encoded(generation, counts, rows, repeats, unknown)
