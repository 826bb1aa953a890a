"""Values as the slices that a batch would hand to the store."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from ingester.batch import Slice, Topic
from ingester.decoder import decode
from ingester.outcomes import Window, microseconds
from tests.record import FakeRecord, headers_of

TOPIC: Final = Topic("campaign-events", "topic-id", "cluster-id")
WINDOW: Final = Window(
    microseconds(datetime(2010, 1, 1, tzinfo=UTC)), microseconds(datetime(2030, 1, 1, tzinfo=UTC))
)


def slice_of(
    partition: int, start: int, values: Sequence[bytes | None], end: int | None = None
) -> Slice:
    """The values at the offsets from `start` on; `end` where it lies beyond the last of them."""
    records = [FakeRecord(start + number, value) for number, value in enumerate(values)]
    outcomes = decode(values, lambda index: headers_of(records[index]), WINDOW)
    return Slice(partition, start, end or start + len(values), list(records), outcomes)
