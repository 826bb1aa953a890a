"""What became of records: the only place of the simulation that knows a slice's columns."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ingester.batch import Slice
from ingester.decoder import decode
from ingester.outcomes import Rejected
from tests.contract.slices import WINDOW


class Told(NamedTuple):
    """An event: what makes it the same event, and how many of it happened."""

    identity: tuple[str, bytes, int]
    how_many: int


def outcomes_of(part: Slice) -> Iterator[tuple[int, Told | None]]:
    """Offset and event of each record of a slice; None for a reject."""
    for record, outcome in zip(part.records, part.outcomes, strict=True):
        yield record.offset(), _told(outcome)


def told_by(values: Sequence[bytes | None]) -> list[Told | None]:
    """The event of each value; None where it is to be rejected."""
    return [_told(outcome) for outcome in decode(values, lambda _: (), WINDOW)]


def _told(outcome: object) -> Told | None:
    if isinstance(outcome, Rejected) or not isinstance(outcome, tuple):
        return None
    return Told((outcome[0], outcome[1], outcome[2]), outcome[4])


def without_records(part: Slice) -> Slice:
    """The slice as it would be if its records were forgotten while it waits."""
    return Slice(part.partition, part.start, part.end)


def all_rejected(part: Slice, rejected: Rejected) -> Slice:
    """The slice with every record rejected."""
    refused = [rejected] * len(part.records)
    return Slice(part.partition, part.start, part.end, part.records, refused)  # type: ignore[arg-type]
