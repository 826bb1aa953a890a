"""The replay: plan once, then range by range: claim, publish, wait for all replicas, write it down.

One transaction per range holds the claim, reads the rows and records what became of them. Whatever
ends it early (SIGKILL, a lost connection, a broker that does not answer) gives the range back, and
the next run publishes it again: the same events, which the ingester counts as duplicates.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ingester.errors import NeedsAPerson
from ingester.kafka import Publisher, TopicIdentity
from ingester.settings import Settings
from ingester.store.connection import Connection, translating
from replay.cut import cut_of
from replay.lag import LagGate
from replay.legacy import LegacyTable
from replay.pace import Pace
from replay.publish import RangePublication
from replay.ranges import ranges
from replay.settings import ReplaySettings
from replay.store import ledger
from replay.store.ledger import ReplayState
from replay.store.legacy import fill_attributes, gather, rows_between
from replay.store.survey import gathered_days, gathered_problems

_OTHERS_SECONDS: float = 0.2
"""How often to look again while other runs hold the ranges that are left."""
_PAGE_SECONDS_MAX: float = 60.0
"""A slow rate fetches fewer rows at a time, so that the transaction is never idle for long."""


class Interrupted(Exception):
    """A signal came; the open range is given back."""


@dataclass(slots=True)
class Progress:
    """What this run has done so far."""

    ranges: int = 0
    rows: int = 0
    events: int = 0


def begin(
    connection: Connection,
    table: LegacyTable,
    settings: Settings,
    replay_settings: ReplaySettings,
    topic: TopicIdentity,
    *,
    until: date | None,
    today: date,
) -> ReplayState:
    """The decisions of the first run, which is this one where there is none yet.

    Raises UsageError for another cut, NeedsAPerson for another topic and for rows that cannot
    become events.
    """
    with translating("beginning the replay"):
        state = ledger.replay_state(connection)
        cut_date = cut_of(until, state.cut_date if state else None, today)
        if state is None or not ledger.totals(connection).complete:
            gather(connection, table, cut_date)
            _refuse_problems(connection, table, settings, cut_date, today)
        if state is None:
            with connection.transaction():
                days = gathered_days(connection, cut_date)
                decided = {
                    "cut_date": cut_date,
                    "legacy_table": table.name,
                    "topic": settings.kafka_topic,
                    "cluster_id": topic.cluster_id,
                    "topic_id": topic.topic_id,
                }
                planned = ranges(days, cut_date, replay_settings.replay_range_events)
                ledger.start_replay(connection, decided, planned)
            # Another first run may have been faster, and may have decided otherwise.
            state = ledger.replay_state(connection)
            if state is None:
                raise NeedsAPerson("the replay's ledger was emptied while it began")
            cut_of(until, state.cut_date, today)
    _refuse_other_topic(state, settings.kafka_topic, topic, table)
    return state


def _refuse_problems(
    connection: Connection, table: LegacyTable, settings: Settings, cut_date: date, today: date
) -> None:
    found = gathered_problems(connection, table, settings, cut_date, today)
    blocking = [str(problem) for problem in found if problem.blocking]
    if blocking:
        raise NeedsAPerson(
            f"{table.name} holds rows that cannot become events, nothing was published: "
            + "; ".join(blocking)
        )


def _refuse_other_topic(
    state: ReplayState, topic: str, identity: TopicIdentity, table: LegacyTable
) -> None:
    if (state.topic, state.topic_id) != (topic, identity.topic_id):
        raise NeedsAPerson(
            f"this replay goes to topic {state.topic} with id {state.topic_id}, "
            f"not to {topic} with id {identity.topic_id}"
        )
    if state.legacy_table != table.name:
        raise NeedsAPerson(f"this replay reads {state.legacy_table}, not {table.name}")


class Replay:
    """One run over the ranges that are left; several may run at once.

    `show(what, done, total)` hears of progress in events; `interrupted` is asked often.
    """

    def __init__(
        self,
        connection: Connection,
        table: LegacyTable,
        publisher: Publisher,
        gate: LagGate,
        settings: ReplaySettings,
        *,
        show: Callable[[str, int, int], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._connection, self._table, self._publisher = connection, table, publisher
        self._gate, self._show, self._interrupted = gate, show, interrupted
        rate = settings.replay_rate_per_second
        self._pace = Pace(rate, time.monotonic, time.sleep)
        page = settings.replay_read_rows
        self._page_rows = max(1, min(page, int(rate * _PAGE_SECONDS_MAX))) if rate else page
        self._before = self._planned = 0
        self.progress = Progress()

    def run(self) -> None:
        """Publish every range that is left; returns when all are acknowledged.

        Raises Interrupted where a signal came; whatever it raises, a later run goes on from there.
        """
        with translating("replaying"):
            while not (totals := ledger.totals(self._connection)).complete:
                self._before, self._planned = totals.events, totals.planned_events
                self._show("replaying", self._before, self._planned)
                self._gate.wait(self._paused)
                self._check()
                if not self._next_range():
                    time.sleep(_OTHERS_SECONDS)
            fill_attributes(self._connection, self._table)

    def _next_range(self) -> bool:
        """Publish one range; False where others hold all that are left."""
        with self._connection.transaction():
            claimed = ledger.claim_range(self._connection)
            if claimed is None:
                return False
            publication = RangePublication(self._publisher, self._pace, self._check)
            for page in rows_between(
                self._connection, claimed.first_date, claimed.end_date, self._page_rows
            ):
                publication.publish(page)
                self._show("replaying", self._before + publication.events, self._planned)
            published_at = ledger.now(self._connection)
            self._publisher.flush()
            # Taken when all replicas have the range: its last record lies before these.
            ends = {number: end for number, (_, end) in self._gate.bounds().items()}
            ledger.raise_watermarks(self._connection, ends)
            done = publication.done()
            ledger.acknowledge_range(self._connection, claimed.first_date, done, published_at)
        self.progress.ranges += 1
        self.progress.rows += done.rows
        self.progress.events += done.events
        return True

    def _paused(self, lag: int) -> None:
        self._show(f"paused, {lag:,} behind", self._before, self._planned)
        self._check()

    def _check(self) -> None:
        if self._interrupted():
            raise Interrupted
