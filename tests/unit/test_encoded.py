"""Slices as rows: complete or completed later the same, each event once, repeats told apart."""

from collections import Counter
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.batch import Slice
from ingester.binary_copy import KEY_BYTES, Rows, identity_of, months_of
from ingester.encoded import Encoded, encode_slices
from ingester.outcomes import Event, Events, Outcomes, Reason, Rejected, microseconds
from ingester.recent import Recent
from tests.examples import examples

CAMPAIGNS = ("a", "b", "c", "d")
KEYS = {campaign: number for number, campaign in enumerate(CAMPAIGNS, 1)}
REJECTED = Rejected(Reason.TOMBSTONE, "")
JULY = microseconds(datetime(2024, 7, 1, tzinfo=UTC))


def an_event(
    campaign: str = "a", number: int = 0, count: int = 1, occurred_us: int = JULY
) -> Event:
    return campaign, bytes(15) + bytes([number]), occurred_us, 0, count, None, None


events = st.builds(
    an_event,
    st.sampled_from(CAMPAIGNS),
    st.integers(0, 3),
    st.integers(1, 2),
    st.sampled_from([JULY - 1, JULY, JULY + 1]),
)
parts = st.lists(st.lists(events | st.just(REJECTED), max_size=12), min_size=1, max_size=3)


def slices_of(outcomes: list[list[Event | Rejected]]) -> list[Slice]:
    return [Slice(number, 0, 100, [], Outcomes.of(found)) for number, found in enumerate(outcomes)]


def encoded(
    outcomes: list[list[Event | Rejected]], recent: Recent | None = None, first_id: int = 0
) -> Encoded:
    ids = list(range(first_id, first_id + len(outcomes)))
    return encode_slices(slices_of(outcomes), KEYS, recent or Recent(), ids, 1)


def rows_in(found: Encoded) -> list[bytes]:
    return [row for month in found.months.values() for row in (*month.rows, *month.suspects)]


def batch_of(row: bytes) -> int:
    (batch_id,) = Rows.of([row]).batch_ids().tolist()
    return int(batch_id)


def repeats_in(found: Encoded) -> list[tuple[bytes, bool]]:
    return [
        repeat
        for month in found.months.values()
        for repeat in zip(month.repeats, month.conflicting.tolist(), strict=True)
    ]


def facts(found: Encoded) -> tuple[object, ...]:
    months = {
        month: (
            sorted(rows.rows),
            sorted(rows.suspects),
            sorted(zip(rows.repeats, rows.conflicting.tolist(), strict=True)),
        )
        for month, rows in found.months.items()
    }
    return found.counts, list(found.months), months, sorted(found.hashes.tolist()), found.unknown


@examples(200)
@given(parts, parts, st.sets(st.sampled_from(CAMPAIGNS)))
def test_completing_with_the_missing_campaigns_gives_what_knowing_all_gives(
    earlier: list[list[Event | Rejected]], outcomes: list[list[Event | Rejected]], known: set[str]
) -> None:
    recent = Recent()
    recent.add(encoded(earlier).hashes, {0: JULY, 1: JULY - 1})
    slices = slices_of(outcomes)
    ids = list(range(7, 7 + len(slices)))
    at_once = encode_slices(slices, KEYS, recent, ids, 1)
    ahead = encode_slices(slices, {name: KEYS[name] for name in known}, recent, ids, 1)
    assert ahead.unknown_campaigns().isdisjoint(known)
    before = facts(ahead)
    assert facts(ahead.completed(KEYS, recent)) == facts(at_once)
    assert facts(ahead) == before, "completing twice, after a failure, must start from the same"


@examples(200)
@given(parts)
def test_every_event_is_a_row_or_a_repeat(outcomes: list[list[Event | Rejected]]) -> None:
    found = encoded(outcomes)
    for number, tally in found.tallies().items():
        expected = sum(type(each) is tuple for each in outcomes[number])
        assert tally.inserted + tally.duplicates == expected
    assert len(rows_in(found)) == sum(tally.inserted for tally in found.tallies().values())
    for month, rows in found.months.items():
        assert [each for each, _ in months_of(rows.rows)] == ([month] if rows.rows else [])
        assert list(rows.rows) == sorted(rows.rows)


@examples(200)
@given(parts)
def test_the_first_of_an_identity_stays_and_the_others_repeat_it(
    outcomes: list[list[Event | Rejected]],
) -> None:
    found = encoded(outcomes)
    first: dict[tuple[object, ...], tuple[int, Event]] = {}
    repeats: Counter[tuple[int, tuple[object, ...], bool]] = Counter()
    for number, slice_outcomes in enumerate(outcomes):
        for each in slice_outcomes:
            if isinstance(each, Rejected):
                continue
            identity = (each[2], KEYS[each[0]], each[1])
            number_of_first, kept = first.setdefault(identity, (number, each))
            if kept is not each:
                repeats[number, identity, kept[3:5] != each[3:5]] += 1
                assert number_of_first <= number
    assert {identity_of(row): batch_of(row) for row in rows_in(found)} == {
        identity: number for identity, (number, _) in first.items()
    }
    assert repeats == Counter(
        (batch_of(row), identity_of(row), conflicts) for row, conflicts in repeats_in(found)
    )


def test_the_first_one_stays_though_another_way_of_decoding_brought_it_later() -> None:
    first, repeat = an_event(count=1), an_event(count=2)
    outcomes = Outcomes(2, [Events.of([(1, repeat)]), Events.of([(0, first)])])
    found = encode_slices([Slice(0, 0, 2, [], outcomes)], KEYS, Recent(), [1], 1)
    (row,) = rows_in(found)
    ((repeating, conflicts),) = repeats_in(found)
    assert (row[:KEY_BYTES], conflicts) == (repeating[:KEY_BYTES], True)
    assert int.from_bytes(row[KEY_BYTES + 16 : KEY_BYTES + 20], "big") == 1


def test_what_was_written_lately_is_suspected_and_nothing_else() -> None:
    recent = Recent()
    old: list[Event | Rejected] = [an_event(number=number) for number in range(5)]
    recent.add(encoded([old]).hashes, {0: JULY})
    new = an_event(number=9)
    (month,) = encoded([[old[3], new, old[1]]], recent, 8).months.values()
    assert [identity_of(row)[2][-1] for row in month.rows] == [9]
    assert [identity_of(row)[2][-1] for row in month.suspects] == [1, 3]


def test_what_is_newer_than_all_of_its_partition_is_not_suspected() -> None:
    recent = Recent()
    found = encoded([[an_event(occurred_us=JULY), an_event(occurred_us=JULY + 1)]])
    recent.add(found.hashes, {0: JULY, 1: JULY + 1})
    again: list[Event | Rejected] = [an_event(occurred_us=JULY), an_event(occurred_us=JULY + 1)]
    (first,) = encoded([again], recent).months.values()
    assert [identity_of(row)[0] - JULY for row in first.suspects] == [0]
    (both,) = encoded([[], again], recent).months.values()
    assert [identity_of(row)[0] - JULY for row in both.suspects] == [0, 1]


@pytest.mark.parametrize("changed", [{"occurred_us": 1}, {"campaign": "b"}, {"number": 1}])
def test_events_that_differ_in_any_part_of_their_identity_are_two(
    changed: dict[str, object],
) -> None:
    found = encoded([[an_event(), an_event(**changed)]])  # type: ignore[arg-type]
    assert (len(rows_in(found)), repeats_in(found)) == (2, [])
    assert len(np.unique(found.hashes)) == 2


def test_months_come_in_their_order() -> None:
    found = encoded([[an_event(occurred_us=JULY), an_event(occurred_us=JULY - 1)]])
    assert list(found.months) == [date(2024, 6, 1), date(2024, 7, 1)]
