"""What an operator wants to know of the database, in one statement."""

from dataclasses import dataclass
from datetime import datetime

from ingester.errors import TemporaryError
from ingester.settings import Settings
from ingester.store.session import Session
from ingester.store.statements import statement

_SECONDS_MAX = 5.0
"""A look that takes longer says nothing any more."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """How partitions and statistics stand.

    `months_ahead`: months after this one that have a partition, up to the first gap; -1 where this
    one has none. `freshness_seconds`: age of the oldest event that is not in the statistics.
    `last_refresh_timestamp`: when a refresh last folded something.
    """

    months_ahead: int
    freshness_seconds: float
    last_refresh_timestamp: float | None


class ObservingStore:
    """A connection of its own, so that a look never waits for a COPY. Used by one thread."""

    def __init__(self, settings: Settings, name: str) -> None:
        limited = settings.model_copy(update={"ingester_statement_seconds_max": _SECONDS_MAX})
        self._session = Session(limited, f"ingester-watch-{name}")

    def facts(self) -> DatabaseFacts:
        """Ask now."""
        with self._session.use("looking at the database") as connection:
            row = connection.execute(statement("observed_facts")).fetchone()
        if row is None:
            raise TemporaryError("looking at the database: no answer")
        months_ahead, freshness_seconds, last_refresh = row
        refreshed = last_refresh.timestamp() if isinstance(last_refresh, datetime) else None
        return DatabaseFacts(months_ahead, float(freshness_seconds), refreshed)
