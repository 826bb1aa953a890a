"""One answer for all who ask the same between two refreshes, however many pages are open.

Statistics change with a refresh and at no other time, and every refresh is heard (`live`): until
the next one an answer stays true. What was asked lately is asked again at each refresh, before the
pages are told of it, so that they find it ready. While nobody listens, everything is asked anew.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar, cast

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")

KEPT_SECONDS: Final = 5.0
"""Also without a refresh: retention takes events, and `as_of` should not look older than it is."""
RENEWAL_SECONDS_MAX: Final = 0.5
"""So long at most an answer of before a refresh is handed out after it."""
ANSWERS_MAX: Final = 256


class _Entry:
    """A question, the task that fetches its answer, and when somebody asked last."""

    def __init__(self, read: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.read = read
        self.task = _started(read)
        self.made_at = self.asked_at = time.monotonic()

    def holds(self, now: float) -> bool:
        """Whether the answer is there, or will be, and is young enough."""
        return now - self.made_at <= KEPT_SECONDS and not _has_failed(self.task)


class Shared:
    """The answers since the last refresh. Belongs to the event loop it is used in."""

    def __init__(self) -> None:
        self._is_kept = False
        self._entries: dict[Hashable, _Entry] = {}

    async def ask(
        self,
        method: Callable[Arguments, Coroutine[Any, Any, Answer]],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Answer:
        """What `method(*arguments)` answers; arguments must be hashable."""
        if not self._is_kept:
            return await method(*arguments, **named)
        key = (method.__name__, arguments, tuple(sorted(named.items())))
        entry, now = self._entries.get(key), time.monotonic()
        if entry is None or not entry.holds(now):
            if len(self._entries) >= ANSWERS_MAX:
                # Whoever still waits for one of these holds it.
                self._entries = {}
            entry = self._entries[key] = _Entry(partial(method, *arguments, **named))
        entry.asked_at = now
        # One who goes away must not take the answer from the others.
        return cast("Answer", await asyncio.shield(entry.task))

    async def renew(self) -> None:
        """After a refresh: ask again what was asked lately; until it is there the old is told."""
        self._is_kept = True
        began = time.monotonic()
        self._entries = {
            key: entry
            for key, entry in self._entries.items()
            if began - entry.asked_at <= KEPT_SECONDS
        }
        renewals = [(entry, _started(entry.read)) for entry in self._entries.values()]
        if renewals:
            await asyncio.wait([task for _, task in renewals], timeout=RENEWAL_SECONDS_MAX)
        for entry, task in renewals:
            entry.task, entry.made_at = task, began

    def forget(self) -> None:
        """Refreshes are not heard any more: no answer is known to be true."""
        self._is_kept = False
        self._entries = {}


def _started(read: Callable[[], Coroutine[Any, Any, Any]]) -> "asyncio.Task[Any]":
    task = asyncio.ensure_future(read())
    # Whoever asks is told of a failure; where nobody does, asyncio need not complain of it.
    task.add_done_callback(_has_failed)
    return task


def _has_failed(task: "asyncio.Task[Any]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
