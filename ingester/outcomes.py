"""What records have become: events by columns, and the rejects among them.

A million events as a million tuples cost more to make, to carry and to collect than to validate;
as columns they are a handful of arrays and lists, made and written a run at a time. Pure; knows
nothing of JSON, of Kafka or of PostgreSQL.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from ingester.event import EventType

Event = tuple[str, bytes, int, int, int, str | None, bytes | None]
"""One event by itself: campaign_id, event_id (16 bytes), occurred_at (µs since `EPOCH`), type code
(index in EventType), count, email_account_id, metadata (JSON text)."""

Headers = Sequence[tuple[str, bytes | None]]
"""A record's headers, in their order; a name may stand several times."""

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL's epoch: binary timestamps count from here. Earlier events are outside the window."""

_TYPES: Final = [str(event_type) for event_type in EventType]
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Microseconds from `EPOCH` to an aware time."""
    return (time - EPOCH) // _MICROSECOND


class Reason(StrEnum):
    """Why a record is not an event: the closed list of `rejected_events.reason_code`."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    NOT_AN_OBJECT = "not_an_object"
    INVALID_ENVELOPE = "invalid_envelope"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_VALUE = "invalid_value"
    OUTSIDE_WINDOW = "outside_window"
    REFUSED_BY_DATABASE = "refused_by_database"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not an event; `detail` is short, printable and safe to log."""

    reason: Reason
    detail: str

    def __post_init__(self) -> None:
        """Keep the detail storable whatever it quotes: printable ASCII, at most 300 characters."""
        safe = self.detail.encode("unicode_escape").decode("ascii")
        object.__setattr__(self, "detail", safe[:300])


@dataclass(frozen=True, slots=True)
class Window:
    """The accepted times, both ends included, in µs since `EPOCH`."""

    first_us: int
    last_us: int

    @classmethod
    def around(cls, now: datetime, back: timedelta, ahead: timedelta, floor: datetime) -> "Window":
        """Span from `back` before now, never below the retention floor, to `ahead` after it."""
        first = max(now - back, floor, EPOCH)
        return cls(microseconds(first), microseconds(now + ahead))


@dataclass(slots=True)
class Events:
    """N events by columns, in any order; `at` is the place of each one's record in its run.

    at: (N,) intp · event_ids: (N, 16) uint8 · occurred_us: (N,) int64, µs since `EPOCH` · types:
    values of EventType · counts: (N,) int32 · accounts: "" for none · metadata: JSON text, by the
    number of its event, of those that have some.
    """

    at: npt.NDArray[np.intp]
    campaign_ids: list[str]
    event_ids: npt.NDArray[np.uint8]
    occurred_us: npt.NDArray[np.int64]
    types: list[str]
    counts: npt.NDArray[np.int32]
    accounts: list[str]
    metadata: dict[int, bytes]

    @classmethod
    def of(cls, events: Iterable[tuple[int, Event]]) -> "Events":
        """Make columns of single events, each with its place."""
        found = list(events)
        at = [place for place, _ in found]
        ids, identities, times, codes, counts, accounts, metadata = (
            zip(*(event for _, event in found), strict=True) if found else [()] * 7
        )
        return cls(
            np.array(at, np.intp),
            list(ids),
            np.frombuffer(b"".join(identities), np.uint8).reshape(-1, 16),
            np.array(times, np.int64),
            [_TYPES[code] for code in codes],
            np.array(counts, np.int32),
            [account or "" for account in accounts],
            {number: text for number, text in enumerate(metadata) if text is not None},
        )

    def __len__(self) -> int:
        return len(self.campaign_ids)

    def chosen(self, which: npt.NDArray[np.bool_]) -> "Events":
        """Those events that a mask of N chooses."""
        numbers = np.flatnonzero(which).tolist()
        new = dict(zip(numbers, itertools.count(), strict=False))
        return Events(
            self.at[which],
            [self.campaign_ids[number] for number in numbers],
            self.event_ids[which],
            self.occurred_us[which],
            [self.types[number] for number in numbers],
            self.counts[which],
            [self.accounts[number] for number in numbers],
            {new[number]: text for number, text in self.metadata.items() if number in new},
        )

    def singles(self) -> Iterator[tuple[int, Event]]:
        """Each event by itself, with its place."""
        columns = zip(
            self.at.tolist(),
            self.campaign_ids,
            map(bytes, self.event_ids),
            self.occurred_us.tolist(),
            map(_TYPES.index, self.types),
            self.counts.tolist(),
            self.accounts,
            map(self.metadata.get, range(len(self))),
            strict=True,
        )
        for place, campaign_id, identity, time, code, count, account, metadata in columns:
            yield place, (campaign_id, identity, time, code, count, account or None, metadata)


@dataclass(slots=True)
class Outcomes:
    """What became of `size` consecutive records: each is an event or, by its place, a reject.

    The events lie in several parts, as they were recognised, and in no order.
    """

    size: int = 0
    parts: list[Events] = field(default_factory=list)
    rejects: dict[int, Rejected] = field(default_factory=dict)

    @classmethod
    def of(cls, outcomes: Iterable[Event | Rejected]) -> "Outcomes":
        """Of single outcomes, in their order."""
        singles = dict(enumerate(outcomes))
        return cls.with_singles(len(singles), Events.of(()), singles)

    @classmethod
    def with_singles(
        cls, size: int, events: Events, singles: Mapping[int, Event | Rejected]
    ) -> "Outcomes":
        """Of events by columns, and of single outcomes by their places."""
        rejects = {at: each for at, each in singles.items() if isinstance(each, Rejected)}
        others = [(at, each) for at, each in singles.items() if not isinstance(each, Rejected)]
        return cls(size, [events, Events.of(others)] if others else [events], rejects)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Event | Rejected]:
        """Yield each outcome by itself, in the order of the records."""
        found: dict[int, Event | Rejected] = dict(self.rejects)
        for part in self.parts:
            found.update(part.singles())
        return (found[at] for at in range(self.size))

    @property
    def occurred_us(self) -> npt.NDArray[np.int64]:
        """The times of all events."""
        return np.concatenate([np.empty(0, np.int64), *(part.occurred_us for part in self.parts)])

    def extend(self, following: "Outcomes") -> None:
        """Append what became of the records that follow."""
        for part in following.parts:
            part.at = part.at + self.size
            self.parts.append(part)
        self.rejects |= {self.size + at: each for at, each in following.rejects.items()}
        self.size += following.size

    def reject(self, guilty: Callable[[Events], npt.NDArray[np.bool_]], rejected: Rejected) -> bool:
        """Turn the events that a mask of each part chooses into rejects; False where it is none."""
        size = len(self.rejects)
        for number, part in enumerate(self.parts):
            which = guilty(part)
            if which.any():
                self.rejects |= dict.fromkeys(part.at[which].tolist(), rejected)
                self.parts[number] = part.chosen(~which)
        return len(self.rejects) > size
