"""What operators are shown while something is broken, held against what is known to be true.

/livez says yes all the while, since no restart would help; /readyz says no for the right reason
while there is one, and yes afterwards; the metrics are what the database holds and the log tells.
"""

import math
from collections.abc import Sequence
from typing import Final

import psycopg

from tests.acceptance.page import Page
from tests.acceptance.process import Running, wait_for
from tests.faults.arena import Arena, Round

NO_DATABASE: Final = "the database does not answer"
NO_BROKER: Final = "the broker does not answer"
TRIES_TO_WRITE: Final = "it has tried to write for"
NO_MEMBER: Final = "it is not a member of the group"
_SECONDS_MAX: Final = 60.0
_FIGURES: Final = ("records", "events_inserted", "duplicates", "rejected")
_TOTALS: Final = """
    SELECT sum(records)::bigint, sum(inserted)::bigint, sum(duplicates)::bigint,
        sum(rejected)::bigint
    FROM ingest_offsets WHERE topic = %s
"""


class Witness:
    """Reads the pages of workers that live through the faults, and notes how often they told true.

    What is not true ends the round: it is an AssertionError.
    """

    def __init__(self, arena: Arena, workers: Sequence[Running], done: Round) -> None:
        self._arena, self._workers, self._done = arena, workers, done
        self._pages = [Page(worker) for worker in workers]

    def lives(self) -> None:
        """No worker is to be restarted for what is broken just now."""
        for page in self._pages:
            reasons = page.reasons("/livez")
            assert reasons is None, f"/livez in the middle of a fault: {reasons}"
            self._done.note("/livez true in a fault")

    def is_not_ready(self, *causes: str) -> None:
        """Every worker says so before long, for one of these causes."""
        for page in self._pages:
            wait_for(
                lambda page=page: any(  # type: ignore[misc]
                    cause in reason for reason in page.reasons("/readyz") or () for cause in causes
                ),
                _SECONDS_MAX,
                lambda page=page: f"/readyz names none of {causes}: {page.reasons('/readyz')}",  # type: ignore[misc]
            )
            self._done.note("/readyz true in a fault")

    def had_an_outage(self) -> None:
        """It was counted and timed, and is over."""
        for name in ("retries", "outage_seconds"):
            assert self._total(f"ingester_{name}_total") > 0, f"an outage without {name}"
        assert self._total("ingester_outage_age_seconds") == 0, "the outage goes on"

    def is_well(self, lag_seconds_max: float = _SECONDS_MAX) -> None:
        """With the load over: ready, no lag before long, every rebalance counted."""
        for page in self._pages:
            wait_for(
                lambda page=page: page.reasons("/readyz") is None,  # type: ignore[misc]
                _SECONDS_MAX,
                lambda page=page: f"/readyz when all is over: {page.reasons('/readyz')}",  # type: ignore[misc]
            )
        no_lag = dict.fromkeys(map(str, range(self._arena.partitions)), 0.0)
        wait_for(lambda: self._lags() == no_lag, lag_seconds_max, lambda: f"lag {self._lags()}")
        wait_for(
            lambda: self._total("ingester_rebalances_total") == self._rebalances_logged(),
            _SECONDS_MAX,
            lambda: f"{self._rebalances_logged()} rebalances logged, others counted",
        )
        self._done.note("/readyz true when all was over", len(self._pages))

    def tells_the_figures(self) -> None:
        """Together they say what the database holds: nobody else may have written."""

        def shown() -> tuple[float, ...]:
            return tuple(self._total(f"ingester_{name}_total") for name in _FIGURES)

        def held() -> tuple[int, ...] | None:
            with psycopg.connect(self._arena.ingester.database_url) as connection:
                return connection.execute(_TOTALS, [self._arena.ingester.topic]).fetchone()

        wait_for(
            lambda: shown() == held(),
            _SECONDS_MAX,
            lambda: f"the metrics say {shown()}, the database {held()}",
        )
        self._done.note("records told truly by the metrics", int(shown()[0]))

    def _rebalances_logged(self) -> int:
        return sum(len(worker.log.named("rebalance")) for worker in self._workers)

    def _total(self, name: str) -> float:
        return sum(page.total(name) for page in self._pages)

    def _lags(self) -> dict[str, float]:
        """By partition, of whoever owns it."""
        return {
            partition: lag
            for page in self._pages
            for (name, partition), lag in page.figures().items()
            if name == "ingester_lag" and not math.isnan(lag)
        }
