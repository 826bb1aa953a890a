"""At most so many events a second; clock and sleep are passed in."""

from collections.abc import Callable
from typing import Final

_NAP_SECONDS_MAX: Final = 0.05
"""A paced run looks for a signal at least this often."""


class Pace:
    """Spaces events evenly from the first one on.

    Time that was lost elsewhere (a pause, a slow broker) is not caught up in a burst of more than
    a second's worth.
    """

    def __init__(
        self,
        rate_per_second: float | None,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._seconds_each = 1.0 / rate_per_second if rate_per_second else 0.0
        self._clock, self._sleep = clock, sleep
        self._due = clock()

    def wait(self, check: Callable[[], None]) -> None:
        """Return when the next event is due; `check` is called while waiting, and may raise."""
        if not self._seconds_each:
            return
        while (ahead := self._due - self._clock()) > 0:
            check()
            self._sleep(min(ahead, _NAP_SECONDS_MAX))
        self._due = max(self._due, self._clock() - 1.0) + self._seconds_each
