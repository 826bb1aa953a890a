"""Where the topic's partitions end, asked of Kafka in the background and only while somebody looks.

Kafka may be away, or out of reach of the dashboard altogether: then lag is unknown, and no page
waits for it.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from ingester.errors import IngesterError
from ingester.kafka import Reader
from ingester.settings import Settings

_LOOK_SECONDS: Final = 2.0
_FORGET_SECONDS: Final = 20.0
"""Ends that are older say nothing of the lag now."""


class Ends(threading.Thread):
    """The offsets after the last record, as of the last look."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="lag", daemon=True)
        self._settings = settings
        self._wanted = threading.Event()
        self._partitions: Sequence[int] = ()
        self._ends: Mapping[int, int] = {}
        self._seen_at = float("-inf")
        self._problem: str | None = None

    def of(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """What is known, and a wish to know it better; never waits."""
        self._partitions = partitions
        self._wanted.set()
        return self._ends if time.monotonic() - self._seen_at < _FORGET_SECONDS else {}

    @property
    def problem(self) -> str | None:
        """Why the last look failed."""
        return self._problem

    def run(self) -> None:
        """Look, whenever somebody asked since the last look."""
        reader: Reader | None = None
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                reader = reader or Reader(self._settings)
                ends = {part: reader.watermarks(part)[1] for part in self._partitions}
            except IngesterError as error:
                self._problem = str(error)
            else:
                self._ends, self._seen_at, self._problem = ends, time.monotonic(), None
            time.sleep(_LOOK_SECONDS)
