"""When things happen to one member: how often it may poll, what time it is, what it did."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

BEGINNING: Final = datetime(2024, 5, 7, tzinfo=UTC)


class Enough(Exception):
    """The member has polled as often as it may for now.

    Raised where it would poll once more, so that it can go on later as if nothing had been.
    """


class Time:
    """The time of a world; it passes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self.seconds

    def now(self) -> datetime:
        """The wall clock."""
        return BEGINNING + timedelta(seconds=self.seconds)


class Schedule:
    """One member's allowance of polls, and a diary of what it did: (what, details)."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.polls_left = 0
        self.diary: list[tuple[str, Any]] = []
        self.asked_for: list[int] = []
        self.between_polls: Callable[[], None] = lambda: None

    def poll(self, records_max: int) -> None:
        """Count a poll; raises Enough where none is left."""
        if self.polls_left == 0:
            raise Enough
        self.polls_left -= 1
        self.asked_for.append(records_max)
        self.between_polls()

    def pass_time(self, seconds: float) -> None:
        """Somebody waits."""
        self._time.seconds += seconds

    def note(self, what: str, details: Any = None) -> None:
        """Write something into the diary."""
        self.diary.append((what, details))

    def times(self, what: str) -> list[Any]:
        """The details of everything of a kind, in order."""
        return [details for kind, details in self.diary if kind == what]
