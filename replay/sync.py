"""Brings the replayed events up to what the old table says now.

publish what is planned → wait until it is ingested → compare and plan → publish → wait

A kill anywhere is harmless: what was planned is published by the next sync, under the same ids, and
nothing new is planned before that has arrived.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ingester.errors import NeedsAPerson, TemporaryError
from ingester.store.connection import Connection
from replay.correction import Correction
from replay.legacy import LegacyTable
from replay.store import corrections
from replay.store.corrections import Planned
from replay.store.readiness import not_yet_ingested, replay_rejects

_CORRECTIONS_AT_A_TIME: Final = 5_000
_POLL_SECONDS: Final = 0.1

Show = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class Topic(Protocol):
    """The topic of the replay."""

    def publish(self, key: bytes, value: bytes) -> None:
        """Hand one record over."""

    def flush(self) -> None:
        """Wait until everything is on all replicas."""

    def ends(self) -> dict[int, int]:
        """The offset after the last record of each partition.

        Not the offsets that were acknowledged: librdkafka knows none for a record whose first
        acknowledgement was lost.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sync did; `resumed` counts corrections that an earlier one had planned."""

    resumed: int
    planned: Planned


@dataclass(frozen=True, slots=True)
class Sync:
    """One run of `replay sync`; `stall_seconds_max` is how long the ingester may stand still."""

    connection: Connection
    table: LegacyTable
    topic: Topic
    stall_seconds_max: float
    show: Show

    def run(self, seed: int) -> Outcome:
        """Returns when every correction is ingested; TemporaryError where nothing comes through."""
        corrections.acknowledge(self.connection, [], self.topic.ends())
        resumed = self._publish()
        while True:
            self._wait()
            self._refuse_rejects()
            self.show("comparing", 0, 1)
            planned = corrections.plan(self.connection, self.table, seed)
            if planned.settled:
                break
            resumed += self._publish()  # another sync has planned in the meantime
        self._publish()
        self._wait()
        self._refuse_rejects()
        return Outcome(resumed, planned)

    def _publish(self) -> int:
        published = 0
        while page := corrections.unacknowledged(self.connection, _CORRECTIONS_AT_A_TIME):
            self._send(page)
            corrections.acknowledge(self.connection, page, self.topic.ends())
            published += len(page)
            self.show("publishing corrections", published, published)
        return published

    def _send(self, page: list[Correction]) -> None:
        for each in page:
            event = each.event()
            self.topic.publish(event.key(), event.value())
        self.topic.flush()

    def _wait(self) -> None:
        """Until every acknowledged replay event is ingested."""
        left, moved_at = -1, time.monotonic()
        while behind := not_yet_ingested(self.connection):
            before, left = left, sum(row["acknowledged"] - row["stored"] for row in behind)
            self.show(f"waiting for the ingester, {left:,} records behind", 0, 1)
            if left != before:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > self.stall_seconds_max:
                raise TemporaryError(
                    f"{left} records wait to be ingested and none was in "
                    f"{self.stall_seconds_max:g} s. Is `ingester run` running? "
                    "Then run this again: nothing is lost"
                )
            time.sleep(_POLL_SECONDS)

    def _refuse_rejects(self) -> None:
        """A refused replay event would be missed, corrected, and refused again."""
        found = replay_rejects(self.connection)
        if found:
            first = found[0]
            raise NeedsAPerson(
                f"{first['total']} replay events were rejected, the first at {first['topic']}"
                f"[{first['partition']}] offset {first['offset']}: {first['reason_code']}. "
                "Look at rejected_events, then requeue or discard them"
            )
