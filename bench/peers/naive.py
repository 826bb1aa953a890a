"""`python -m bench.peers.naive`: a consumer as one writes it first.

json.loads, executemany (which psycopg sends in pipeline mode), COMMIT, then the offsets to Kafka.
Repeats are ignored by the primary key. Nothing is validated, nothing is kept of what is refused:
a bad record stops it.
"""

import json
import os

import psycopg
from confluent_kafka import Consumer

from bench.statements import statement

_BATCH_ROWS = 1000


def main() -> None:
    """Run until terminated."""
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": os.environ["KAFKA_GROUP_ID"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([os.environ["KAFKA_TOPIC"]])
    insert = statement("peer_insert")
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        while True:
            messages = consumer.consume(_BATCH_ROWS, 0.5)
            events = [json.loads(message.value() or b"") for message in messages]
            if events:
                connection.cursor().executemany(insert, events)
                connection.commit()
                consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
