"""Events that an application publishes: each counts once, and one that was not taken comes back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from ingester.errors import InvalidEvent, TemporaryError
from ingester.outcomes import Window
from ingester.producer import EventProducer, NewEvent, NotDelivered
from ingester.settings import Settings
from tests.acceptance.ingester import Ingester
from tests.checker.client import KafkaProducer
from tests.checker.tables import read_tables
from tests.checker.topic import read_topic

NOW: Final = datetime.now(UTC)
UNREACHABLE: Final = "127.0.0.1:9"
"""The discard port: nobody listens there."""


def settings_of(ingester: Ingester, bootstrap: str | None = None, **conf: str) -> Settings:
    return Settings(
        kafka_bootstrap_servers=bootstrap or ingester.bootstrap,
        kafka_topic=ingester.topic,
        kafka_conf=conf,
    )


def event(number: int) -> NewEvent:
    return NewEvent(
        campaign_id=f"campaign-{number % 5}",
        event_type="opened",
        occurred_at=NOW - timedelta(seconds=number),
        count=1 + number % 3,
        email_account_id="mailbox",
        metadata={"number": number},
    )


def test_what_was_not_delivered_comes_back_and_counts_once_when_published_again(
    ingester: Ingester,
) -> None:
    events = [event(number) for number in range(200)]
    with (
        pytest.raises(NotDelivered) as caught,
        EventProducer(settings_of(ingester, UNREACHABLE, delivery_timeout_ms="300")) as nowhere,
    ):
        nowhere.publish_all(events[:50])
    assert caught.value.events == tuple(events[:50])
    assert isinstance(caught.value.reason, TemporaryError)

    with EventProducer(settings_of(ingester)) as producer:
        producer.publish_all(events)
        with pytest.raises(InvalidEvent, match="outside_window"):
            producer.publish(
                NewEvent(campaign_id="c", event_type="sent", occurred_at=NOW + timedelta(days=9))
            )
        producer.flush()
        producer.publish_all(caught.value.events)  # again, though they had arrived

    ingester.catch_up()
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert (verdict.inserted, verdict.duplicates, verdict.rejected) == (200, 50, 0)
    rows = read_tables(ingester.database_url, ingester.topic).events
    stored = {row.identity.event_id: row for row in rows}
    assert {str(each.event_id) for each in events} == stored.keys()


def test_a_campaigns_events_share_a_partition_in_the_order_of_publishing(
    ingester: Ingester,
) -> None:
    with EventProducer(settings_of(ingester)) as producer:
        producer.publish_all(event(number) for number in range(100))
    # Another client places the same campaigns where ours did.
    other = KafkaProducer(bootstrap_servers=ingester.bootstrap.split(","))
    for number in range(100, 105):
        mine = event(number)
        window = Window(0, 2**62)
        other.send(ingester.topic, mine.value(window), key=mine.key)
    other.close(30)
    places: dict[str, set[int]] = {}
    numbers: dict[str, list[int]] = {}
    for partition, log in read_topic(ingester.bootstrap, ingester.topic).items():
        for record in log.records:
            document = json.loads(record.value or b"{}")
            assert record.key == document["campaign_id"].encode()
            places.setdefault(document["campaign_id"], set()).add(partition)
            numbers.setdefault(document["campaign_id"], []).append(document["metadata"]["number"])
    assert sorted(numbers) == [f"campaign-{number}" for number in range(5)]
    assert all(len(partitions) == 1 for partitions in places.values())
    assert all(each == sorted(each) for each in numbers.values())
