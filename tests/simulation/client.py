"""Takes the place of confluent_kafka.Consumer, and does what users of it report.

Polls mix partitions in any order and size; records come again, also of partitions that were given
up; the group decides inside a poll; commits, pauses and questions fail now and then. Offsets have
gaps. It never hands over a record that is not in the log, and never leaves one out for good.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.contract.broker import Broker
from tests.contract.schedule import Schedule
from tests.record import FakeRecord

Callback = Callable[[Any, list[TopicPartition]], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What `consume` hands over: a record, or what stands in its place."""

    of: int
    record: FakeRecord
    fault: KafkaError | None = None

    def partition(self) -> int:
        """Partition it comes from."""
        return self.of

    def error(self) -> KafkaError | None:
        """None for a record."""
        return self.fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self.record, name)


@dataclass
class Client:
    """One member of the group. `owned` is what the group gave it, `reading` what it asked for."""

    broker: Broker
    schedule: Schedule
    random: Random
    owned: set[int] = field(default_factory=set)
    reading: dict[int, int] = field(default_factory=dict)
    paused: set[int] = field(default_factory=set)
    trespasses: list[str] = field(default_factory=list)
    well_behaved: bool = False
    _decided: list[tuple[str, int]] = field(default_factory=list)
    _told_ends: dict[int, int] = field(default_factory=dict)
    _callbacks: dict[str, Callback] = field(default_factory=dict)

    # -- what the group's coordinator does

    def decide(self, kind: str, partition: int) -> None:
        """`on_assign`, `on_revoke` or `on_lost`; the member learns of it inside a poll."""
        self._decided.append((kind, partition))

    # -- what the Kafka edge asks

    def subscribe(self, _: list[str], **callbacks: Callback) -> None:
        """Remember whom to call."""
        self._callbacks = callbacks

    def consume(self, records_max: int, timeout_seconds: float) -> list[Delivered]:
        """Serve the group; hand over some of what there is."""
        self.schedule.poll(records_max)
        self._serve_group()
        handed = self._leftovers() if self._happens(0.1) else []
        places = list(self.reading)
        self.random.shuffle(places)
        for partition in places:
            if partition not in self.paused and len(handed) < records_max:
                handed += self._read(partition, records_max - len(handed))
        if self._happens(0.02):
            error = KafkaError(KafkaError._ALL_BROKERS_DOWN)
            handed.insert(0, Delivered(0, FakeRecord(-1, None), error))
        if not handed:
            self.schedule.pass_time(timeout_seconds)
        return handed

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Read these from these offsets on."""
        if partitions and self._happens(0.03):
            raise KafkaException(KafkaError(KafkaError._STATE))
        for each in partitions:
            self.reading[each.partition] = each.offset
            self._told_ends.pop(each.partition, None)
            self._watch_ownership()

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        """Read these no more."""
        for each in partitions:
            self.reading.pop(each.partition, None)

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Keep, but fetch nothing; as in librdkafka it outlasts an assignment."""
        self.paused |= {each.partition for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Fetch again."""
        self.paused -= {each.partition for each in partitions}

    def commit(self, **_: Any) -> None:
        """A hint, which may get lost."""
        if self._happens(0.1):
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def get_watermark_offsets(self, place: TopicPartition, **_: Any) -> tuple[int, int]:
        """First kept offset and the end of the log."""
        if self._happens(0.05):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return self.broker.lows[place.partition], self.broker.highs[place.partition]

    # -- how it misbehaves

    def _happens(self, share: float) -> bool:
        return not self.well_behaved and self.random.random() < share

    def _serve_group(self) -> None:
        decided, self._decided = self._decided, []
        for kind, partition in decided:
            place = [TopicPartition("campaign-events", partition)]
            if kind == "on_assign":
                self.owned.add(partition)
            else:
                self.owned.discard(partition)
            self._callbacks[kind](self, place)
        self._watch_ownership()

    def _watch_ownership(self) -> None:
        for partition in self.reading.keys() - self.owned:
            self.trespasses.append(f"reads partition {partition}, which is not its own")

    def _leftovers(self) -> list[Delivered]:
        """Records that were fetched before: of its own partitions and of those it gave up."""
        partition = self.random.choice(list(self.broker.logs))
        below = self.reading.get(partition, self.broker.highs[partition])
        log = [each for each in self.broker.logs[partition] if each.offset() < below]
        if not log:
            return []
        first = self.random.randrange(len(log))
        return [Delivered(partition, record) for record in log[first : first + 5]]

    def _read(self, partition: int, records_max: int) -> list[Delivered]:
        some = records_max if self.well_behaved else self.random.randint(1, records_max)
        records = self.broker.records_from(partition, self.reading[partition], some)
        handed = [Delivered(partition, record) for record in records]
        if records:
            self.reading[partition] = records[-1].offset() + 1
        end = self.broker.highs[partition]
        if len(records) < some and self._told_ends.get(partition) != end:
            self._told_ends[partition] = self.reading[partition] = end
            eof = KafkaError(KafkaError._PARTITION_EOF)
            handed.append(Delivered(partition, FakeRecord(end, None), eof))
        return handed
