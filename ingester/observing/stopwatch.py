"""How long the stages of a batch take, heard from `ingester.stage`.

A stage lasts until the next one begins on the same thread. What breaks off (an outage, a refusal)
is not measured: its time says nothing of the work.
"""

from collections.abc import Callable

from ingester.observing.metric import STAGE_SECONDS, Meter
from ingester.stage import BATCH_STAGES

_FIRST = ("encode", "prepare")
"""Where a batch is begun, also once more after something broke off."""


class Stopwatch:
    """Listens to one writer thread."""

    def __init__(self, meter: Meter, monotonic: Callable[[], float]) -> None:
        self._meter = meter
        self._monotonic = monotonic
        self._running: tuple[str, float] | None = None

    def __call__(self, name: str) -> None:
        """A stage is reached."""
        if name not in BATCH_STAGES and name not in ("committed", "refused"):
            return
        now = self._monotonic()
        if self._running is not None and self._follows(name):
            before, since = self._running
            self._meter.observe(STAGE_SECONDS, now - since, before)
        self._running = (name, now) if name in BATCH_STAGES else None

    def _follows(self, name: str) -> bool:
        before = self._running[0] if self._running else ""
        return name not in _FIRST or (before, name) == _FIRST
