"""Rows of `campaign_events` in PostgreSQL's binary COPY format. Pure.

The columns are sent in the order of `COLUMNS`, which starts with the primary key: all of a row's
leading fields have fixed widths and are big-endian, so comparing two rows byte by byte compares
their keys. Rows are laid down in the order they are asked for. The format is described in
PostgreSQL's manual under COPY, "Binary Format"; binary COPY casts nothing, so every width and
every sign here must be right (a property test compares with the text form).
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, chain, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from ingester.columns import Buffer, Positions
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
_LENGTHS: Final = np.array([(8, 8, 0, 4, 0, 16, b"", 8, 0, 4, 0)], _FIXED)
_length = struct.Struct(">i").pack
_leading = struct.Struct(">hiqiii16s").unpack_from
_LENGTH_BYTES: Final = 4
_TYPE_CODES: Final = {str(event_type): code for code, event_type in enumerate(EventType)}
_TYPE_FIELDS: Final = [_length(len(each)) + each.encode() for each in map(str, EventType)]
_TYPE_BYTES: Final = np.array([len(each) for each in _TYPE_FIELDS])
_TYPE_AT: Final = _FIXED.itemsize
_OCCURRED_AT: Final = 6
_BATCH_AT: Final = KEY_BYTES + 4
_JSONB_VERSION: Final = b"\x01"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of binary COPY, one behind the other in a buffer, each from a start to an end."""

    buffer: Buffer
    starts: Positions
    ends: Positions

    @classmethod
    def of(cls, rows: Iterable[bytes]) -> "Rows":
        """Lay single rows one behind the other."""
        return cls(*Buffer.of(list(rows)))

    @classmethod
    def none(cls) -> "Rows":
        """No rows."""
        return cls.of(())

    def __len__(self) -> int:
        return len(self.starts)

    def __add__(self, following: "Rows") -> "Rows":
        """These rows and behind them those, in a new buffer."""
        buffer, _, (behind, _) = Buffer.of((self.text, following.text))
        moved = (behind - len(self.text) - self.begin, behind - following.begin)
        return Rows(
            buffer,
            np.concatenate((self.starts + moved[0], following.starts + moved[1])),
            np.concatenate((self.ends + moved[0], following.ends + moved[1])),
        )

    def __iter__(self) -> Iterator[bytes]:
        """Each row by itself."""
        return map(self.row, range(len(self)))

    def row(self, number: int) -> bytes:
        """One of the rows."""
        return bytes(self.buffer.characters[self.starts[number] : self.ends[number]])

    def between(self, first: int, end: int) -> "Rows":
        """The rows with first <= number < end, in the same buffer."""
        return Rows(self.buffer, self.starts[first:end], self.ends[first:end])

    def occurred_us(self) -> npt.NDArray[np.int64]:
        """occurred_at of each row, in µs since the epoch."""
        return self._numbers(_OCCURRED_AT)

    def batch_ids(self) -> npt.NDArray[np.int64]:
        """The batch_id of each row."""
        return self._numbers(_BATCH_AT)

    def _numbers(self, at: int) -> npt.NDArray[np.int64]:
        return self.buffer.windows(self.starts + at, 8).view(">i8").astype(np.int64)

    @property
    def text(self) -> memoryview:
        """All of them, as COPY takes them between header and trailer."""
        end = int(self.ends[-1]) if len(self) else 0
        return self.buffer.characters.data[self.begin : end]

    @property
    def begin(self) -> int:
        """Where the first of them starts."""
        return int(self.starts[0]) if len(self) else 0


@dataclass(slots=True)
class Columns:
    """N events by columns, in any order, as `campaign_events` has them.

    occurred_us: (N,) int64 · keys: (N,) int32, of the campaigns · event_ids: (N, 16) uint8 ·
    batch_ids: (N,) int64 · counts: (N,) int32 · types: (N,) int8, index in EventType · accounts: ""
    for none · metadata: JSON text, by the number of its event, of those that have some.
    """

    occurred_us: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int32]
    event_ids: npt.NDArray[np.uint8]
    batch_ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int32]
    types: npt.NDArray[np.int8]
    accounts: Sequence[str]
    metadata: dict[int, bytes]

    @classmethod
    def of(cls, parts: Sequence[tuple[Events, npt.NDArray[np.int32], int]]) -> "Columns":
        """Make columns of events, each part with the keys of its campaigns and its batch_id."""
        every = [events for events, _, _ in parts] or [Events.of(())]
        sizes = [len(events) for events in every]
        types = chain.from_iterable(events.types for events in every)
        return cls(
            np.concatenate([events.occurred_us for events in every]),
            np.concatenate([np.empty(0, np.int32), *(keys for _, keys, _ in parts)]),
            np.concatenate([events.event_ids for events in every]),
            np.repeat(np.array([at for _, _, at in parts] or [0], np.int64), sizes),
            np.concatenate([events.counts for events in every]),
            np.fromiter(map(_TYPE_CODES.__getitem__, types), np.int8, sum(sizes)),
            list(chain.from_iterable(events.accounts for events in every)),
            {
                first + number: text
                for first, events in zip(accumulate(sizes, initial=0), every, strict=False)
                for number, text in events.metadata.items()
            },
        )


def encode(events: Columns, order: npt.NDArray[np.intp]) -> Rows:
    """Encode those events whose numbers `order` has, one row each, in its order.

    A row is laid down piece by piece, and each piece for all rows at once, or for all of those
    where it has the same length: there are few lengths, and no object is made for any row.
    """
    texts, text_starts, text_ends = Buffer.encoded(events.accounts)
    lengths = _FIXED.itemsize + _TYPE_BYTES[events.types] + (text_ends - text_starts)
    lengths += 2 * _LENGTH_BYTES
    with_metadata = np.fromiter(events.metadata, np.intp, len(events.metadata))
    lengths[with_metadata] += len(_JSONB_VERSION) + np.fromiter(
        map(len, events.metadata.values()), np.int64, len(events.metadata)
    )
    lengths = lengths[order]
    ends = np.cumsum(lengths)
    starts = ends - lengths
    buffer = Buffer.empty(int(ends[-1]) if len(ends) else 0)
    buffer.lay(starts, _fixed(events, order))
    at = starts + _TYPE_AT
    types = events.types[order]
    for code, field in enumerate(_TYPE_FIELDS):
        places = np.flatnonzero(types == code)
        buffer.lay(at[places], np.frombuffer(field, f"V{len(field)}"))
    at += _TYPE_BYTES[types]
    text_starts, text_lengths = text_starts[order], (text_ends - text_starts)[order]
    for length in np.flatnonzero(np.bincount(text_lengths)).tolist():
        places = np.flatnonzero(text_lengths == length)
        buffer.lay(at[places], np.frombuffer(_length(length) if length else _NULL, "V4"))
        if length:
            found = texts.windows(text_starts[places], length)
            buffer.lay(at[places] + _LENGTH_BYTES, found.view(f"V{length}"))
    buffer.lay(ends - len(_NULL), np.frombuffer(_NULL, "V4"))
    if len(with_metadata) and len(order):
        at += _LENGTH_BYTES + text_lengths
        _lay_metadata(buffer, at, events.metadata, order)
    return Rows(buffer, starts, ends)


def _fixed(events: Columns, order: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
    fixed = np.repeat(_LENGTHS, len(order))
    fixed["occurred_at"] = events.occurred_us[order]
    fixed["campaign_key"] = events.keys[order]
    fixed["event_id"] = events.event_ids.view("V16").reshape(-1)[order]
    fixed["batch_id"] = events.batch_ids[order]
    fixed["event_count"] = events.counts[order]
    return fixed


def _lay_metadata(
    buffer: Buffer, at: Positions, metadata: dict[int, bytes], order: npt.NDArray[np.intp]
) -> None:
    place_of = np.full(max(int(order.max(initial=-1)), *metadata) + 1, -1)
    place_of[order] = np.arange(len(order))
    places = place_of[list(metadata)]
    view = buffer.characters.data
    for text, place, position in zip(
        metadata.values(), places.tolist(), at[places].tolist(), strict=True
    ):
        if place >= 0:
            field = b"".join((_length(len(text) + 1), _JSONB_VERSION, text))
            view[position : position + len(field)] = field


def identity_of(row: bytes) -> tuple[int, int, bytes]:
    """occurred_at (µs since the epoch), campaign_key and event_id of an encoded row."""
    _, _, occurred_us, _, campaign_key, _, event_id = _leading(row)
    return occurred_us, campaign_key, event_id


def months_of(rows: Rows) -> Iterator[tuple[date, Rows]]:
    """Split sorted rows by the calendar month (UTC) of occurred_at; yields (first day, rows)."""
    months = (rows.occurred_us().view("m8[us]") + np.datetime64(EPOCH.date())).astype("M8[M]")
    begins = np.flatnonzero(months[1:] != months[:-1]) + 1
    bounds = [0, *begins.tolist(), len(rows)] if len(rows) else []
    for first, end in pairwise(bounds):
        yield months[first].item(), rows.between(first, end)
