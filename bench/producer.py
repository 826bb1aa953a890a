"""`python -m bench.producer RATE`: events that happen now, at a rate, until terminated.

RATE is in events a second; 0 means as fast as they are stored: never more than 100,000 ahead, asked
of DATABASE_URL. KAFKA_BOOTSTRAP_SERVERS and KAFKA_TOPIC say where to. `ingester simulate --rate`
publishes better traffic, but needs too much of the processor that it would share with what is
measured.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import psycopg
from confluent_kafka import Producer

from bench.statements import statement
from bench.traffic import CAMPAIGNS

_TICK_SECONDS: Final = 0.005
_BURST_MAX: Final = 5000
_AHEAD_MAX: Final = 100_000
_TYPES: Final = ("sent", "sent", "sent", "opened", "opened", "clicked")


def main(rate: float) -> None:
    """Publish for ever."""
    producer = Producer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
        }
    )
    topic = os.environ["KAFKA_TOPIC"]
    due = _paced(rate) if rate else _as_stored()
    published = 0
    while True:
        count = min(due(published), _BURST_MAX)
        for number in range(published, published + count):
            key, value = event(number, time.time_ns() // 1000)
            while True:
                try:
                    producer.produce(topic, value, key)
                except BufferError:
                    producer.poll(_TICK_SECONDS)
                else:
                    break
        published += count
        producer.poll(0)
        if count < _BURST_MAX:
            time.sleep(_TICK_SECONDS)


def _paced(rate: float) -> Callable[[int], int]:
    began = time.monotonic()
    return lambda published: int((time.monotonic() - began) * rate) - published


def _as_stored() -> Callable[[int], int]:
    connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)

    def due(published: int) -> int:
        stored: int = connection.execute(statement("stored_records")).fetchall()[0][0]
        return max(stored + _AHEAD_MAX - published, 0)

    return due


def event(number: int, now_us: int) -> tuple[bytes, bytes]:
    """Key and value of one event; the number makes its id unique within a run."""
    campaign = f"campaign-{1 + random.randrange(CAMPAIGNS):06d}"
    seconds, micros = divmod(now_us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    stamp = f"{now_us // 1000:012x}"
    value = (
        f'{{"event_id":"{stamp[:8]}-{stamp[8:]}-7000-8000-{number:012x}",'
        f'"campaign_id":"{campaign}","event_type":"{random.choice(_TYPES)}",'
        f'"occurred_at":"{moment}.{micros:06d}Z"}}'
    )
    return campaign.encode(), value.encode()


if __name__ == "__main__":
    main(float(sys.argv[1]))
