"""Binary COPY casts nothing, so it must store exactly what the same values store as text.

The property also shows that PostgreSQL takes every event that the decoder accepts.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.binary_copy import COLUMNS, HEADER, TRAILER, Columns, encode
from ingester.decoder import decode
from ingester.event import COUNT_MAX, EventType
from ingester.outcomes import EPOCH, Event, Events, Rejected
from ingester.store.statements import about
from tests.examples import examples
from tests.unit.spelling import WINDOW, events, metadata, spellings

BATCH_ID = 2**63 - 1
KEYS = {"first": 0, "last": 2**31 - 1}


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        opened.execute("SET TimeZone = 'Asia/Kathmandu'")  # the session's zone must not matter
        for table in ("from_binary", "from_text"):
            opened.execute(f"CREATE TEMPORARY TABLE {table} (LIKE campaign_events)")
        yield opened


def copy(connection: psycopg.Connection[Any], outcomes: Sequence[Event | Rejected]) -> int:
    events = Events.of(enumerate(out for out in outcomes if not isinstance(out, Rejected)))
    keys = np.array([KEYS.get(campaign_id, 7) for campaign_id in events.campaign_ids], np.int32)
    rows = encode(Columns.of([(events, keys, BATCH_ID)]), np.arange(len(events)))
    with connection.cursor() as cursor:
        with cursor.copy(about("copy_rows", table="from_binary")) as writer:
            writer.write(b"".join((HEADER, *rows, TRAILER)))
        return cursor.rowcount


def insert(connection: psycopg.Connection[Any], outcomes: Sequence[Event | Rejected]) -> None:
    statement = f"""INSERT INTO from_text ({", ".join(COLUMNS)}) VALUES (
        %s::text::timestamptz, %s::text::integer, %s::text::uuid, %s::text::bigint,
        %s::text::integer, %s::text::campaign_event_type, %s::text, %s::text::jsonb)"""
    with connection.cursor() as cursor:
        cursor.executemany(statement, [as_text(o) for o in outcomes if not isinstance(o, Rejected)])


def as_text(event: Event) -> tuple[str | None, ...]:
    campaign_id, event_id, occurred_us, code, count, email, extra = event
    return (
        (EPOCH + timedelta(microseconds=occurred_us)).isoformat(),
        str(KEYS.get(campaign_id, 7)),
        str(UUID(bytes=event_id)),
        str(BATCH_ID),
        str(count),
        list(EventType)[code],
        email,
        None if extra is None else extra.decode(),
    )


def assert_equal(connection: psycopg.Connection[Any], outcomes: Sequence[Event | Rejected]) -> int:
    connection.execute("TRUNCATE from_binary, from_text")
    copied = copy(connection, outcomes)
    insert(connection, outcomes)
    # As text, so that numbers are told apart by their scale and rows by every character.
    row = "ROW(t.*)::text || coalesce(t.metadata::text, '')"
    for one, other in (("from_binary", "from_text"), ("from_text", "from_binary")):
        rest = connection.execute(
            f"SELECT {row} FROM {one} t EXCEPT ALL SELECT {row} FROM {other} t"
        )
        assert rest.fetchall() == []
    assert connection.execute("SELECT count(*) FROM from_text").fetchone() == (copied,)
    return copied


drawn_events: st.SearchStrategy[Event] = st.tuples(
    st.sampled_from(["first", "last", "any"]),
    st.binary(min_size=16, max_size=16),
    st.integers(WINDOW.first_us, WINDOW.last_us)
    | st.sampled_from([0, 1, WINDOW.last_us, 252_455_615_999_999_999]),
    st.integers(0, 5),
    st.sampled_from([1, -1, COUNT_MAX, -COUNT_MAX]) | st.integers(-COUNT_MAX, COUNT_MAX),
    st.none()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.none() | metadata.map(str.encode),
)


@examples(60)
@given(st.lists(drawn_events, max_size=12))
def test_binary_copy_stores_what_text_stores(
    connection: psycopg.Connection[Any], drawn: list[Event]
) -> None:
    assert assert_equal(connection, drawn) == len(drawn)


@examples(60)
@given(st.lists(spellings(events), max_size=12))
def test_postgresql_takes_every_event_that_the_decoder_accepts(
    connection: psycopg.Connection[Any], values: list[bytes]
) -> None:
    assert_equal(connection, list(decode(values, lambda _: (), WINDOW)))


@pytest.mark.parametrize(
    "text",
    [
        '{"k":' * 62 + "1" + "}" * 62,
        '{"k":0.' + "1" * 16_370 + "}",
        '{"k":0.' + "1" * 15_000 + "e-999}",
        '{"k":-' + "9" * 308 + "}",
        '{"k":[1e308,-1.7976931348623157e308,5e-324,1e-999,0e-999,0E+000,-0,-0.0]}',
        '{"":{"":""},"\N{GRINNING FACE}":"\ufffe\uffff\U0010ffff\x7f\u2028"}',
        r'{"k":"\ud83d\ude00\/\"\\\b\f\n\r\t\u0001\\u0000\uffff"}',
        '{"' + "k" * 16_000 + '":true}',
        '{"k":[' + "1," * 8_000 + "1]}",
        "{" + ",".join(f'"{number}":0' for number in range(1_800)) + "}",
    ],
)
def test_metadata_at_its_limits_is_stored(connection: psycopg.Connection[Any], text: str) -> None:
    value = (
        '{"event_id":"018f0000-0000-7000-8000-00000000000a","campaign_id":"c",'
        '"event_type":"sent","occurred_at":"2024-05-06T07:08:09Z","metadata":' + text + "}"
    ).encode()
    (outcome,) = decode([value], lambda _: (), WINDOW)
    assert not isinstance(outcome, Rejected)
    assert assert_equal(connection, [outcome]) == 1
