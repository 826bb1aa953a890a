"""Outcomes by columns say what the single outcomes said."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingester.outcomes import Event, Events, Outcomes, Reason, Rejected
from tests.examples import examples

events = st.tuples(
    st.text(min_size=1, max_size=3),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**52),
    st.integers(0, 5),
    st.integers(-5, 5),
    st.none() | st.text(min_size=1, max_size=3),
    st.none() | st.just(b"{}"),
)
rejects = st.builds(Rejected, st.sampled_from(Reason), st.text(max_size=5))
runs = st.lists(events | rejects, max_size=8)
LATE = Rejected(Reason.OUTSIDE_WINDOW, "late")


@examples(100)
@given(runs)
def test_columns_give_back_the_events_they_were_made_of(outcomes: list[Event | Rejected]) -> None:
    assert list(Outcomes.of(outcomes)) == outcomes


@examples(100)
@given(runs, runs)
def test_what_follows_is_appended(
    first: list[Event | Rejected], following: list[Event | Rejected]
) -> None:
    both = Outcomes.of(first)
    both.extend(Outcomes.of(following))
    assert (len(both), list(both)) == (len(first) + len(following), first + following)
    assert sorted(both.occurred_us.tolist()) == sorted(
        each[2] for each in first + following if not isinstance(each, Rejected)
    )


@examples(100)
@given(runs, st.integers(0, 2**52))
def test_events_that_become_rejects_stay_in_their_places(
    outcomes: list[Event | Rejected], floor_us: int
) -> None:
    changed = Outcomes.of(outcomes)
    found = changed.reject(lambda part: part.occurred_us < floor_us, LATE)
    expected = [
        LATE if not isinstance(each, Rejected) and each[2] < floor_us else each for each in outcomes
    ]
    assert (list(changed), found) == (expected, expected != outcomes)


@examples(100)
@given(st.lists(events, max_size=8), st.data())
def test_chosen_events_keep_all_they_had(drawn: list[Event], data: st.DataObject) -> None:
    columns = Events.of(enumerate(drawn))
    which = data.draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn)))
    chosen = columns.chosen(np.array(which, np.bool_))
    assert list(chosen.singles()) == [
        pair for pair, wanted in zip(enumerate(drawn), which, strict=True) if wanted
    ]
