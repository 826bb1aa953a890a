"""A member of the consumer group.

Rules kept here (from confluent-kafka and librdkafka reports): callbacks only note what happened and
never raise; partitions start only through `start`, with the offset set in the assignment; records
of partitions that are not started, and offsets below the expected one, are dropped.
"""

import contextlib
import itertools
import operator
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Final, Literal

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ingester import divergence
from ingester.batch import Record
from ingester.errors import TemporaryError
from ingester.kafka.conf import client_conf, made, membership
from ingester.kafka.errors import OFFSET_LOST, UNKNOWN_TOPIC, Errors, translated, translating
from ingester.kafka.record import Consumed, consume
from ingester.settings import Settings
from ingester.stage import stage

log = structlog.get_logger(__name__)

_error_of = operator.methodcaller("error")
_partition_of = operator.methodcaller("partition")

_GATHER_SECONDS: Final = 0.01
"""How long a poll waits for more than it has: consume() returns no sooner than full, or then.
Short, for what has come waits too; not zero, since decoding few at a time costs more."""

_OUTSIDE_SECONDS_MAX: Final = 30.0
"""A client that lost its place in the group joins again within seconds of the broker's return."""


@dataclass(slots=True)
class Polled:
    """What one poll brought.

    `runs` holds (partition, consecutive records of it); `ends` the position of each partition
    whose end was reached, past any trailing transaction markers.
    """

    runs: list[tuple[int, list[Record]]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)


NO_EPOCHS: Final[Mapping[int, int]] = {}
Rebalance = tuple[Literal["assigned", "revoked", "lost"], list[int]]


class Source:
    """A member of the consumer group, reading the partitions that the caller starts.

    A partition that the group assigns is not read before `start` gave it an offset; so the group
    protocol goes on while the store is asked, however long that takes. A client that has lost its
    place and does not find back in time is followed by a new one: after a broker that had stopped
    answering came back, under load, librdkafka was seen to poll on outside its group for ever.
    """

    def __init__(self, settings: Settings, client_name: str) -> None:
        self.topic = settings.kafka_topic
        self._expected: dict[int, int] = {}
        self._epochs: dict[int, int | None] = {}
        self._assigned: set[int] = set()
        self._rebalances: list[Rebalance] = []
        self._errors = Errors()
        self._outside_since: float | None = None
        self._conf = {
            # Prefetch is bounded by bytes and, since librdkafka spends more on a small record's
            # bookkeeping than on its bytes, by records: enough for the next batch.
            "queued.max.messages.kbytes": 16 * 1024,
            "queued.min.messages": 20_000,
            # A full queue is looked at again soon: within librdkafka's one second a fast pipeline
            # has long run dry (15 s instead of 7 s for a million events).
            "fetch.queue.backoff.ms": 10,
            "fetch.max.bytes": 16 * 1024 * 1024,
            # Every message keeps the whole response it came in: small responses, small memory
            # (159 MB instead of 269 MB at 4 MiB, for the same million events and CPU).
            "max.partition.fetch.bytes": 1024 * 1024,
            "fetch.wait.max.ms": 100,
            **membership(settings),
            **client_conf(settings),
            **settings.kafka_conf,
            "client.id": client_name,
            "group.id": settings.kafka_group_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "error_cb": self._errors,
        }
        self._consumer = self._joining()

    def _joining(self) -> Consumer:
        consumer = made(Consumer, self._conf)
        consumer.subscribe(
            [self.topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        return consumer

    def poll(self, records_max: int, timeout_seconds: float) -> Polled:
        """Serve the group protocol and return what has arrived, in the order it arrived.

        Raises NeedsAPerson for an offset out of range, NotPermitted for a refused login.
        """
        self._find_back()
        messages = consume(self._consumer, records_max, min(timeout_seconds, _GATHER_SECONDS))
        if not messages and timeout_seconds > _GATHER_SECONDS:
            messages = consume(self._consumer, 1, timeout_seconds - _GATHER_SECONDS)
        if self._errors.refused:
            raise self._errors.refused
        polled = Polled()
        # Looked at as columns: a loop over every message would cost as much as the rest of a poll.
        errors = list(map(_error_of, messages))
        none = set(map(type, errors)) <= {NoneType}  # their == fails where the other is None
        faults = [] if none else [at for at, each in enumerate(errors) if each is not None]
        for at in faults:
            self._note(messages[at], polled)
        for at in reversed(faults):
            del messages[at]
        runs = [
            (partition, list(run))
            for partition, run in itertools.groupby(messages, key=_partition_of)
        ]
        polled.runs = [
            (partition, kept) for partition, run in runs if (kept := self._new(partition, run))
        ]
        polled.ends = {
            partition: end
            for partition, end in polled.ends.items()
            if end >= self._expected.get(partition, end + 1)
        }
        self._expected |= polled.ends
        return polled

    def _find_back(self) -> None:
        """Join with a new client, once after each loss, where the old one has not found back."""
        since = self._outside_since
        if since is None or time.monotonic() - since < _OUTSIDE_SECONDS_MAX:
            return
        log.warning("joining_anew", detail="the client does not find back into its group")
        self._outside_since = None
        forsaken, self._consumer = self._consumer, self._joining()
        # It holds no partition any more; that it hangs is likely.
        threading.Thread(target=forsaken.close, daemon=True, name="kafka-close").start()

    def _note(self, message: Consumed, polled: Polled) -> None:
        error = message.error()
        if error is None:
            return
        partition, offset = message.partition(), message.offset()
        if error.code() == KafkaError._PARTITION_EOF:
            polled.ends[partition] = offset
            return
        ours = translated(error, f"{self.topic}[{partition}] at offset {offset}")
        # A broker that starts up may not know the topic yet; that it exists was seen at the start.
        if isinstance(ours, TemporaryError) or error.code() in UNKNOWN_TOPIC:
            log.warning("kafka_poll_failed", code=error.name(), partition=partition)
            return
        if error.code() in OFFSET_LOST:
            self._explain(partition)
            return
        raise ours

    def _explain(self, partition: int) -> None:
        """Raise what an offset out of range means; one that is not ours any more means nothing."""
        expected = self._expected.get(partition)
        if expected is None:
            return
        epoch = self._epochs.get(partition)
        try:
            low, high = self.watermarks(partition)
        except TemporaryError as error:
            log.warning("gap_not_explained", partition=partition, detail=str(error))
            # Read from there again it is refused again, as soon as the broker answers.
            self._read_anew(partition, expected, NO_EPOCHS if epoch is None else {partition: epoch})
            return
        gap = divergence.outside(self.topic, partition, expected, low, high)
        if gap is None and low == expected and epoch is not None:
            self._read_anew(partition, expected, NO_EPOCHS)  # only the record before it is gone
            return
        # Inside the log and yet refused: what lies before the offset is not what was read.
        raise gap or divergence.truncated(self.topic, partition, expected)

    def _read_anew(self, partition: int, offset: int, epochs: Mapping[int, int]) -> None:
        """Start it inside a poll, which holds records and must not fail for a passing reason.

        Where the group is deciding, the next owner starts it; else it stalls, and that is watched.
        """
        try:
            self.start({partition: offset}, epochs)
        except TemporaryError as error:
            log.warning("start_delayed", partition=partition, detail=str(error))

    def _new(self, partition: int, run: Sequence[Record]) -> list[Record]:
        """Those records of a run that were not seen before, in their order."""
        expected = self._expected.get(partition)
        if expected is None:
            return []
        last = run[-1].offset()
        if run[0].offset() < expected or last - run[0].offset() < len(run) - 1:
            self._compare_epoch(partition, run[0], expected)
            kept = []
            for record in run:
                if record.offset() >= expected:
                    kept.append(record)
                    expected = record.offset() + 1
            run = kept
        if run:
            self._expected[partition] = run[-1].offset() + 1
        return list(run)

    def _compare_epoch(self, partition: int, record: Record, expected: int) -> None:
        epoch = self._epochs.get(partition)
        if record.offset() == expected - 1 and epoch is not None:
            self._epochs[partition] = None
            if record.leader_epoch() != epoch:
                raise divergence.truncated(self.topic, partition, expected)

    def rebalances(self) -> list[Rebalance]:
        """What the group decided since the last call, in order. Revoked partitions have stopped."""
        happened, self._rebalances = self._rebalances, []
        return happened

    def start(self, offsets: Mapping[int, int], epochs: Mapping[int, int] = NO_EPOCHS) -> None:
        """Read these partitions from these offsets on, whether or not they were read before.

        `epochs`: the leader epoch of the record before an offset, where it is known. Then that
        record is fetched too and its epoch compared: a log that was truncated since and filled
        again past the offset is noticed. (librdkafka validates no offset that it is given.)
        """
        with translating("starting partitions"):
            again = [partition for partition in offsets if partition in self._expected]
            if again:
                self._consumer.incremental_unassign(self._named(again))
            for partition in again:
                del self._expected[partition]
            self._consumer.incremental_assign(
                [
                    TopicPartition(self.topic, number, offset - (number in epochs))
                    for number, offset in offsets.items()
                ]
            )
        self._expected.update(offsets)
        self._epochs.update({number: epochs.get(number) for number in offsets})

    def pause(self) -> None:
        """Stop fetching; polling must go on, so that the group keeps this member."""
        with translating("pausing"):
            self._consumer.pause(self._named(self._expected))

    def resume(self) -> None:
        """Fetch again."""
        with translating("resuming"):
            self._consumer.resume(self._named(self._expected))

    def hint(self, offsets: Mapping[int, int]) -> None:
        """Tell Kafka how far the store is, for lag tools only; a failure changes nothing."""
        with contextlib.suppress(KafkaException):
            self._consumer.commit(
                offsets=[TopicPartition(self.topic, p, offset) for p, offset in offsets.items()],
                asynchronous=True,
            )

    def watermarks(self, partition: int) -> tuple[int, int]:
        """First kept offset, and the offset after the last committed record; from any thread.

        Raises TemporaryError also where the broker does not know the topic: it may be starting up,
        and whether the topic exists is for `Admin.identity` to say.
        """
        what = f"watermarks of {self.topic}[{partition}]"
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self.topic, partition), timeout=15.0
            )
        except KafkaException as error:
            if error.args[0].code() in UNKNOWN_TOPIC:
                raise TemporaryError(f"{what}: the broker does not know the topic") from None
            raise translated(error.args[0], what) from None
        except RuntimeError:  # closed meanwhile, for a new one
            raise TemporaryError(f"{what}: the client was replaced") from None
        return low, high

    def close(self, timeout_seconds: float) -> bool:
        """Leave the group; False where librdkafka did not come back in time (it can hang)."""
        closing = threading.Thread(target=self._leave, daemon=True, name="kafka-close")
        closing.start()
        closing.join(timeout_seconds)
        return not closing.is_alive()

    def _leave(self) -> None:
        if not self._assigned:
            # librdkafka's close leaves out LeaveGroup for a classic member without partitions:
            # the others would wait for it until its session is over.
            with contextlib.suppress(KafkaException):
                self._consumer.unsubscribe()
        self._consumer.close()

    def _named(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in partitions]

    # The callbacks run inside consume(), which throws away what it holds when one of them raises.
    # Acknowledging without partitions keeps librdkafka from assigning them on its own.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return  # forsaken
        stage("assign")
        self._outside_since = None
        consumer.incremental_assign([])
        numbers = [each.partition for each in partitions]
        self._assigned.update(numbers)
        self._rebalances.append(("assigned", numbers))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._stop(consumer, "revoked", [each.partition for each in partitions])

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._stop(consumer, "lost", [each.partition for each in partitions])

    def _stop(
        self, consumer: Consumer, kind: Literal["revoked", "lost"], partitions: list[int]
    ) -> None:
        if consumer is not self._consumer:
            return  # forsaken
        stage("revoke", kind=kind)
        if kind == "lost":
            self._outside_since = time.monotonic()
        self._assigned.difference_update(partitions)
        started = [partition for partition in partitions if partition in self._expected]
        for partition in started:
            del self._expected[partition]
        try:
            # librdkafka keeps a pause across assignments: here again, it would stay silent.
            consumer.resume(self._named(started))
            consumer.incremental_unassign(self._named(started))
        except KafkaException as error:
            log.warning("unassign_failed", kind=kind, detail=str(error.args[0]))
        self._rebalances.append((kind, partitions))
