"""Publishes events of a campaign; needs KAFKA_BOOTSTRAP_SERVERS, and the topic must exist."""

from datetime import UTC, datetime

from ingester.producer import EventProducer, NewEvent, NotDelivered

now = datetime.now(UTC)
opened = NewEvent(
    campaign_id="spring-sale",
    event_type="opened",
    occurred_at=now,
    email_account_id="mailbox-7",
    metadata={"client": "webmail"},
)
events = [
    NewEvent(campaign_id="spring-sale", event_type="sent", occurred_at=now, count=500),
    opened,
    NewEvent(campaign_id="spring-sale", event_type="replied", occurred_at=now),
]

with EventProducer() as producer:
    producer.publish_all(events)
    try:
        producer.flush()
    except NotDelivered as failure:
        # The same objects again: their ids are the same, so that each counts once.
        producer.publish_all(failure.events)

print(f"published {len(events)} events of spring-sale")
