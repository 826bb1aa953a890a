"""Stops a stream that is nearly all refused: most likely the wrong topic or the wrong schema.

Looks at the last N records of each partition; pure.
"""

from collections import deque
from collections.abc import Sequence

from ingester.errors import UnhealthyStream
from ingester.outcomes import Outcomes


class Breaker:
    """Remembers of each partition which of the last `sample` records were refused."""

    def __init__(self, sample: int, refused_share: float) -> None:
        self._sample = sample
        self._refused_share = refused_share
        self._recent: dict[int, deque[int]] = {}

    def judge(self, partition: int, outcomes: Outcomes) -> None:
        """Take in what became of some records; call it before they are written.

        Raises UnhealthyStream when the sample is complete and its refused share too high.
        """
        if not self._sample:
            return
        recent = self._recent.setdefault(partition, deque(maxlen=self._sample))
        refused = bytearray(len(outcomes))
        for at in outcomes.rejects:
            refused[at] = 1
        recent.extend(refused)
        if not outcomes.rejects:
            return
        if len(recent) < self._sample:
            return
        count = sum(recent)
        if count >= self._refused_share * self._sample:
            last = outcomes.rejects[max(outcomes.rejects)]
            raise UnhealthyStream(
                f"partition {partition}: {count} of the last {self._sample} records are refused, "
                f"the latest as {last.reason} ({last.detail}); nothing of this batch was written. "
                "Is this the right topic? To quarantine them all: INGESTER_BREAKER_RECORDS=0"
            )

    def forget(self, partitions: Sequence[int]) -> None:
        """Drop what is known of partitions that are no longer ours."""
        for partition in partitions:
            self._recent.pop(partition, None)
