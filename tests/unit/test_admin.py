"""Asking the cluster: what librdkafka does not do by itself when a controller dies."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from ingester import kafka
from ingester.errors import TemporaryError
from ingester.kafka import Admin
from ingester.settings import Settings


class Cluster:
    """In the place of AdminClient: waits for a dead controller until metadata is asked for."""

    def __init__(self, _: dict[str, Any]) -> None:
        self.knows_its_controller = False

    def describe_topics(self, _: object, **__: Any) -> dict[str, "Future[Any]"]:
        """No answer from a controller that is dead."""
        future: Future[Any] = Future()
        if self.knows_its_controller:
            future.set_result(SimpleNamespace(topic_id="an id", partitions=[1, 2]))
        else:
            future.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
        return {"campaign-events": future}

    def list_topics(self, _: str, **__: Any) -> None:
        """Metadata tells who is the controller now."""
        self.knows_its_controller = True

    def describe_cluster(self, **_: Any) -> "Future[Any]":
        """Its id."""
        future: Future[Any] = Future()
        future.set_result(SimpleNamespace(cluster_id="a cluster"))
        return future


def test_a_controller_that_died_is_looked_for_before_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "AdminClient", Cluster)
    admin = Admin(Settings(_env_file=None))
    with pytest.raises(TemporaryError):
        admin.identity("campaign-events")
    assert admin.identity("campaign-events").topic_id == "an id"
