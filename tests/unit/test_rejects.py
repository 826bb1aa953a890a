"""Whatever a record holds, its reject is a row that can be stored."""

import base64
import hashlib
import json

import pytest

from ingester.event import VALUE_BYTES_MAX
from ingester.outcomes import Headers, Reason, Rejected
from ingester.store.rejects import LARGE_VALUE_KEPT_BYTES, reject_row
from tests.record import FakeRecord

REJECTED = Rejected(Reason.INVALID_JSON, "unexpected character")


def test_a_reject_keeps_the_record_and_the_reason() -> None:
    row = reject_row(FakeRecord(7, b"\xff\0{", b"\0key"), [("a", b"\0\xff")], REJECTED)
    assert (row["at_offset"], row["key"], row["value"]) == (7, b"\0key", b"\xff\0{")
    assert (row["value_bytes"], row["value_sha256"]) == (3, hashlib.sha256(b"\xff\0{").digest())
    assert (row["reason_code"], row["detail"]) == ("invalid_json", REJECTED.detail)
    assert row["headers"].obj == [["a", base64.b64encode(b"\0\xff").decode()]]


def test_a_tombstone_has_no_value_and_no_bytes() -> None:
    row = reject_row(FakeRecord(0, None), [], REJECTED)
    assert (row["key"], row["value"], row["value_bytes"]) == (None, None, 0)
    assert row["headers"].obj == []


@pytest.mark.parametrize(
    ("length", "kept"),
    [
        (0, 0),
        (VALUE_BYTES_MAX, VALUE_BYTES_MAX),
        (VALUE_BYTES_MAX + 1, LARGE_VALUE_KEPT_BYTES),
        (20_000_000, LARGE_VALUE_KEPT_BYTES),
    ],
)
def test_of_a_large_value_the_beginning_is_kept_and_the_whole_is_measured(
    length: int, kept: int
) -> None:
    value = b"x" * length
    row = reject_row(FakeRecord(0, value), [], REJECTED)
    assert (len(row["value"]), row["value_bytes"]) == (kept, length)
    assert row["value_sha256"] == hashlib.sha256(value).digest()


@pytest.mark.parametrize("name", ["", "\0", "a\0b", "\ud800", "\N{GRINNING FACE}", '"\\'])
def test_any_name_of_a_header_is_text_that_jsonb_takes(name: str) -> None:
    (stored, content), *_ = reject_row(FakeRecord(0), [(name, None)], REJECTED)["headers"].obj
    assert content is None
    assert "\0" not in stored
    assert json.loads(json.dumps(stored).encode("utf-8")) == stored
    stored.encode("utf-8")


def test_headers_of_one_name_are_kept_in_their_order() -> None:
    headers: Headers = [("a", b"1"), ("b", None), ("a", b"2")] * 400
    stored = reject_row(FakeRecord(0), headers, REJECTED)["headers"].obj
    assert [name for name, _ in stored] == ["a", "b", "a"] * 400
