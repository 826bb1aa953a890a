"""Rows of `campaign_events` in PostgreSQL's binary COPY format. Pure.

The columns are sent in the order of `COLUMNS`, which starts with the primary key: all of a row's
leading fields have fixed widths and are big-endian, so comparing two rows byte by byte compares
their keys, and sorting bytes sorts the batch as its index is sorted. The format is described in
PostgreSQL's manual under COPY, "Binary Format"; binary COPY casts nothing, so every width and
every sign here must be right (a property test compares with the text form).
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from ingester.event import EventType
from ingester.outcomes import EPOCH, Events

COLUMNS: Final = (
    "occurred_at",
    "campaign_key",
    "event_id",
    "batch_id",
    "event_count",
    "event_type",
    "email_account_id",
    "metadata",
)
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER: Final = struct.pack(">h", -1)
KEY_BYTES: Final = 42
"""Length of a row's beginning that holds its primary key: field count and three fields."""

_NULL: Final = struct.pack(">i", -1)
# The fields of fixed width, each behind its length, behind the number of fields.
_FIXED: Final = np.dtype(
    [
        ("fields", ">i2"),
        *(("occurred_at_bytes", ">i4"), ("occurred_at", ">i8")),
        *(("campaign_key_bytes", ">i4"), ("campaign_key", ">i4")),
        *(("event_id_bytes", ">i4"), ("event_id", "V16")),
        *(("batch_id_bytes", ">i4"), ("batch_id", ">i8")),
        *(("event_count_bytes", ">i4"), ("event_count", ">i4")),
    ]
)
_TEMPLATE: Final = np.array([(8, 8, 0, 4, 0, 16, b"", 8, 0, 4, 0)], _FIXED)
_key = struct.Struct(">hiq").pack
_leading = struct.Struct(">hiqiii16s").unpack_from
_length = struct.Struct(">i").pack
_TYPE_AT: Final = KEY_BYTES + 12 + 8  # after batch_id and event_count
_COUNT_AT: Final = KEY_BYTES + 12
_JSONB_VERSION: Final = b"\x01"
_DAY_US: Final = 86_400_000_000


class _Endings(dict[str, bytes]):
    """By account, what ends a row of one type without metadata; a campaign has few accounts."""

    def __init__(self, event_type: str) -> None:
        self._type = _field(event_type)
        self[""] = self._type + _NULL + _NULL

    def __missing__(self, account: str) -> bytes:
        ending = self[account] = self._type + _field(account) + _NULL
        return ending


def encode(events: Events, keys: npt.NDArray[np.int32], batch_id: int) -> list[bytes]:
    """Encode events, one row each, in their order; `keys` has the campaign key of each."""
    fixed = np.repeat(_TEMPLATE, len(events))
    fixed["occurred_at"] = events.occurred_us
    fixed["campaign_key"] = keys
    fixed["event_id"] = events.event_ids.view("V16").reshape(-1)
    fixed["batch_id"] = batch_id
    fixed["event_count"] = events.counts
    beginnings = fixed.view(f"V{_FIXED.itemsize}").tolist()
    endings = {str(event_type): _Endings(event_type) for event_type in EventType}
    rows: list[bytes] = [
        beginning + endings[event_type][account]
        for beginning, event_type, account in zip(
            beginnings, events.types, events.accounts, strict=True
        )
    ]
    for number, text in events.metadata.items():
        rows[number] = b"".join(
            (rows[number][: -len(_NULL)], _length(len(text) + 1), _JSONB_VERSION, text)
        )
    return rows


def _field(value: str) -> bytes:
    data = value.encode()
    return _length(len(data)) + data


def batch_of(row: bytes) -> int:
    """The batch_id of an encoded row."""
    return int.from_bytes(row[KEY_BYTES + 4 : KEY_BYTES + 12], "big")


def identity_of(row: bytes) -> tuple[int, int, bytes]:
    """occurred_at (µs since the epoch), campaign_key and event_id of an encoded row."""
    _, _, occurred_us, _, campaign_key, _, event_id = _leading(row)
    return occurred_us, campaign_key, event_id


def is_conflicting(row: bytes, other: bytes) -> bool:
    """Whether two rows of the same identity tell different stories: another type or count."""
    end = _TYPE_AT + 4 + int.from_bytes(row[_TYPE_AT : _TYPE_AT + 4], "big")
    return row[_COUNT_AT:end] != other[_COUNT_AT:end]


def months_of(rows: Sequence[bytes]) -> Iterator[tuple[date, Sequence[bytes]]]:
    """Split sorted rows by the calendar month (UTC) of occurred_at; yields (first day, rows)."""
    begin = 0
    while begin < len(rows):
        month = month_of(rows[begin])
        following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        boundary = _key(8, 8, (following - EPOCH.date()).days * _DAY_US)
        end = bisect_left(rows, boundary, begin)
        yield month, rows[begin:end]
        begin = end


def month_of(row: bytes) -> date:
    """First day of the calendar month (UTC) of a row's occurred_at."""
    occurred_us, _, _ = identity_of(row)
    day = date.fromordinal(EPOCH.toordinal() + occurred_us // _DAY_US)
    return day.replace(day=1)
