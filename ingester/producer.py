"""Publishing campaign events from an application; docs/producing.md has the contract and examples.

    with EventProducer() as producer:
        producer.publish(NewEvent(campaign_id="spring-sale", event_type="opened",
                                  occurred_at=datetime.now(UTC)))

Every event is judged as the ingester will judge it, goes to the partition of its campaign, and
counts as delivered when all in-sync replicas have it. librdkafka's idempotent producer repeats what
gets lost on the way; what it gives up comes back as NotDelivered and may be published again: the
event keeps its id, so that it counts once, whether or not the broker had taken it.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from ingester.errors import IngesterError, InvalidEvent, TemporaryError
from ingester.kafka import Publisher
from ingester.new_event import NewEvent, new_event_id
from ingester.outcomes import EPOCH, Window
from ingester.settings import Settings, load_settings

__all__ = ["EventProducer", "InvalidEvent", "NewEvent", "NotDelivered", "new_event_id"]

FLUSH_SECONDS: Final = 60.0


class NotDelivered(TemporaryError):
    """Kafka did not take some events; published again, as they are, each still counts once.

    `events` are those; `reason` is what happened to the first of them. A reason that is not
    temporary (a missing privilege, a missing topic) must be seen to before it helps to try again.
    """

    def __init__(self, events: tuple[NewEvent, ...], reason: IngesterError) -> None:
        super().__init__(f"{len(events)} events not delivered, the first because of {reason}")
        self.events = events
        self.reason = reason


def _placed_as_by_kafkas_own_client(settings: Settings) -> Settings:
    """A campaign has one partition, whatever client publishes its events (librdkafka differs)."""
    conf = {"partitioner": "murmur2_random", **settings.kafka_conf}
    return settings.model_copy(update={"kafka_conf": conf})


class EventProducer:
    """Publishes events; may be shared by threads. Leaving the with block delivers what is open.

    Connects as the settings (KAFKA_…) say; `now` is its clock.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings or load_settings()
        self._publisher = Publisher(_placed_as_by_kafkas_own_client(self._settings))
        self._now = now
        self._lock = threading.Lock()
        self._failed: list[tuple[NewEvent, IngesterError]] = []

    def publish(self, event: NewEvent) -> None:
        """Hand one event over; returns before it is delivered, and waits while the queue is full.

        Raises InvalidEvent where the ingester would reject it: then nothing was handed over.
        """
        window = Window.around(
            self._now(), self._settings.window_back, self._settings.window_ahead, EPOCH
        )
        value = event.value(window)

        def note(error: IngesterError | None) -> None:
            if error is not None:
                with self._lock:
                    self._failed.append((event, error))

        self._publisher.publish(event.key, value, on_delivery=note)

    def publish_all(self, events: Iterable[NewEvent]) -> None:
        """Hand several over, in their order; those before an invalid one have been handed over."""
        for event in events:
            self.publish(event)

    def flush(self, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Wait until everything handed over is delivered.

        Raises NotDelivered with the events that were given up since the last flush, and
        TemporaryError where some are still under way after `timeout_seconds`: flush again.
        """
        try:
            self._publisher.flush(timeout_seconds)
        finally:
            with self._lock:
                failed, self._failed = self._failed, []
            if failed:
                raise NotDelivered(tuple(event for event, _ in failed), failed[0][1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.flush()
        except IngesterError as undelivered:
            if error is None:
                raise
            error.add_note(f"moreover: {undelivered}")
