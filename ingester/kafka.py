"""The edge to Kafka: the only module that imports confluent_kafka.

Here librdkafka's habits are turned into plain facts for the pipeline: runs of records, ends of
partitions, assignments as events. Its errors become ours, by code. It must not know what a record
means, nor where offsets are stored; the caller says where each partition starts.

Rules kept here (from confluent-kafka and librdkafka reports): callbacks only note what happened and
never raise; partitions start only through `start`, with the offset set in the assignment; records
of partitions that are not started, and offsets below the expected one, are dropped.
"""

import contextlib
import itertools
import operator
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final, Literal, Protocol, Self, TypeVar, cast

import structlog
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec, TopicDescription

from ingester import divergence
from ingester.batch import Record
from ingester.errors import (
    IngesterError,
    NeedsAPerson,
    NotPermitted,
    SettingsError,
    TemporaryError,
)
from ingester.outcomes import Headers
from ingester.settings import Settings
from ingester.stage import stage

log = structlog.get_logger(__name__)

_NOT_PERMITTED: Final = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
_UNKNOWN_TOPIC: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
_NEEDS_A_PERSON: Final = {
    *_UNKNOWN_TOPIC,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._LOG_TRUNCATION,
    KafkaError.TOPIC_EXCEPTION,
}
_OFFSET_LOST: Final = {
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._LOG_TRUNCATION,
}


def translated(error: KafkaError, what: str) -> IngesterError:
    """Our error for one of librdkafka's; `what` says what was being done, and to what."""
    text = f"{what}: {error.str()} ({error.name()})"
    if error.code() in _NOT_PERMITTED:
        return NotPermitted(text)
    if error.code() in _NEEDS_A_PERSON:
        return NeedsAPerson(text)
    return TemporaryError(text)


def _client_conf(settings: Settings) -> dict[str, Any]:
    conf: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "campaign-ingester",
        "security.protocol": settings.kafka_security_protocol.lower(),
        # The error callback tells what matters, now and then; librdkafka itself would fill a log.
        "log_level": 2,
    }
    optional = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
        "ssl.ca.location": settings.kafka_ssl_ca_location,
        "ssl.certificate.location": settings.kafka_ssl_certificate_location,
        "ssl.key.location": settings.kafka_ssl_key_location,
        "ssl.key.password": settings.kafka_ssl_key_password,
    }
    for name, value in optional.items():
        if value is not None:
            reveal = getattr(value, "get_secret_value", None)
            conf[name] = reveal() if reveal else str(value)
    return conf


def _membership(settings: Settings) -> dict[str, Any]:
    """How a member of the group shows that it lives.

    Under the `consumer` protocol (KIP-848) the broker decides; a client that sets these is refused.
    """
    if settings.kafka_conf.get("group.protocol") == "consumer":
        return {}
    return {
        "partition.assignment.strategy": "cooperative-sticky",
        # A killed worker's partitions move after this long. librdkafka beats on a thread of its
        # own, so a busy pipeline does not miss a beat.
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 1_000,
    }


class _Errors:
    """librdkafka's global errors: logged now and then, and a refused login kept for the caller.

    An unreachable broker repeats itself many times a second; one line in ten seconds will do.
    """

    def __init__(self) -> None:
        self.refused: NotPermitted | None = None
        self._quiet_until: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        ours = translated(error, "Kafka")
        if isinstance(ours, NotPermitted):
            self.refused = ours
        now = time.monotonic()
        if now >= self._quiet_until.get(error.code(), 0.0):
            self._quiet_until[error.code()] = now + 10.0
            log.warning("kafka_unavailable", code=error.name(), detail=error.str()[:200])


Client = TypeVar("Client")
Result = TypeVar("Result")


def _made(make: Callable[[dict[str, Any]], Client], conf: dict[str, Any]) -> Client:
    try:
        return make(conf)
    except KafkaException as error:
        raise SettingsError(f"Kafka client: {error.args[0].str()}") from None


# Called through C on purpose: where a name is not UTF-8 the client returns a list with a hole AND
# an error. Only a call through C notices; the interpreter's specialised call goes on and crashes.
_headers_as_given = operator.methodcaller("headers")


def headers_of(record: Record) -> Headers:
    """The record's headers; empty where a name cannot be decoded (the client then fails)."""
    try:
        headers = _headers_as_given(record)
    except (UnicodeDecodeError, KafkaException, SystemError, ValueError):
        if isinstance(record, Message):
            # It keeps the broken list, and would hand it out at the next call.
            record.set_headers([])
        return ()
    return [(name, _as_bytes(value)) for name, value in headers or ()]


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """What a topic is, beyond its name: a topic made again under its name has another topic_id."""

    cluster_id: str
    topic_id: str
    partitions: int


_DESCRIBE_SECONDS: Final = 5.0
"""Asked before every write: a broker that does not answer in this time is asked again."""


class Admin:
    """Looks up and creates topics; every call is bounded in time."""

    def __init__(self, settings: Settings) -> None:
        self._errors = _Errors()
        conf = {**_client_conf(settings), **settings.kafka_conf, "error_cb": self._errors}
        self._client = _made(AdminClient, conf)
        self._timeout_seconds = 15.0
        self._cluster_id: str | None = None

    def identity(self, topic: str, patience_seconds: float = 0.0) -> TopicIdentity:
        """Ask the cluster; NeedsAPerson where the topic does not exist.

        A broker that has just started may not know a topic that exists: `patience_seconds` is how
        long to go on asking. The cluster is asked for its id once: another one has other topic ids.
        """
        give_up_at = time.monotonic() + patience_seconds
        while True:
            try:
                description = self._described(topic)
                break
            except NeedsAPerson:
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(0.5)
        if self._cluster_id is None:
            cluster = self._result(
                self._client.describe_cluster(request_timeout=self._timeout_seconds), "cluster"
            )
            self._cluster_id = str(cluster.cluster_id)
        return TopicIdentity(
            cluster_id=self._cluster_id,
            topic_id=str(description.topic_id),
            partitions=len(description.partitions),
        )

    def ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """First kept offset, and the offset after the last committed record, of each partition.

        Unlike `Source.watermarks` it asks for all at once, and from any thread.
        """
        places = [TopicPartition(topic, partition) for partition in partitions]
        if not places:
            return {}
        lows, highs = (
            self._client.list_offsets(
                dict.fromkeys(places, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=self._timeout_seconds,
            )
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
        )
        what = f"ends of topic {topic}"
        return {
            place.partition: (
                self._result(lows[place], what).offset,
                self._result(highs[place], what).offset,
            )
            for place in places
        }

    def create_topic(self, topic: str, partitions: int) -> bool:
        """Create the topic with the cluster's default replication; False where it exists."""
        future = self._client.create_topics(
            [NewTopic(topic, num_partitions=partitions)], request_timeout=self._timeout_seconds
        )[topic]
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise translated(error.args[0], f"creating topic {topic}") from None
        return True

    def _described(self, topic: str) -> TopicDescription:
        """Ask for the topic; where the cluster does not answer, look for its controller anew.

        librdkafka waits for the controller that it knows, though that broker may be dead and
        another one elected; only fresh metadata tells it (seen with a killed broker of three: no
        answer until it came back, 10 ms after a refresh). The failure stands; the next call works.
        """
        asked = TopicCollection([topic])
        try:
            futures = self._client.describe_topics(asked, request_timeout=_DESCRIBE_SECONDS)
            description: TopicDescription = self._result(futures[topic], f"topic {topic}")
        except TemporaryError:
            with contextlib.suppress(KafkaException):
                self._client.list_topics(topic, timeout=_DESCRIBE_SECONDS)
            raise
        return description

    def _result(self, future: "Future[Result]", what: str) -> Result:
        # A refused login is told by the error callback, which runs inside poll; the request itself
        # would only time out.
        while wait([future], 0.05).not_done:
            self._client.poll(0)
            if self._errors.refused:
                raise self._errors.refused
        try:
            return future.result()
        except KafkaException as error:
            raise translated(error.args[0], what) from None


class _Consumed(Record, Protocol):
    """A message that was consumed: unlike one to be produced, it has a place."""

    def partition(self) -> int:
        """Partition it was read from."""

    def error(self) -> KafkaError | None:
        """What it stands for, where it is no record."""


_error_of = operator.methodcaller("error")
_partition_of = operator.methodcaller("partition")


_GATHER_SECONDS: Final = 0.01
"""How long a poll waits for more than it has: consume() returns no sooner than full, or then.
Short, for what has come waits too; not zero, since decoding few at a time costs more."""


def _consume(consumer: Consumer, records_max: int, timeout_seconds: float) -> list[_Consumed]:
    with _translating("consuming"):
        return cast("list[_Consumed]", consumer.consume(records_max, timeout_seconds))


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
    protocol goes on while the store is asked, however long that takes.
    """

    def __init__(self, settings: Settings, client_name: str) -> None:
        self.topic = settings.kafka_topic
        self._expected: dict[int, int] = {}
        self._epochs: dict[int, int | None] = {}
        self._assigned: set[int] = set()
        self._rebalances: list[Rebalance] = []
        self._errors = _Errors()
        conf = {
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
            **_membership(settings),
            **_client_conf(settings),
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
        self._consumer = _made(Consumer, conf)
        self._consumer.subscribe(
            [self.topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def poll(self, records_max: int, timeout_seconds: float) -> Polled:
        """Serve the group protocol and return what has arrived, in the order it arrived.

        Raises NeedsAPerson for an offset out of range, NotPermitted for a refused login.
        """
        messages = _consume(self._consumer, records_max, min(timeout_seconds, _GATHER_SECONDS))
        if not messages and timeout_seconds > _GATHER_SECONDS:
            messages = _consume(self._consumer, 1, timeout_seconds - _GATHER_SECONDS)
        if self._errors.refused:
            raise self._errors.refused
        polled = Polled()
        # Looked at as columns: a loop over every message would cost as much as the rest of a poll.
        errors = list(map(_error_of, messages))
        none = set(map(type, errors)) <= {NoneType}
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

    def _note(self, message: _Consumed, polled: Polled) -> None:
        error = message.error()
        if error is None:
            return
        partition, offset = message.partition(), message.offset()
        if error.code() == KafkaError._PARTITION_EOF:
            polled.ends[partition] = offset
            return
        ours = translated(error, f"{self.topic}[{partition}] at offset {offset}")
        # A broker that starts up may not know the topic yet; that it exists was seen at the start.
        if isinstance(ours, TemporaryError) or error.code() in _UNKNOWN_TOPIC:
            log.warning("kafka_poll_failed", code=error.name(), partition=partition)
            return
        if error.code() in _OFFSET_LOST:
            self._explain(partition)
            return
        raise ours

    def _explain(self, partition: int) -> None:
        """Raise what an offset out of range means; one that is not ours any more means nothing."""
        expected = self._expected.get(partition)
        if expected is None:
            return
        low, high = self.watermarks(partition)
        gap = divergence.outside(self.topic, partition, expected, low, high)
        if gap is None and low == expected and self._epochs.get(partition) is not None:
            self.start({partition: expected})  # only the record before it is gone
            return
        # Inside the log and yet refused: what lies before the offset is not what was read.
        raise gap or divergence.truncated(self.topic, partition, expected)

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
        with _translating("starting partitions"):
            again = [partition for partition in offsets if partition in self._expected]
            for partition in again:
                del self._expected[partition]
            if again:
                self._consumer.incremental_unassign(self._named(again))
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
        with _translating("pausing"):
            self._consumer.pause(self._named(self._expected))

    def resume(self) -> None:
        """Fetch again."""
        with _translating("resuming"):
            self._consumer.resume(self._named(self._expected))

    def hint(self, offsets: Mapping[int, int]) -> None:
        """Tell Kafka how far the store is, for lag tools only; a failure changes nothing."""
        with contextlib.suppress(KafkaException):
            self._consumer.commit(
                offsets=[TopicPartition(self.topic, p, offset) for p, offset in offsets.items()],
                asynchronous=True,
            )

    def watermarks(self, partition: int) -> tuple[int, int]:
        """First kept offset, and the offset after the last committed record."""
        with _translating(f"watermarks of {self.topic}[{partition}]"):
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self.topic, partition), timeout=15.0
            )
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
        stage("assign")
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
        stage("revoke", kind=kind)
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


_SILENCE_SECONDS_MAX: Final = 60.0


class Reader:
    """Reads ranges of a topic again, outside any group: for verification."""

    def __init__(self, settings: Settings) -> None:
        self.topic = settings.kafka_topic
        conf = {
            **_client_conf(settings),
            **settings.kafka_conf,
            "group.id": f"{settings.kafka_group_id}-verify",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
        self._consumer = _made(Consumer, conf)

    def watermarks(self, partition: int) -> tuple[int, int]:
        """First kept offset, and the offset after the last committed record."""
        with _translating(f"watermarks of {self.topic}[{partition}]"):
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self.topic, partition), timeout=15.0
            )
        return low, high

    def is_truncated(self, partition: int, offset: int, leader_epoch: int | None) -> bool:
        """Whether the log was cut below an offset that has this epoch before it, and regrown."""
        if leader_epoch is None:
            return False
        if offset - 1 < self.watermarks(partition)[0]:
            return False
        for found in self.read(partition, offset - 1, offset):
            return found[0].offset() == offset - 1 and found[0].leader_epoch() != leader_epoch
        return False

    def read(self, partition: int, first: int, end: int) -> Iterator[list[Record]]:
        """Yield the committed records with first <= offset < end, in order, some at a time."""
        if first >= end:
            return
        self._consumer.assign([TopicPartition(self.topic, partition, first)])
        silent_since = time.monotonic()
        position = first
        while position < end:
            found: list[Record] = []
            for message in _consume(self._consumer, 10_000, 0.5):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    position = max(position, message.offset())
                elif error is not None:
                    raise translated(error, f"reading {self.topic}[{partition}]")
                elif message.offset() < end:
                    found.append(message)
                    position = message.offset() + 1
                else:
                    position = end
            if found:
                silent_since = time.monotonic()
                yield found
            elif time.monotonic() - silent_since > _SILENCE_SECONDS_MAX:
                raise TemporaryError(f"{self.topic}[{partition}]: nothing came for a minute")

    def close(self) -> None:
        """Free the client."""
        self._consumer.close()


class Publisher:
    """An idempotent producer that waits for all replicas and counts what was delivered."""

    def __init__(self, settings: Settings, topic: str | None = None) -> None:
        self._topic = topic or settings.kafka_topic
        self._errors = _Errors()
        self._failed: IngesterError | None = None
        self.delivered = 0
        self._producer = _made(
            Producer,
            {
                "linger.ms": 20,
                "batch.num.messages": 10_000,
                "compression.type": "lz4",
                **_client_conf(settings),
                **settings.kafka_conf,
                "enable.idempotence": True,
                "acks": "all",
                "error_cb": self._errors,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()

    def publish(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        on_delivery: Callable[[IngesterError | None], None] | None = None,
    ) -> None:
        """Hand one record to the client; waits while its queue is full.

        `on_delivery` is told what became of it, inside a later call; without it a failure stays
        with the publisher, whose calls then raise it.
        """
        note = self._keep if on_delivery is None else self._telling(on_delivery)
        arguments: dict[str, Any] = {"key": key, "value": value, "on_delivery": note}
        if headers:
            arguments["headers"] = list(headers)
        if partition is not None:
            arguments["partition"] = partition
        while True:
            try:
                self._producer.produce(self._topic, **arguments)
            except BufferError:
                self._producer.poll(0.1)
                self._raise_failure()
            except KafkaException as error:
                raise translated(error.args[0], f"publishing to {self._topic}") from None
            else:
                self._producer.poll(0)
                return

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until everything is delivered; raises where something was not."""
        left = self._producer.flush(timeout_seconds)
        self._raise_failure()
        if left:
            raise TemporaryError(f"{left} records not delivered after {timeout_seconds:g} s")

    def _keep(self, error: KafkaError | None, _: Message) -> None:
        failure = self._outcome(error)
        if self._failed is None:
            self._failed = failure

    def _telling(
        self, tell: Callable[[IngesterError | None], None]
    ) -> Callable[[KafkaError | None, Message], None]:
        return lambda error, _: tell(self._outcome(error))

    def _outcome(self, error: KafkaError | None) -> IngesterError | None:
        if error is None:
            self.delivered += 1
            return None
        return translated(error, f"publishing to {self._topic}")

    def _raise_failure(self) -> None:
        if self._errors.refused:
            raise self._errors.refused
        if self._failed:
            raise self._failed


@contextlib.contextmanager
def _translating(what: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise translated(error.args[0], what) from None
