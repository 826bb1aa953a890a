"""Poison among good records: everything lands or is quarantined as it was, and reading goes on."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import psycopg

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Headers, Publication, event, mixed, publication
from tests.checker.client import KafkaProducer
from tests.checker.tables import RejectRow, read_tables

UNREADABLE = 100
"""Enough of them for the interpreter to specialise what handles them."""
STRUCTURED: Headers = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
RANDOM = Random(8)


def with_fields(**fields: Any) -> bytes:
    """A valid event with these fields put over it."""
    return json.dumps(event(RANDOM, **fields)).encode()


def without(field: str) -> bytes:
    """A valid event that lacks one field."""
    fields = event(RANDOM)
    del fields[field]
    return json.dumps(fields).encode()


POISON: dict[str, list[tuple[bytes | None, Headers]]] = {
    "tombstone": [(None, ())],
    "too_large": [(b'{"pad":"' + b"x" * 2_000_000 + b'"}', ())],
    "invalid_utf8": [(b'{"campaign_id":"\xff"}', ()), (b"\x80", ())],
    "invalid_json": [(b"", ()), (b"{", ()), (b"{}{}", ()), (b"\xef\xbb\xbf{}", ()), (b"NaN", ())],
    "too_deep": [(b"[" * 100_000 + b"]" * 100_000, ())],
    "duplicate_key": [(b'{"count":1,"count":1}', ())],
    "not_an_object": [(b"[]", ()), (b'"event"', ()), (b"7", ())],
    "invalid_envelope": [(b'{"specversion":"1.0"}', STRUCTURED)],
    "missing_field": [(without("event_id"), ()), (b"{}", ())],
    "unknown_field": [(with_fields(colour="red"), ())],
    "invalid_value": [
        (with_fields(count="1"), ()),
        (with_fields(count=True), ()),
        (with_fields(event_type="read"), ()),
        (with_fields(campaign_id=""), ()),
        (with_fields(email_account_id="a\0b"), ()),
        (with_fields(occurred_at="2026-01-01T00:00:00"), ()),
        (with_fields(metadata={"m": "x" * 20_000}), ()),
    ],
    "outside_window": [
        (with_fields(occurred_at="0001-01-01T00:00:00Z"), ()),
        (with_fields(occurred_at="9999-12-31T23:59:59Z"), ()),
    ],
}
KEYS = (None, b"", b"\xff\xfe\x00", b"campaign-1")
HEADERS: Headers = (("trace", b"\x00\xff"), ("trace", b""), ("größe", b"1"))


def test_every_reason_keeps_its_records_as_they_were_while_good_ones_land(
    ingester: Ingester, topic: Callable[..., str]
) -> None:
    ingester.use(topic(partitions=4, max_message_bytes="5000000"))
    values = [value for group in POISON.values() for value in group]
    poison = [
        Publication(KEYS[number % len(KEYS)], value, (*headers, *HEADERS))
        for number, (value, headers) in enumerate(values)
    ]
    good = list(mixed(9, 1_000, repeated=0, invalid=0))
    interleaved = [each for at, one in enumerate(poison) for each in (*good[at * 20 :][:20], one)]
    publish(
        ingester.bootstrap,
        ingester.topic,
        [*interleaved, *good[len(poison) * 20 :]],
        **{"message.max.bytes": 5_000_000},
    )

    ingester.catch_up()

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert (verdict.inserted, verdict.rejected) == (len(good), len(poison))
    found = {
        (row.value_bytes, row.value and row.value[:65_536]): row.reason_code
        for row in rejects(ingester)
    }
    for reason, group in POISON.items():
        for value, _ in group:
            assert found[len(value or b""), value and value[:65_536]] == reason


def test_headers_without_number_or_sense_neither_stop_events_nor_rejects(
    ingester: Ingester,
) -> None:
    thousand: Headers = tuple((f"header-{number}", b"%d" % number) for number in range(1_000))
    fields = event(RANDOM)
    records = [
        publication(fields, headers=thousand),
        Publication(None, b"{", thousand),
        *mixed(10, 200, repeated=0, invalid=0),
    ]
    publish(ingester.bootstrap, ingester.topic, records)

    ingester.catch_up()

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert (verdict.inserted, verdict.rejected) == (201, 1)
    (reject,) = rejects(ingester)
    assert len(reject.headers) == 1_000


class _Raw(str):
    """A header name that encodes itself to bytes which are no UTF-8."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"na\xffme"


def test_header_names_that_no_client_can_read_neither_stop_events_nor_rejects(
    ingester: Ingester,
) -> None:
    producer = KafkaProducer(bootstrap_servers=ingester.bootstrap.split(","))
    try:
        for number in range(UNREADABLE):
            name = "nul\0name" if number % 2 else _Raw("raw")
            good = json.dumps(event(RANDOM)).encode()
            # Good ones written unusually, too: their headers are looked at.
            for value in (b"{", good, b" " + good.replace(b"T", b"t")):
                producer.send(ingester.topic, value, b"key", headers=[(name, b"v"), ("b", b"w")])
        producer.flush(30)
    finally:
        producer.close()

    ingester.catch_up()

    tables = read_tables(ingester.database_url, ingester.topic)
    assert len(tables.events) == UNREADABLE
    assert sum(row.duplicates for row in tables.offsets) == UNREADABLE
    assert [row.value for row in tables.rejects] == [b"{"] * UNREADABLE
    assert [row.headers for row in tables.rejects] == [[], [["nul", "dg=="], ["b", "dw=="]]] * (
        UNREADABLE // 2
    )


def test_a_row_that_only_the_database_refuses_is_quarantined_alone(ingester: Ingester) -> None:
    with psycopg.connect(ingester.database_url) as connection:
        connection.execute(
            "ALTER TABLE campaign_events ADD CHECK (1 / (event_count - 13) IS NOT NULL)"
        )
    good = list(mixed(11, 500, repeated=0, invalid=0))
    refused = publication(event(RANDOM, count=13))
    publish(ingester.bootstrap, ingester.topic, [*good[:250], refused, *good[250:]])

    ingester.catch_up()

    tables = read_tables(ingester.database_url, ingester.topic)
    assert len(tables.events) == 500
    (reject,) = tables.rejects
    assert (reject.reason_code, reject.value) == ("refused_by_database", refused.value)


def rejects(ingester: Ingester) -> list[RejectRow]:
    """What was quarantined."""
    return read_tables(ingester.database_url, ingester.topic).rejects
