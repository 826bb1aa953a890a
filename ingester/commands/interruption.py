"""SIGINT and SIGTERM as a note that long work looks at, instead of an exception anywhere."""

import signal
from types import FrameType
from typing import Any, Self


class Interruption:
    """Notes SIGINT or SIGTERM, so that the record under way is published and counted.

    The second one ends the process in its usual way, should the broker not answer. Handlers only
    set a flag: an exception inside a client's call could lose a record it already took.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
