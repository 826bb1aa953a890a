"""One worker of the simulation: the real pipeline and Kafka edge, and nothing real below them."""

import functools
import threading
from collections.abc import Mapping
from random import Random
from unittest.mock import patch

from ingester.batch import Topic
from ingester.errors import TemporaryError
from ingester.kafka import Source
from ingester.pipeline import Clock, Pipeline
from ingester.retry import Retry
from ingester.settings import Settings
from tests.contract.broker import Broker
from tests.contract.schedule import Enough, Schedule, Time
from tests.contract.slices import TOPIC
from tests.contract.steps import Steps
from tests.record import headers_of
from tests.simulation.client import Client
from tests.simulation.database import Database, Store

ROWS = (3, 10, 40)


@functools.cache
def _settings(rows: int) -> Settings:
    """They are made of the whole environment: once is enough for ten thousand lives."""
    return Settings(
        _env_file=None,
        ingester_batch_rows_max=rows,
        ingester_batch_age_seconds_max=0.3,
        ingester_breaker_records=0,
    )


class Worker:
    """A member of the group, with everything it holds in memory."""

    def __init__(
        self,
        broker: Broker,
        database: Database,
        time: Time,
        random: Random,
        targets: Mapping[int, int] | None = None,
    ) -> None:
        settings = _settings(random.choice(ROWS))
        self._random = random
        self.schedule = Schedule(time)
        self.client = Client(broker, self.schedule, random)
        with patch("ingester.kafka.source.Consumer", lambda _: self.client):
            source = Source(settings, "simulated")
        self.steps = Steps(self.schedule)
        self.schedule.between_polls = self.steps.step
        self.pipeline = Pipeline(
            settings=settings,
            source=source,
            store=Store(database),
            identify=self._identify,
            headers_of=headers_of,
            clock=Clock(time.monotonic, time.now),
            retry=Retry(threading.Event()),
            jobs=self.steps,
            targets=targets,
        )

    def poll(self, times: int) -> bool:
        """Run until it has polled so often; True where the pipeline came to its end before."""
        self.schedule.polls_left = times
        try:
            self.pipeline.run()
        except Enough:
            return False
        return True

    def behave(self) -> None:
        """From now on its client misbehaves no more, and nothing holds its writer."""
        self.client.well_behaved = True
        self.steps.held = False

    def _identify(self) -> Topic:
        if not self.client.well_behaved and self._random.random() < 0.03:
            raise TemporaryError("the cluster is away")
        return TOPIC
