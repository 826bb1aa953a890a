"""Rows in binary COPY format: their order, their months, their repeats."""

import struct
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.binary_copy import (
    COLUMNS,
    HEADER,
    KEY_BYTES,
    TRAILER,
    Columns,
    Rows,
    batch_of,
    encode,
    identity_of,
    months_of,
)
from ingester.event import COUNT_MAX
from ingester.outcomes import EPOCH, Event, Events, microseconds
from tests.examples import examples

KEYS = {f"c{key}": key for key in (0, 1, 2, 255, 256, 2**31 - 1)}
LAST_US = microseconds(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))


def an_event(
    occurred_us: int = 0,
    campaign_id: str = "c1",
    event_id: bytes = bytes(16),
    type_code: int = 0,
    count: int = 1,
) -> Event:
    return campaign_id, event_id, occurred_us, type_code, count, None, None


def row_of(event: Event, batch_id: int = 1) -> bytes:
    (row,) = rows_of([event], batch_id)
    return row


def rows_of(drawn: list[Event], batch_id: int = 1) -> list[bytes]:
    keys = np.array([KEYS[event[0]] for event in drawn], np.int32)
    columns = Columns.of([(Events.of(enumerate(drawn)), keys, batch_id)])
    return list(encode(columns, np.arange(len(drawn))))


def by_month(rows: list[bytes]) -> list[tuple[date, list[bytes]]]:
    return [(month, list(found)) for month, found in months_of(Rows.of(rows))]


def us(*moment: int) -> int:
    return microseconds(datetime(*moment, tzinfo=UTC))  # type: ignore[arg-type, misc]


events = st.builds(
    an_event,
    st.integers(0, LAST_US) | st.integers(0, 3),
    st.sampled_from(sorted(KEYS)),
    st.binary(min_size=16, max_size=16) | st.sampled_from([bytes(16), b"\xff" * 16]),
    st.integers(0, 5),
    st.sampled_from([1, 2, -1, COUNT_MAX, -COUNT_MAX]),
)


def key_of(event: Event) -> tuple[int, int, bytes]:
    campaign_id, event_id, occurred_us, *_ = event
    return occurred_us, KEYS[campaign_id], event_id


@examples(200)
@given(st.lists(events, max_size=20))
def test_sorting_rows_sorts_them_by_their_primary_key(drawn: list[Event]) -> None:
    distinct = list({key_of(event): event for event in drawn}.values())
    rows = [row_of(event) for event in sorted(distinct, key=key_of)]
    assert sorted(rows) == rows


@examples(100)
@given(events, st.integers(1, 2**63 - 1))
def test_a_row_gives_back_its_batch_and_identity(event: Event, batch_id: int) -> None:
    row = row_of(event, batch_id)
    assert batch_of(row) == batch_id
    assert identity_of(row)[::2] == (event[2], event[1])


def test_a_row_is_laid_out_as_postgresql_reads_it() -> None:
    event: Event = ("c256", bytes(range(16)), 1, 4, -2, "é", b'{"k":1}')
    row = row_of(event, 7)
    fields = []
    (field_count,) = struct.unpack_from(">h", row)
    position = 2
    for _ in range(field_count):
        (length,) = struct.unpack_from(">i", row, position)
        fields.append(row[position + 4 : position + 4 + length])
        position += 4 + length
    assert position == len(row)
    assert dict(zip(COLUMNS, fields, strict=True)) == {
        "occurred_at": (1).to_bytes(8, "big"),
        "campaign_key": (256).to_bytes(4, "big"),
        "event_id": bytes(range(16)),
        "batch_id": (7).to_bytes(8, "big"),
        "event_count": (-2).to_bytes(4, "big", signed=True),
        "event_type": b"positive_reply",
        "email_account_id": "é".encode(),
        "metadata": b'\x01{"k":1}',
    }
    assert row[:KEY_BYTES].endswith(bytes(range(16)))
    assert (HEADER[:11], len(HEADER), TRAILER) == (b"PGCOPY\n\xff\r\n\0", 19, b"\xff\xff")


def test_absent_extras_are_nulls() -> None:
    assert row_of(an_event()).endswith(b"sent" + b"\xff" * 8)
    only_email: Event = ("c1", bytes(16), 0, 0, 1, "e", None)
    assert row_of(only_email).endswith(b"sent\0\0\0\1e" + b"\xff" * 4)
    only_metadata: Event = ("c1", bytes(16), 0, 0, 1, None, b"{}")
    assert row_of(only_metadata).endswith(b"sent" + b"\xff" * 4 + b"\0\0\0\3\1{}")


@examples(200)
@given(st.data())
def test_some_rows_in_another_order_are_encoded_as_each_would_be(data: st.DataObject) -> None:
    extras = st.none() | st.sampled_from(["e", "é" * 255, "x" * 255])
    texts = st.none() | st.sampled_from([b"{}", b'{"k": "%s"}' % (b"v" * 600)])
    drawn = [
        (*event[:5], data.draw(extras), data.draw(texts))
        for event in data.draw(st.lists(events, max_size=10))
    ]
    chosen = data.draw(st.permutations(range(len(drawn)))) if drawn else []
    chosen = chosen[: data.draw(st.integers(0, len(drawn)))]
    keys = np.array([KEYS[event[0]] for event in drawn], np.int32)
    columns = Columns.of([(Events.of(enumerate(drawn)), keys, 1)])
    rows = encode(columns, np.array(chosen, np.intp))
    assert list(rows) == [row_of(drawn[number]) for number in chosen]
    assert bytes(rows.text) == b"".join(rows)


@examples(100)
@given(st.lists(events, max_size=20))
def test_many_rows_are_encoded_as_each_would_be(drawn: list[Event]) -> None:
    assert rows_of(drawn) == [row_of(event) for event in drawn]


# -- months


@pytest.mark.parametrize(
    ("first", "following"),
    [
        ((2000, 1, 1), (2000, 2, 1)),
        ((2024, 2, 1), (2024, 3, 1)),
        ((2023, 2, 1), (2023, 3, 1)),
        ((2100, 2, 1), (2100, 3, 1)),
        ((2024, 12, 1), (2025, 1, 1)),
        ((2024, 4, 1), (2024, 5, 1)),
        ((9999, 10, 1), (9999, 11, 1)),
    ],
)
def test_a_month_ends_with_its_last_microsecond(
    first: tuple[int, ...], following: tuple[int, ...]
) -> None:
    times = [us(*first), us(*following) - 1, us(*following)]
    rows = [row_of(an_event(time, "c2", b"\xff" * 16)) for time in times]
    assert by_month(rows) == [
        (date(*first), rows[:2]),
        (date(*following), rows[2:]),
    ]


def test_the_first_possible_row_of_a_month_belongs_to_it() -> None:
    before = row_of(an_event(us(2024, 3, 1) - 1, "c2147483647", b"\xff" * 16))
    smallest = row_of(an_event(us(2024, 3, 1), "c0", bytes(16)))
    assert [month for month, _ in by_month([before, smallest])] == [
        date(2024, 2, 1),
        date(2024, 3, 1),
    ]


@examples(200)
@given(st.lists(st.integers(0, us(9999, 12, 1) - 1), max_size=30))
def test_every_row_falls_into_its_own_month_and_none_is_lost(times: list[int]) -> None:
    rows = sorted(row_of(an_event(time)) for time in times)
    split = by_month(rows)
    assert [row for _, part in split for row in part] == rows
    months = [month for month, _ in split]
    assert months == sorted(set(months))
    for month, part in split:
        for row in part:
            moment = EPOCH + timedelta(microseconds=identity_of(row)[0])
            assert moment.date().replace(day=1) == month


def test_no_rows_make_no_months() -> None:
    assert by_month([]) == []
