"""Asking the cluster: what librdkafka does not do by itself when its brokers come back."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from ingester.errors import NeedsAPerson, TemporaryError
from ingester.kafka import Admin
from ingester.settings import Settings

TOPIC = "campaign-events"


class Cluster:
    """In the place of AdminClient: one that was made during the outage will never answer."""

    is_down = True
    made = 0
    code = KafkaError._TIMED_OUT

    def __init__(self, _: dict[str, Any]) -> None:
        Cluster.made += 1
        self.is_lost = Cluster.is_down

    def describe_topics(self, _: object, **__: Any) -> dict[str, "Future[Any]"]:
        """An answer, or what librdkafka says instead."""
        future: Future[Any] = Future()
        if self.is_lost:
            future.set_exception(KafkaException(KafkaError(Cluster.code)))
        else:
            future.set_result(SimpleNamespace(topic_id="an id", partitions=[1, 2]))
        return {TOPIC: future}

    def describe_cluster(self, **_: Any) -> "Future[Any]":
        """Its id."""
        future: Future[Any] = Future()
        future.set_result(SimpleNamespace(cluster_id="a cluster"))
        return future

    def poll(self, _: float) -> int:
        """Nothing."""
        return 0


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Admin:
    monkeypatch.setattr("ingester.kafka.admin.AdminClient", Cluster)
    monkeypatch.setattr(Cluster, "made", 0)
    monkeypatch.setattr(Cluster, "is_down", True)
    monkeypatch.setattr(Cluster, "code", KafkaError._TIMED_OUT)
    return Admin(Settings(_env_file=None))


def test_a_client_that_does_not_come_back_after_an_outage_is_replaced(admin: Admin) -> None:
    with pytest.raises(TemporaryError):
        admin.identity(TOPIC)
    Cluster.is_down = False
    with pytest.raises(TemporaryError):
        admin.identity(TOPIC)  # this client was still made during the outage
    assert admin.identity(TOPIC).topic_id == "an id"


def test_a_client_that_answers_is_kept(admin: Admin) -> None:
    Cluster.code = KafkaError.UNKNOWN_TOPIC_OR_PART
    with pytest.raises(NeedsAPerson):
        admin.identity(TOPIC)
    assert Cluster.made == 1
