"""Whether the process lives and is ready, judged by its metrics alone; pure.

An empty list of reasons means yes. Kept apart from the page and from the clients, so that each
verdict can be tried without a fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ingester.observing.metric import (
    DATABASE_UP,
    JOINED,
    KAFKA_UP,
    LOOP,
    MONTHS_AHEAD,
    OFFSET_GAP,
    OUTAGE,
    STALLED,
    Metric,
)

LOOP_SECONDS_MAX: Final = 60.0
"""A turn waits at most for a broker's answer (15 s) twice; the group gives up after 300 s."""

Samples = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Health:
    """The judge of one process: which workers there must be, and whether they join a group.

    `loop_seconds_max` is how long a turn of the loop may take.
    """

    workers: Sequence[str]
    in_group: bool = True
    loop_seconds_max: float = LOOP_SECONDS_MAX

    def not_alive(self, samples: Samples, now: float) -> list[str]:
        """Why the process should be restarted; `now` in seconds since 1970."""
        reasons = []
        for worker in self.workers:
            turned = samples.get((LOOP.name, worker))
            if turned is None:
                reasons.append(f"worker {worker}: its loop has not begun")
            elif now - turned > self.loop_seconds_max:
                reasons.append(f"worker {worker}: its loop has not turned for {now - turned:.0f} s")
        return reasons

    def not_ready(self, samples: Samples, now: float) -> list[str]:
        """Why the process does not do its work just now."""
        reasons = self.not_alive(samples, now)
        for worker in self.workers:
            if self.in_group:
                reasons += self._about_worker(samples, worker)
            if samples.get((DATABASE_UP.name, worker)) != 1:
                reasons.append(f"worker {worker}: the database does not answer")
        reasons += [
            f"partition {number}: there is lag, and the stored offset does not move"
            for number, value in _all(samples, STALLED)
            if value
        ]
        reasons += [
            f"partition {number}: {value:.0f} offsets were deleted before they were read"
            for number, value in _all(samples, OFFSET_GAP)
            if value
        ]
        if samples.get((MONTHS_AHEAD.name, ""), 1) < 1:
            reasons.append("next month has no partition: does `ingester refresh` run?")
        return reasons

    def _about_worker(self, samples: Samples, worker: str) -> list[str]:
        reasons = []
        if samples.get((JOINED.name, worker)) != 1:
            reasons.append(f"worker {worker}: it is not a member of the group")
        if samples.get((KAFKA_UP.name, worker)) != 1:
            reasons.append(f"worker {worker}: the broker does not answer")
        if outage := samples.get((OUTAGE.name, worker), 0):
            reasons.append(f"worker {worker}: it has tried to write for {outage:.0f} s")
        return reasons


def _all(samples: Samples, metric: Metric) -> list[tuple[str, float]]:
    return sorted((of, value) for (name, of), value in samples.items() if name == metric.name)
