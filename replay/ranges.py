"""Days of the old table, cut into the ranges of the ledger; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Day:
    """What one day of the old table holds: rows with a value, and the events they become."""

    stat_date: date
    rows: int
    events: int


@dataclass(frozen=True, slots=True)
class Range:
    """The days first_date <= stat_date < end_date, published and acknowledged as one."""

    first_date: date
    end_date: date
    rows: int
    events: int


def ranges(days: Iterable[Day], until: date, events_max: int) -> Iterator[Range]:
    """Cut the days before `until` into ranges of at most `events_max` events, or of one day.

    `days` come in order, those without a value left out. A range ends where the next begins and
    the last one at `until`, so that no day between the first and `until` lies in none.
    """
    taken: list[Day] = []
    for day in days:
        if taken and sum(each.events for each in taken) + day.events > events_max:
            yield _range(taken, day.stat_date)
            taken = []
        taken.append(day)
    if taken:
        yield _range(taken, until)


def _range(days: list[Day], end_date: date) -> Range:
    return Range(
        first_date=days[0].stat_date,
        end_date=end_date,
        rows=sum(day.rows for day in days),
        events=sum(day.events for day in days),
    )
