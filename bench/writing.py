"""The write path in one thread, stage by stage, with the processor time of both sides."""

import gc
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import methodcaller

import orjson

from bench.cpu import server_seconds
from ingester.batch import Record, Slice, Topic
from ingester.decoder import decode
from ingester.kafka import Reader, headers_of
from ingester.outcomes import EPOCH, Window
from ingester.settings import Settings
from ingester.stage import BATCH_STAGES
from ingester.store.events import EventStore

_value_of = methodcaller("value")
Batches = list[dict[int, list[Record]]]
"""Runs of records by partition, so many partitions a batch."""


@dataclass(slots=True)
class Clock:
    """Processor seconds by stage: of this process, and of the server of that backend."""

    backend_pid: int = 0
    own: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    server: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _since: tuple[str, float, float] = ("", 0.0, 0.0)

    def follow(self, name: str) -> None:
        """Listen to the write path: see `ingester.stage.listen`, which nobody can take back."""
        if name in {*BATCH_STAGES, "committed"}:
            self.enter(name)

    def enter(self, stage: str) -> None:
        """What was spent since the last call belongs to the stage entered then."""
        before, own, server = self._since
        now_own, now_server = time.process_time(), server_seconds(self.backend_pid) or 0.0
        if before:
            self.own[before] += now_own - own
            self.server[before] += now_server - server
        self._since = (stage, time.process_time(), now_server)


def fetch(settings: Settings, clock: Clock, partitions: int) -> Batches:
    """Read the whole topic in runs of 10,000: what the client alone costs."""
    reader = Reader(settings)
    clock.enter("fetch")
    runs = [
        list(reader.read(partition, *reader.watermarks(partition)))
        for partition in range(partitions)
    ]
    clock.enter("")
    reader.close()
    return [
        {partition: run[number] for partition, run in enumerate(runs) if number < len(run)}
        for number in range(max(map(len, runs)))
    ]


def parse(batches: Batches, clock: Clock) -> None:
    """The floor of decoding: orjson makes dictionaries, and nobody looks at them."""
    clock.enter("floor: orjson.loads")
    for batch in batches:
        for records in batch.values():
            for value in map(_value_of, records):
                orjson.loads(value)
    clock.enter("")


class Writing:
    """Decode, look up, encode and write batches as a worker does, one thing after the other."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        gc.set_threshold(200_000, 50, 100)  # as ingester.worker sets it
        self._clock = clock
        self._store = EventStore(settings, "bench", headers_of)
        self._topic = Topic(settings.kafka_topic, "bench", "bench")
        now = datetime.now(UTC)
        self._window = Window.around(now, settings.window_back, settings.window_ahead, EPOCH)

    def write(self, batches: Batches, measured_from: int) -> int:
        """Write all; those before `measured_from` warm up. Returns the events measured."""
        positions = dict(self._store.positions(self._topic, dict.fromkeys(batches[0], 0)))
        measured = 0
        for number, batch in enumerate(batches):
            if number == measured_from:
                self._clock.own.clear()
                self._clock.server.clear()
            written = self._write(batch, positions)
            measured += written if number >= measured_from else 0
        self._clock.enter("")
        return measured

    def close(self) -> None:
        """Give the connection back."""
        self._store.close()

    def _write(self, batch: Mapping[int, Sequence[Record]], positions: dict[int, int]) -> int:
        enter = self._clock.enter
        enter("decode and validate")
        slices = []
        for partition, records in batch.items():
            values = list(map(_value_of, records))
            outcomes = decode(values, lambda i, run=records: headers_of(run[i]), self._window)  # type: ignore[misc]
            end = records[-1].offset() + 1
            slices.append(Slice(partition, positions[partition], end, list(records), outcomes))
        enter("key lookup")
        look_up = self._store.look_up_ahead([part.outcomes for part in slices])
        if look_up is not None:
            look_up()
        enter("encode")
        encoded = self._store.encode_ahead(slices)
        enter("prepare")
        written = self._store.write(self._topic, slices, encoded)
        positions.update(written.positions)
        return written.records
