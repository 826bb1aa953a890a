"""A bounded memory of published records, to repeat one of them.

A producer that retries repeats a record within seconds; one that restores a backup, or a job that
runs twice, repeats it days later. Both are kept apart: the last records, and a uniform sample of
all of them (Vitter's Algorithm R, ACM TOMS 11 (1985)).
"""

from collections import deque
from random import Random
from typing import Final, Generic, TypeVar

Kept = TypeVar("Kept")

RECENT_MAX: Final = 500
SAMPLE_MAX: Final = 10_000
SOON_SHARE: Final = 0.7


class Earlier(Generic[Kept]):
    """Remembers at most RECENT_MAX + SAMPLE_MAX of what it is shown."""

    def __init__(self, random: Random) -> None:
        """Start with nothing to repeat."""
        self._random = random
        self._recent: deque[Kept] = deque(maxlen=RECENT_MAX)
        self._sample: list[Kept] = []
        self._seen = 0

    def __bool__(self) -> bool:
        """Whether there is anything to repeat."""
        return self._seen > 0

    def __len__(self) -> int:
        """How many are remembered, those in both places twice."""
        return len(self._recent) + len(self._sample)

    def add(self, record: Kept) -> None:
        """Show a record."""
        self._recent.append(record)
        self._seen += 1
        if len(self._sample) < SAMPLE_MAX:
            self._sample.append(record)
        else:
            place = int(self._random.random() * self._seen)
            if place < SAMPLE_MAX:
                self._sample[place] = record

    def draw(self) -> Kept:
        """Draw a record shown before: mostly one of the last, else any."""
        place = self._random.random()
        if self._random.random() < SOON_SHARE:
            return self._recent[int(place * len(self._recent))]
        return self._sample[int(place * len(self._sample))]
