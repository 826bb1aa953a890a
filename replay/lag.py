"""Holds the replay back while the ingester is behind, so that live events stay fresh."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from ingester.errors import TemporaryError

_LOOK_SECONDS: Final = 0.1


class Bounded(Protocol):
    """What `ingester.kafka.Reader` says of a partition."""

    def watermarks(self, partition: int) -> tuple[int, int]:
        """First kept offset, and the offset after the last committed record."""


def bounds(reader: Bounded, partitions: int) -> dict[int, tuple[int, int]]:
    """Where each partition begins and ends now."""
    return {number: reader.watermarks(number) for number in range(partitions)}


class LagGate:
    """Waits until what the ingester has still to read is at most `events_max` records.

    A topic that nobody has begun to read has no consumers to protect: nothing waits for them.
    Consumers that do not move for `stall_seconds_max` raise TemporaryError.
    """

    def __init__(
        self,
        ingested_to: Callable[[], Mapping[int, int]],
        bounds: Callable[[], Mapping[int, tuple[int, int]]],
        events_max: int,
        stall_seconds_max: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._ingested_to, self.bounds = ingested_to, bounds
        self._events_max, self._stall_seconds_max = events_max, stall_seconds_max
        self._clock, self._sleep = clock, sleep
        self.paused_seconds = 0.0

    def wait(self, check: Callable[[int], None]) -> None:
        """Return when the next range may go; `check` is called with the lag while waiting."""
        started = moved_at = self._clock()
        before: Mapping[int, int] = {}
        while True:
            ingested = self._ingested_to()
            lag = sum(
                end - ingested.get(number, first) for number, (first, end) in self.bounds().items()
            )
            if not ingested or lag <= self._events_max:
                break
            if ingested != before:
                before, moved_at = ingested, self._clock()
            elif self._clock() - moved_at > self._stall_seconds_max:
                raise TemporaryError(
                    f"paused at a lag of {lag:,}, and the consumers have not moved for "
                    f"{self._stall_seconds_max:g} s: is ingester run alive? Then replay run again"
                )
            check(lag)
            self._sleep(_LOOK_SECONDS)
        self.paused_seconds += self._clock() - started
