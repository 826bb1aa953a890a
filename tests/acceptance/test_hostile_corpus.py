"""The whole hostile corpus through a real worker, in each codec that a Kafka batch may have.

Values of 20 MB that compress to nothing are bombs to whoever unpacks them. Judged here by offset
and digest, and not by `tests.checker`: its client reads neither snappy nor zstd.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest
from confluent_kafka import Producer

from tests.acceptance.ingester import Ingester
from tests.hostile import ACCEPTED, Case, cases

CODECS = ("gzip", "snappy", "lz4", "zstd")
TOPIC_BYTES_MAX = 25_000_000
SETTINGS = {
    # The corpus is ten times as hostile as what a healthy stream may be.
    "INGESTER_BREAKER_RECORDS": "0",
    "INGESTER_WINDOW_DAYS_BACK": "9000",
}
REJECTS = """
    SELECT "offset", reason_code, value_bytes, value_sha256 FROM rejected_events
    WHERE topic = %s ORDER BY "offset"
"""
TOTALS = "SELECT records, inserted + duplicates, rejected FROM ingest_offsets WHERE topic = %s"


def published(bootstrap: str, topic: str, codec: str) -> list[Case]:
    """Publish every case, each between its neighbours; returns them in the order of offsets."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": codec,
            "message.max.bytes": TOPIC_BYTES_MAX,
            "queue.buffering.max.kbytes": 400_000,
            "enable.idempotence": True,
            "log_level": 2,
        }
    )
    every = list(cases())
    for case in every:
        producer.produce(topic, case.value, case.key, headers=list(case.headers))
        producer.poll(0)
    assert producer.flush(120.0) == 0
    return every


def expected_rejects(every: list[Case]) -> Iterator[tuple[int, str, int, bytes]]:
    for offset, case in enumerate(every):
        if case.expected != ACCEPTED:
            value = case.value or b""
            yield offset, case.expected, len(value), hashlib.sha256(value).digest()


@pytest.mark.parametrize("codec", CODECS)
def test_every_hostile_record_finds_its_place_and_stops_nothing(
    ingester: Ingester, topic: Callable[..., str], codec: str
) -> None:
    ingester.use(topic(partitions=1, max_message_bytes=str(TOPIC_BYTES_MAX)))
    every = published(ingester.bootstrap, ingester.topic, codec)

    running = ingester.catch_up(settings=SETTINGS)

    with psycopg.connect(ingester.database_url) as connection:
        rejects = connection.execute(REJECTS, [ingester.topic]).fetchall()
        totals = connection.execute(TOTALS, [ingester.topic]).fetchone()
    pairs = itertools.zip_longest(rejects, expected_rejects(every))
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    accepted = sum(case.expected == ACCEPTED for case in every)
    assert totals == (len(every), accepted, len(every) - accepted)
    assert running.log.noise == []
