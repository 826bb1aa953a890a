"""Days cut into ranges: every day in exactly one, none too large, none empty."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from replay.ranges import Day, Range, ranges

FIRST = date(2024, 3, 1)
DAYS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 6)), max_size=60)


def days_of(drawn: list[tuple[int, int, int]]) -> list[Day]:
    """Days with gaps between them: (days since the last one, rows, events of a row)."""
    found, day = [], FIRST
    for gap, rows, each in drawn:
        day += timedelta(days=gap)
        found.append(Day(day, rows, rows * each))
    return found


@given(DAYS, st.integers(1, 300))
def test_every_day_lies_in_exactly_one_range_and_its_numbers_with_it(
    drawn: list[tuple[int, int, int]], events_max: int
) -> None:
    days = days_of(drawn)
    until = days[-1].stat_date + timedelta(days=5) if days else FIRST
    found = list(ranges(days, until, events_max))
    for day in days:
        assert sum(each.first_date <= day.stat_date < each.end_date for each in found) == 1
    assert sum(each.events for each in found) == sum(day.events for day in days)
    assert sum(each.rows for each in found) == sum(day.rows for day in days)
    assert all(one.end_date == other.first_date for one, other in pairwise(found))
    assert [each.end_date for each in found[-1:]] == [until for _ in found[-1:]]


@given(DAYS, st.integers(1, 300))
def test_a_range_has_at_most_so_many_events_or_is_one_day(
    drawn: list[tuple[int, int, int]], events_max: int
) -> None:
    days = days_of(drawn)
    until = days[-1].stat_date + timedelta(days=1) if days else FIRST
    for each in ranges(days, until, events_max):
        inside = [day for day in days if each.first_date <= day.stat_date < each.end_date]
        assert each.events <= events_max or len(inside) == 1


def test_a_table_without_values_has_no_ranges() -> None:
    assert list(ranges([], FIRST, 100)) == []
    assert list(ranges([Day(FIRST, 2, 3)], date(2026, 1, 1), 100)) == [
        Range(FIRST, date(2026, 1, 1), 2, 3)
    ]
