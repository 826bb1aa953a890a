"""Old applications: several connections that read the old table's name at a steady rate.

Statements are prepared, as drivers do; so a swap that changed a column's type would show.
"""

import itertools
import threading
import time
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Final, Self

import psycopg

from tests.migration.old_table import NAME

CONNECTIONS: Final = 8
_STATEMENTS: Final = (
    f"SELECT stat_date, sent FROM {NAME} WHERE campaign_id = %s AND stat_date > now()::date - 90",
    f"SELECT sum(sent), sum(opened) FROM {NAME} WHERE campaign_id = %s",
    f"SELECT * FROM {NAME} WHERE campaign_id = %s ORDER BY stat_date DESC LIMIT 7",
)


@dataclass(frozen=True, slots=True)
class Read:
    """One read: when it was due (monotonic seconds), how long it took, what went wrong."""

    at: float
    seconds: float
    error: str | None


class Readers:
    """Read while the block runs; `reads` afterwards."""

    def __init__(self, url: str, rate: int, seed: int = 1) -> None:
        self.reads: list[Read] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(url, rate / CONNECTIONS, Random(seed + n)))
            for n in range(CONNECTIONS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> list[str]:
        """What went wrong, in the order in which it did."""
        return [read.error for read in self.reads if read.error]

    def longest_seconds(self, since: float = 0.0, until: float = float("inf")) -> float:
        """The longest read that was due between two times."""
        return max((read.seconds for read in self.reads if since <= read.at < until), default=0.0)

    def _run(self, url: str, rate: float, random: Random) -> None:
        with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
            campaigns = connection.execute(
                f"SELECT DISTINCT campaign_id FROM {NAME} LIMIT 50".encode()
            ).fetchall()
            started = time.monotonic()
            for number in itertools.count():
                due = started + number / rate
                if self._stop.wait(max(due - time.monotonic(), 0.0)):
                    return
                error = None
                at = time.monotonic()
                try:
                    statement = random.choice(_STATEMENTS).encode()
                    connection.execute(statement, random.choice(campaigns)).fetchall()
                except psycopg.Error as failure:
                    error = f"{failure.sqlstate}: {failure}"
                self.reads.append(Read(at, time.monotonic() - at, error))
