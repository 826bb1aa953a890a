"""How an answer is asked for: which statements it takes, whatever carries them to PostgreSQL.

A question is a generator: it yields `Ask`, is sent the rows of that statement, and returns the
answer. So the repository over a plain connection and the one for asyncio differ in nothing but how
they carry a statement (the idea: https://sans-io.readthedocs.io). Here is also what questions have
in common: checks of their arguments, and columns that every answer reads.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

from ingester.errors import UsageError
from ingester.repository.statistics import Metrics

Answer = TypeVar("Answer")
Row = Mapping[str, Any]

PAGE_ROWS_MAX: Final = 10_000
"""Rows of one page at most: an answer is made in memory, and readers share the database."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A statement by its name, its parameters, and identifiers to be quoted into it."""

    name: str
    parameters: Mapping[str, object] | None = None
    identifiers: Mapping[str, str] = field(default_factory=dict)


Question = Generator[Ask, list[Row], Answer]


def one_snapshot(question: Question[Answer]) -> Question[Answer]:
    """Let all statements of a question see the same; an error rolls back with its connection."""
    yield Ask("begin")
    yield Ask("one_snapshot")
    answer = yield from question
    yield Ask("commit")
    return answer


# What is asked


def text(given: str) -> str:
    """Text as PostgreSQL can take it; raises UsageError where no stored text can equal it."""
    if "\0" in given or (not given.isascii() and _has_surrogates(given)):
        raise UsageError(f"{given[:80]!r} is no text: it holds a NUL or half a character")
    return given


def _has_surrogates(given: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in given)


def day_range(start: date | None, end: date | None) -> dict[str, date | None]:
    """A range of days as parameters; raises UsageError."""
    if start is not None and end is not None and start > end:
        raise UsageError(f"the range begins on {start} and ends on {end}, before it")
    return {"start_date": start, "end_date": end}


def page_limit(limit: int) -> int:
    """The rows of a page; raises UsageError."""
    if not 1 <= limit <= PAGE_ROWS_MAX:
        raise UsageError(f"a page has 1 to {PAGE_ROWS_MAX} rows, not {limit}")
    return limit


# What is answered


def utc(moment: datetime) -> datetime:
    """A time as UTC, whatever the session's time zone."""
    return moment.astimezone(UTC)


def as_of(rows: Sequence[Row]) -> datetime:
    """The moment as of which an answer is complete; every statement that has it has a row."""
    return utc(rows[0]["as_of"])


def metrics(row: Row, suffix: str = "") -> Metrics:
    """Six columns of a row; sums are numeric in SQL, so that none overflows."""
    return Metrics(*(int(row[name + suffix] or 0) for name in Metrics.names()))
