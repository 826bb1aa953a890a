"""One answer for all who ask the same between two refreshes, however many pages are open.

Statistics change with a refresh and at no other time, and every refresh is heard (`live`): until
the next one an answer stays true. While nobody listens, everything is asked anew.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar, cast

from ingester.dashboard.live import Hub

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")

KEPT_SECONDS: Final = 5.0
"""Also without a refresh: retention takes events, and `as_of` should not look older than it is."""
ANSWERS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class _Entry:
    task: "asyncio.Task[Any]"
    asked_at: float


class Shared:
    """The answers since the last refresh. Belongs to the loop of the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._refreshes = -1
        self._entries: dict[Hashable, _Entry] = {}

    async def ask(
        self,
        method: Callable[Arguments, Coroutine[Any, Any, Answer]],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Answer:
        """What `method(*arguments)` answers; arguments must be hashable."""
        if not self._hub.is_listening:
            return await method(*arguments, **named)
        if self._refreshes != self._hub.refreshes or len(self._entries) >= ANSWERS_MAX:
            # Whoever still waits for one of these holds it; what was asked before a refresh is
            # not handed out after it.
            self._entries = {}
            self._refreshes = self._hub.refreshes
        key = (method.__name__, arguments, tuple(sorted(named.items())))
        entry = self._entries.get(key)
        now = time.monotonic()
        if entry is None or now - entry.asked_at > KEPT_SECONDS or _has_failed(entry.task):
            entry = _Entry(asyncio.ensure_future(method(*arguments, **named)), now)
            self._entries[key] = entry
        # One who goes away must not take the answer from the others.
        return cast("Answer", await asyncio.shield(entry.task))


def _has_failed(task: "asyncio.Task[Any]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
