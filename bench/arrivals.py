"""New events, through the real write path: EventStore writes them as if Kafka had brought them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from bench.history import TOPIC, UNTIL, History
from ingester.batch import Record, Slice, Topic
from ingester.outcomes import Event, Outcomes, microseconds
from ingester.settings import Settings
from ingester.store.events import EventStore

EVENTS: Final = 10_000
LATE_SHARE: Final = 0.005
_TRANSACTIONS: Final = 5
_PARTITIONS: Final = 4
_SPAN: Final = timedelta(hours=1)
"""What the events of one round cover; rounds follow each other."""
_TYPES: Final = (0, 0, 0, 0, 0, 0, 1, 1, 1, 2)  # codes of sent, opened, clicked, roughly as in life


@dataclass(frozen=True, slots=True)
class _Record:
    """A record whose content has been decoded already: the store asks for no more."""

    position: int

    def offset(self) -> int:
        return self.position

    def leader_epoch(self) -> int | None:
        return None

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return None

    def headers(self) -> list[tuple[str, str | bytes | None]] | None:
        return None


class Arrivals:
    """A source of new events for one database, the same for every database of equal `seed`."""

    def __init__(self, settings: Settings, history: History, seed: int) -> None:
        self._store = EventStore(settings, "bench", lambda _: ())
        self._topic = Topic(TOPIC, TOPIC, TOPIC)
        self._positions = self._store.positions(self._topic, dict.fromkeys(range(_PARTITIONS), 0))
        self._history = history
        self._random = Random(seed)  # noqa: S311 - drawn from a seed, which nothing secure can do
        self._now = UNTIL

    def write(self, late_share: float) -> None:
        """Write `EVENTS` events in several transactions, the given share of them of old months."""
        per_slice = EVENTS // (_TRANSACTIONS * _PARTITIONS)
        for number in range(_TRANSACTIONS):
            since = self._now + _SPAN * number / _TRANSACTIONS
            slices = [self._slice(p, per_slice, since, late_share) for p in range(_PARTITIONS)]
            written = self._store.write(self._topic, slices)
            if written.inserted != per_slice * _PARTITIONS:
                raise RuntimeError(f"the store wrote {written}")
            self._positions.update(written.positions)
        self._now += _SPAN

    def close(self) -> None:
        """Give the connection back."""
        self._store.close()

    def _slice(self, partition: int, size: int, since: datetime, late_share: float) -> Slice:
        start = self._positions[partition]
        records: list[Record] = [_Record(start + i) for i in range(size)]
        outcomes = [self._event(since, late_share) for _ in range(size)]
        return Slice(partition, start, start + size, records, Outcomes.of(outcomes))

    def _event(self, since: datetime, late_share: float) -> Event:
        random = self._random
        moment = since + random.random() * _SPAN / _TRANSACTIONS
        if random.random() < late_share:
            moment -= random.random() * (UNTIL - self._history.since)
        campaign = f"campaign-{random.choice(self._history.alive(UNTIL.date())):06}"
        event_id, type_code = random.randbytes(16), random.choice(_TYPES)
        return campaign, event_id, microseconds(moment), type_code, 1, None, None
