"""Brokers, databases and members without Kafka, PostgreSQL, threads or time: a history on one page.

Everything happens in the order the test says; so any history can be told again from its seed.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ingester.batch import Slice, Topic, Written
from ingester.encoded import Encoded
from ingester.errors import TemporaryError
from ingester.pipeline import Clock, Pipeline
from ingester.retry import Retry
from ingester.settings import Settings
from tests.contract.broker import Broker, FakeSource
from tests.contract.memory_store import MemoryDatabase, MemoryStore
from tests.contract.schedule import Enough, Schedule, Time
from tests.contract.slices import TOPIC
from tests.contract.steps import Steps
from tests.record import headers_of


class NotedStore(MemoryStore):
    """A store whose writes stand in the diary of its member."""

    def __init__(self, database: MemoryDatabase, schedule: Schedule) -> None:
        super().__init__(database)
        self._schedule = schedule

    def write(self, topic: Topic, slices: Sequence[Slice], _: Encoded | None = None) -> Written:
        """Note the slices that are tried, and write them."""
        self._schedule.note("try", {part.partition: (part.start, part.end) for part in slices})
        written = super().write(topic, slices)
        self._schedule.note("write", dict(written.positions))
        return written


class Member:
    """One worker: its source, its writer, its pipeline."""

    def __init__(
        self, world: "World", settings: Settings, targets: Mapping[int, int] | None
    ) -> None:
        self.schedule = Schedule(world.time)
        self.source = FakeSource(world.broker, self.schedule)
        self.steps = Steps(self.schedule)
        self.schedule.between_polls = self.steps.step
        self.cluster_away = 0
        self.pipeline = Pipeline(
            settings=settings,
            source=self.source,
            store=NotedStore(world.database, self.schedule),
            identify=self._identify,
            headers_of=headers_of,
            clock=Clock(world.time.monotonic, world.time.now),
            retry=Retry(threading.Event()),
            jobs=self.steps,
            targets=targets,
        )

    def poll(self, times: int = 1) -> bool:
        """Run until it has polled so often; True where the pipeline came to its end before."""
        self.schedule.polls_left = times
        try:
            self.pipeline.run()
        except Enough:
            return False
        return True

    def did(self, *kinds: str) -> list[tuple[str, Any]]:
        """What stands in the diary, of these kinds."""
        return [entry for entry in self.schedule.diary if entry[0] in kinds]

    def _identify(self) -> Topic:
        if self.cluster_away:
            self.cluster_away -= 1
            raise TemporaryError("the cluster is away")
        return TOPIC


class World:
    """A topic, a database, and the time."""

    def __init__(self, partitions: int = 1) -> None:
        self.time = Time()
        self.broker = Broker(partitions)
        self.database = MemoryDatabase()

    def member(self, targets: Mapping[int, int] | None = None, **settings: Any) -> Member:
        """One more worker; batches are small and wait a second, unless settings say otherwise."""
        usual = {"ingester_batch_rows_max": 10, "ingester_batch_age_seconds_max": 1.0}
        return Member(self, Settings(_env_file=None, **(usual | settings)), targets)
