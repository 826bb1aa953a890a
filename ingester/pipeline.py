"""poll → decode → add to the batch → when full, write in one transaction → hint Kafka.

One thread polls and decodes, another writes, so that decoding the next batch overlaps with copying
this one. On assign: start from the store. On revoke: drop the open batch, which is safe, since
offsets live in the store. Here is no Kafka and no PostgreSQL: a source, a store and a clock are
passed in, so that a whole history can be simulated.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from operator import methodcaller
from typing import Any, Protocol, TypeVar

import structlog

from ingester import divergence
from ingester.batch import Batch, Limits, Record, Slice, Topic, Written
from ingester.breaker import Breaker
from ingester.decoder import decode
from ingester.encoded import Encoded
from ingester.errors import TemporaryError
from ingester.observing import metric
from ingester.observing.metric import Meter, Unmetered
from ingester.outcomes import Headers, Outcomes, Window
from ingester.retry import Retry
from ingester.settings import Settings
from ingester.stage import stage

log = structlog.get_logger(__name__)

Job = TypeVar("Job")

_value_of = methodcaller("value")
IDLE_SECONDS = 0.1
"""How long a poll may wait while nothing is due; stopping and rebalances are seen this often."""


class Source(Protocol):
    """What the pipeline needs of a consumer; see `ingester.kafka.Source`."""

    def poll(self, records_max: int, timeout_seconds: float) -> "Polled": ...
    def rebalances(self) -> "Sequence[tuple[str, list[int]]]": ...
    def start(self, offsets: Mapping[int, int], epochs: Mapping[int, int]) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def hint(self, offsets: Mapping[int, int]) -> None: ...
    def watermarks(self, partition: int) -> tuple[int, int]: ...


class Polled(Protocol):
    """What one poll brought: runs of records by partition, and ends that were reached."""

    @property
    def runs(self) -> "Sequence[tuple[int, Sequence[Record]]]": ...
    @property
    def ends(self) -> Mapping[int, int]: ...


class Store(Protocol):
    """What the pipeline needs of a database; see `ingester.store.events.EventStore`."""

    def positions(self, topic: Topic, beginnings: Mapping[int, int]) -> dict[int, int]: ...
    def epochs(self, topic: str) -> dict[int, int]: ...
    def offsets(self, topic: str) -> dict[int, int]: ...
    def floor(self) -> datetime: ...
    def look_up_ahead(self, decoded: Sequence[Outcomes]) -> Callable[[], None] | None: ...
    def encode_ahead(self, slices: Sequence[Slice]) -> Encoded | None: ...
    def write(
        self, topic: Topic, slices: Sequence[Slice], encoded: Encoded | None = None
    ) -> Written: ...


@dataclass(slots=True)
class Totals:
    """What this worker has written since it started."""

    batches: int = 0
    records: int = 0
    inserted: int = 0
    duplicates: int = 0
    rejected: int = 0
    refused: int = 0


@dataclass(slots=True)
class Clock:
    """The two clocks: a monotonic one for durations, a wall clock for the accepted window."""

    monotonic: Callable[[], float]
    now: Callable[[], datetime]


@dataclass(slots=True)
class Pipeline:
    """One consumer of the group with its open batch and at most one batch being written.

    `identify` asks the cluster what the topic is; `targets` maps each partition to the offset at
    which `until caught up` is reached (None: run until told to stop).
    """

    settings: Settings
    source: Source
    store: Store
    identify: Callable[[], Topic]
    headers_of: Callable[[Record], Headers]
    clock: Clock
    retry: Retry
    jobs: ThreadPoolExecutor
    targets: Mapping[int, int] | None = None
    meter: Meter = field(default_factory=Unmetered)
    totals: Totals = field(default_factory=Totals)

    _positions: dict[int, int] = field(default_factory=dict)
    _stored: dict[int, int] = field(default_factory=dict)
    _to_restart: set[int] = field(default_factory=set)
    _assigned: set[int] = field(default_factory=set)
    _starting: "Future[dict[int, int]] | None" = None
    _writing: "Future[Written] | None" = None
    _checking: "Future[dict[int, int]] | None" = None
    _looking_up: "Future[None] | None" = None
    _check_at: float = 0.0
    _start_at: float = 0.0
    _floor: datetime | None = None
    _epochs: Mapping[int, int] = field(default_factory=dict)
    _encoded: Encoded | None = None
    _paused: bool = False
    _stopping: bool = False
    _topic: Topic | None = None
    _batch: Batch = field(init=False)
    _breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        """Open the first batch."""
        self._breaker = Breaker(
            self.settings.ingester_breaker_records, self.settings.ingester_breaker_refused_share
        )
        self._open_batch()

    def stop(self) -> None:
        """Finish soon; callable from a signal handler."""
        self._stopping = True

    def run(self) -> bool:
        """Consume until stopped, or until the targets are reached: True then.

        Raises what a person must look at.
        """
        while not self._stopping:
            if self._caught_up():
                return True
            self.meter.set(metric.LOOP, self.clock.now().timestamp())
            polled = self.source.poll(self._room(), self._patience())
            self._follow_group()
            self._take(polled)
            self._restart_stalled()
            self._start_partitions()
            self._settle_write()
            if self._is_due():
                self._hand_over()
            if self._paused and not self._batch.is_full:
                self._resume()
        return False

    def stored(self) -> Mapping[int, int]:
        """The stored offset of each partition that is read here; callable from any thread."""
        return dict(self._stored)

    def restart(self, partitions: Iterable[int]) -> None:
        """Read these anew from their stored offsets, soon; callable from any thread."""
        self._to_restart = set(partitions)

    def finish(self, timeout_seconds: float, *, write_open_batch: bool) -> bool:
        """Wait for the write under way, then write the open batch; False where time ran out.

        Whatever is not written is read again by the next consumer.
        """
        deadline = self.clock.monotonic() + timeout_seconds
        if not self._await_write(deadline):
            return False
        if write_open_batch:
            self._hand_over()
        return self._await_write(deadline) and self._await_look_ups(deadline)

    def _await_look_ups(self, deadline: float) -> bool:
        jobs: list[Future[Any]] = [
            job for job in (self._starting, self._checking, self._looking_up) if job is not None
        ]
        return not wait(jobs, max(deadline - self.clock.monotonic(), 0.0)).not_done

    def _await_write(self, deadline: float) -> bool:
        if self._writing is not None:
            try:
                self._writing.result(max(deadline - self.clock.monotonic(), 0.0))
            except TimeoutError:
                return False
            self._settle_write()
        return True

    # -- taking records

    def _room(self) -> int:
        return 1 if self._batch.is_full else min(self._batch.rows_left, 10_000)

    def _patience(self) -> float:
        due_in = self._batch.seconds_left(self.clock.monotonic())
        if due_in is None or self._writing is not None:
            return IDLE_SECONDS
        return min(due_in, IDLE_SECONDS)

    def _take(self, polled: Polled) -> None:
        if not polled.runs and not polled.ends:
            return
        self._encoded = None  # it changes
        now = self.clock.monotonic()
        window = self._window()
        decoded: list[Outcomes] = []
        for partition, records in polled.runs:
            if partition not in self._positions:
                continue
            values = list(map(_value_of, records))
            outcomes = decode(values, lambda i, run=records: self.headers_of(run[i]), window)  # type: ignore[misc]
            self._breaker.judge(partition, outcomes)
            decoded.append(outcomes)
            size_bytes = sum(map(len, filter(None, values)))
            self._batch.add(
                partition, self._positions[partition], records, outcomes, size_bytes, now
            )
        for partition, end in polled.ends.items():
            if partition in self._positions:
                self._batch.advance(partition, self._positions[partition], end, now)
        look_up = self.store.look_up_ahead(decoded)
        if look_up is not None:
            # The writer has time for it while the batch fills, and none when it is full.
            self._looking_up = self._submit(look_up)

    def _window(self) -> Window:
        settings = self.settings
        floor = self._floor or datetime.min.replace(tzinfo=self.clock.now().tzinfo)
        return Window.around(self.clock.now(), settings.window_back, settings.window_ahead, floor)

    # -- following the group

    def _follow_group(self) -> None:
        for kind, partitions in self.source.rebalances():
            log.info("rebalance", kind=kind, partitions=sorted(partitions))
            self.meter.add(metric.REBALANCES, 1, kind)
            if kind != "revoked":  # a member that gave partitions back is still one
                self.meter.set(metric.JOINED, kind == "assigned")
            if kind == "assigned":
                self._assigned.update(partitions)
            else:
                self._assigned.difference_update(partitions)
                self._forget(partitions)

    def _forget(self, partitions: Sequence[int]) -> None:
        self._batch.drop(partitions)
        self._encoded = None
        self._breaker.forget(partitions)
        for partition in partitions:
            self._positions.pop(partition, None)
            self._stored.pop(partition, None)

    def _restart_stalled(self) -> None:
        """Forget partitions that stand still without an error; they start from the store again.

        Not during a write: a database that is away is what they wait for then.
        """
        if self._to_restart and self._writing is None:
            stalled, self._to_restart = self._to_restart, set()
            self._forget([partition for partition in stalled if partition in self._positions])

    def _start_partitions(self) -> None:
        """Give newly assigned partitions their offset, as soon as the store has told it."""
        if self._starting is not None:
            if self._starting.done():
                stored, self._starting = self._starting.result(), None
                # One that a refused write has started meanwhile must not be started twice.
                unstarted = self._assigned - self._positions.keys()
                self._start({p: stored[p] for p in stored if p in unstarted}, self._epochs)
            return
        waiting = sorted(self._assigned - self._positions.keys())
        if not waiting or self.clock.monotonic() < self._start_at:
            return
        try:
            topic = self.identify()
            watermarks = {partition: self.source.watermarks(partition) for partition in waiting}
        except TemporaryError as error:
            log.warning("start_delayed", detail=str(error))
            self._start_at = self.clock.monotonic() + 1.0
            return
        self._topic = topic
        self._starting = self._submit(lambda: self._stored_positions(topic, watermarks))

    def _stored_positions(
        self, topic: Topic, watermarks: Mapping[int, tuple[int, int]]
    ) -> dict[int, int]:
        beginnings = {partition: low for partition, (low, _) in watermarks.items()}
        self._floor = self.store.floor()
        stored = self.store.positions(topic, beginnings)
        # Read after the positions: an epoch older than its offset would look like a truncation.
        epochs = self.store.epochs(topic.name)
        self._epochs = {
            partition: epoch
            for partition, epoch in epochs.items()
            if stored.get(partition, 0) > beginnings.get(partition, 0)
        }
        for partition, offset in stored.items():
            low, high = watermarks[partition]
            if offset > high:
                # This job may have waited long behind a write, while another member went on.
                low, high = self.source.watermarks(partition)
            gap = divergence.outside(topic.name, partition, offset, low, high)
            if gap is not None:
                raise gap
        return stored

    def _start(self, offsets: Mapping[int, int], epochs: Mapping[int, int]) -> None:
        if offsets:
            try:
                self.source.start(offsets, epochs)
            except TemporaryError as error:
                # The group is deciding again: without a position they are asked for once more.
                log.warning("start_delayed", detail=str(error))
                return
            self._positions.update(offsets)
            self._stored.update(offsets)
            log.info("partitions_started", offsets=dict(sorted(offsets.items())))

    # -- writing

    def _is_due(self) -> bool:
        due_in = self._batch.seconds_left(self.clock.monotonic())
        return due_in is not None and (self._batch.is_full or due_in <= 0 or self._has_read_all())

    def _has_read_all(self) -> bool:
        """Whether what is waited for has all been read: nothing more will join the batch."""
        if self.targets is None or not self._positions:
            return False
        read = {partition: part.end for partition, part in self._batch.slices.items()}
        return all(
            read.get(partition, position) >= self.targets.get(partition, 0)
            for partition, position in self._positions.items()
        )

    def _hand_over(self) -> None:
        """Give the open batch to the writer; where it is still busy, wait a little.

        A write that takes long is an outage: the partitions are paused and polling goes on, so
        that the group keeps this member however long it lasts.
        """
        if self._writing is not None:
            if not self._batch.is_full:
                return
            self._encode_ahead()
            try:
                self._writing.result(1.0)
            except TimeoutError:
                if not self._paused:
                    self._pause()
                return
            self._settle_write()
        topic, slices = self._topic, list(self._batch.slices.values())
        if topic is None or not slices:
            return
        for part in slices:
            self._positions[part.partition] = part.end
        self._encode_ahead()
        encoded = self._encoded
        self._writing = self._submit(lambda: self._write(topic, slices, encoded))
        self._open_batch()

    def _pause(self) -> None:
        try:
            self.source.pause()
        except TemporaryError as error:
            log.warning("pause_failed", detail=str(error))  # the next turn tries again
        else:
            log.warning("writer_busy", detail="partitions are paused, polling goes on")
            self._paused = True

    def _resume(self) -> None:
        try:
            self.source.resume()
        except TemporaryError as error:
            log.warning("resume_failed", detail=str(error))
        else:
            self._paused = False

    def _write(self, topic: Topic, slices: Sequence[Slice], encoded: Encoded | None) -> Written:
        """Write, if the records are of the topic whose offsets are stored.

        A topic that is made again under its name goes on delivering, without an error, from the
        same offset. Its id is asked after the records were fetched and ids are unique: if it is
        the old one, so were they.
        """
        found = self.identify()
        if found.topic_id != topic.topic_id:
            raise divergence.made_again(topic, found)
        return self.store.write(topic, slices, encoded)

    def _encode_ahead(self) -> None:
        """Encode the open batch on this thread while the writer is still copying the last one."""
        if self._encoded is None:
            self._encoded = self.store.encode_ahead(list(self._batch.slices.values()))

    def _settle_write(self) -> None:
        """Take in the result of a write that has ended."""
        if self._writing is None or not self._writing.done():
            return
        written, self._writing = self._writing.result(), None
        self.totals.batches += 1
        self.totals.records += written.records
        self.totals.inserted += written.inserted
        self.totals.duplicates += written.duplicates
        self.totals.rejected += written.rejected
        log.debug("batch_written", records=written.records, positions=written.positions)
        self._measure(written)
        stage("hint")
        self.source.hint({p: o for p, o in written.positions.items() if p in self._assigned})
        if written.refused:
            # Somebody else moved on: what was read since is worthless, the store knows better.
            self.totals.refused += len(written.refused)
            log.warning("positions_refused", stored=dict(written.refused))
            self._forget(list(written.refused))
            self._start({p: o for p, o in written.refused.items() if p in self._assigned}, {})

    def _measure(self, written: Written) -> None:
        """Once per batch: what became of it."""
        for partition, offset in written.positions.items():
            if partition in self._stored:
                self._stored[partition] = offset
        meter = self.meter
        meter.add(metric.REFUSED, len(written.refused))
        if not written.positions:
            return
        meter.add(metric.BATCHES)
        meter.add(metric.RECORDS, written.records)
        meter.add(metric.EVENTS, written.inserted)
        meter.add(metric.DUPLICATES, written.duplicates)
        for reason, count in written.reasons.items():
            meter.add(metric.REJECTED, count, reason)
        meter.set(metric.LAST_COMMIT, self.clock.now().timestamp())

    def _submit(self, job: Callable[[], Job]) -> "Future[Job]":
        """Run a job on the writer's thread, again and again while the world is failing."""
        return self.jobs.submit(self.retry, job)

    def _open_batch(self) -> None:
        self._encoded = None
        settings = self.settings
        self._batch = Batch(
            Limits(
                settings.ingester_batch_rows_max,
                settings.ingester_batch_bytes_max,
                settings.ingester_batch_age_seconds_max,
            )
        )

    # -- until caught up

    def _caught_up(self) -> bool:
        """Whether the stored offsets of ALL partitions have reached their targets."""
        if self.targets is None:
            return False
        if self._checking is not None and self._checking.done():
            stored, self._checking = self._checking.result(), None
            return all(stored.get(p, 0) >= target for p, target in self.targets.items())
        if self._checking is None and self.clock.monotonic() >= self._check_at:
            self._check_at = self.clock.monotonic() + 0.25
            self._checking = self._submit(lambda: self._reached(self.settings.kafka_topic))
        return False

    def _reached(self, topic: str) -> dict[int, int]:
        """The stored offsets; one beyond its target must lie inside the log to count as reached."""
        stored = self.store.offsets(topic)
        for partition, target in (self.targets or {}).items():
            offset = stored.get(partition, 0)
            if offset > target:
                low, high = self.source.watermarks(partition)
                gap = divergence.outside(topic, partition, offset, low, high)
                if gap is not None:
                    raise gap
        return stored
