"""What is read a column at a time is what is read text by text, and nothing else is read."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingester import columns
from ingester.columns import Buffer
from ingester.event import parse_rfc3339, parse_uuid
from ingester.outcomes import microseconds
from tests.examples import examples
from tests.unit.spelling import times

ALIKE = "018f0000-0000-7000-8000-00000000000a"
damaged_ids = st.builds(
    lambda text, at, character: text[:at] + character + text[at + 1 :],
    st.uuids().map(str) | st.just(ALIKE),
    st.integers(0, 36),
    st.sampled_from(["", "-", "g", " ", "\N{FULLWIDTH DIGIT ONE}", "A", "0", "--", "\0"]),
)
digits = st.integers(0, 99).map("{:02}".format)
nearly_times = st.builds(
    "{}{}-{}-{}T{}:{}:{}{}{}".format,
    st.sampled_from(["20", "19", "21", "2\N{ARABIC-INDIC DIGIT ZERO}"]),
    *([digits] * 6),
    st.sampled_from(
        ["", ".", ".1", ".120", ".123456", ".1234567", ".123456789", ",5", ".12345678901"]
    ),
    st.sampled_from(["Z", "z", "", "+00:00", "-23:59", "+24:00", "+05:60", "+0530", "Z "]),
)


def read_ids(texts: list[str]) -> list[bytes | None]:
    found, read = columns.identities(*Buffer.encoded(texts))
    return [bytes(one) if good else None for one, good in zip(found, read, strict=True)]


def read_times(texts: list[str]) -> list[int | None]:
    found, read = columns.times(*Buffer.encoded(texts))
    return [time if good else None for time, good in zip(found.tolist(), read, strict=True)]


@examples(300)
@given(st.lists(st.uuids().map(str) | damaged_ids | st.text(max_size=40), max_size=8))
def test_ids_are_read_exactly_where_they_are_uuids(texts: list[str]) -> None:
    for text, found in zip(texts, read_ids(texts), strict=True):
        try:
            expected = parse_uuid(text).bytes
        except ValueError:
            expected = None
        assert found == expected


@examples(600)
@given(st.lists(times() | nearly_times | st.text(max_size=30), max_size=8))
@example(["2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-02-29T23:59:59.999999+23:59"])
@example(["2000-01-01T00:00:00+23:59", "2099-12-31T23:59:59.999999999-23:59"])
def test_a_time_that_is_read_is_read_as_it_should_be(texts: list[str]) -> None:
    for text, found in zip(texts, read_times(texts), strict=True):
        if found is not None:
            assert found == microseconds(parse_rfc3339(text))


@pytest.mark.parametrize("fraction", ["", ".0", ".12", ".123", ".123456", ".123456789"])
@pytest.mark.parametrize("offset", ["Z", "+00:00", "-11:30", "+05:45"])
def test_what_producers_write_is_read(fraction: str, offset: str) -> None:
    text = f"2024-05-06T07:08:09{fraction}{offset}"
    (found,) = read_times([text])
    assert found == microseconds(parse_rfc3339(text))


def test_every_day_of_a_century_is_read() -> None:
    days = [datetime.fromordinal(n) for n in range(730_120, 730_120 + 36_525)]
    expected = [microseconds(day.replace(tzinfo=UTC)) for day in days]
    assert read_times([f"{day.isoformat()}Z" for day in days]) == expected


@given(st.binary(max_size=60), st.sampled_from([b"ab", b"aab", b"a"]))
def test_counting_and_searching_find_what_bytes_find(text: bytes, word: bytes) -> None:
    mixed = text + word + text[:3]
    assert columns.count(mixed, b"a") == mixed.count(b"a")
    assert columns.holds(mixed[:-1], word) == (word in mixed[:-1])


@pytest.mark.parametrize("text", [b"a" * 5_000, b"ac" * 5_000, b"ac" * 5_000 + b"ab"])
def test_searching_finds_a_word_whose_first_character_is_everywhere(text: bytes) -> None:
    assert columns.holds(text, b"ab") == (b"ab" in text)
