"""Publishes at a steady pace in the background, for as long as a test disturbs something else."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tests.acceptance.publish import publish
from tests.acceptance.traffic import Kind, Publication, mixed

_ENDLESS = 10**9
_BURST = 200


class Load:
    """While the block runs, about `rate` records a second go to the topic; `counts` afterwards."""

    def __init__(
        self, bootstrap: str, topic: str, *, rate: int, seed: int, partitions: int
    ) -> None:
        self.counts: Counter[Kind] = Counter()
        self._to = (bootstrap, topic)
        self._rate = rate
        self._records = mixed(seed, _ENDLESS, partitions=partitions)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self.counts = publish(*self._to, itertools.chain.from_iterable(self._bursts()))

    def _bursts(self) -> Iterator[list[Publication]]:
        started = time.monotonic()
        for number in itertools.count(1):
            yield list(itertools.islice(self._records, _BURST))
            due = started + number * _BURST / self._rate
            if self._stop.wait(max(due - time.monotonic(), 0.0)):
                return
