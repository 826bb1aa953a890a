"""Rows of `campaign_events` in PostgreSQL's binary COPY format. Pure.

The columns are sent in the order of `COLUMNS`, which starts with the primary key: all of a row's
leading fields have fixed widths and are big-endian, so comparing two rows byte by byte compares
their keys, and sorting bytes sorts the batch as its index is sorted. The format is described in
PostgreSQL's manual under COPY, "Binary Format"; binary COPY casts nothing, so every width and
every sign here must be right (a property test compares with the text form).
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from ingester.decoder import EPOCH, Event, Rejected
from ingester.event import EventType

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
# field count; then length and value of occurred_at, campaign_key, event_id, batch_id, event_count
_fixed = struct.Struct(">h iq ii i16s iq ii".replace(" ", "")).pack
_key = struct.Struct(">hiq").pack
_leading = struct.Struct(">hiqiii16s").unpack_from
_length = struct.Struct(">i").pack
_TYPES: Final = [_length(len(label)) + label.encode() for label in EventType]
_TYPES_WITHOUT_EXTRAS: Final = [label + _NULL + _NULL for label in _TYPES]
_TYPE_AT: Final = KEY_BYTES + 12 + 8  # after batch_id and event_count
_COUNT_AT: Final = KEY_BYTES + 12
_JSONB_VERSION: Final = b"\x01"
_DAY_US: Final = 86_400_000_000


def encode(
    outcomes: Iterable[Event | Rejected],
    keys: Mapping[str, int],
    batch_id: int,
    unknown: list[Event],
) -> list[bytes]:
    """Encode the events among the outcomes, one row each.

    Those whose campaign is not in `keys` are added to `unknown` instead.
    """
    rows: list[bytes] = []
    append = rows.append
    fixed, plain, types = _fixed, _TYPES_WITHOUT_EXTRAS, _TYPES
    accounts: dict[str | None, bytes] = {None: _NULL}
    for outcome in outcomes:
        if type(outcome) is not tuple:
            continue
        campaign_id, identity, occurred_us, type_code, count, email, metadata = outcome
        try:
            key = keys[campaign_id]
        except KeyError:
            unknown.append(outcome)
            continue
        row = fixed(8, 8, occurred_us, 4, key, 16, identity, 8, batch_id, 4, count)
        if email is None and metadata is None:
            append(row + plain[type_code])
        else:
            account = accounts.get(email)
            if account is None:  # a campaign has a handful of accounts: each is encoded once
                account = accounts[email] = _text(email or "")
            extras = _NULL if metadata is None else _jsonb(metadata)
            append(row + types[type_code] + account + extras)
    return rows


def _text(value: str) -> bytes:
    data = value.encode()
    return _length(len(data)) + data


def _jsonb(value: bytes) -> bytes:
    return _length(len(value) + 1) + _JSONB_VERSION + value


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


def without_repeats(rows: list[bytes]) -> tuple[list[bytes], list[tuple[bytes, bool]]]:
    """Split off the rows whose identity stood before; the first one stays.

    Returns the rows kept and, for each repeat, the row and whether it conflicts with the first.
    """
    if len({row[:KEY_BYTES] for row in rows}) == len(rows):
        return rows, []
    first: dict[bytes, bytes] = {}
    repeats = []
    for row in rows:
        kept = first.setdefault(row[:KEY_BYTES], row)
        if kept is not row:
            repeats.append((row, is_conflicting(row, kept)))
    return list(first.values()), repeats


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
