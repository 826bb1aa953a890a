"""Corrections: whatever differs, they add up to it, under ids of their own."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.decoder import decode
from ingester.errors import NeedsAPerson
from ingester.event import COUNT_MAX, is_replay_id
from ingester.outcomes import Window
from replay.correction import corrections
from replay.expand import METRICS, event_id
from replay.verification import Difference

DAY = date(2026, 3, 9)
ANY_TIME = Window(-(2**62), 2**62)


def difference(
    expected: int, found: int, row_id: str | None = "row", campaign_id: str | None = "c"
) -> Difference:
    return Difference(campaign_id, DAY, "sent", expected, found, row_id, (), ())


@given(
    st.integers(0, 2**40),
    st.integers(-(2**40), 2**40),
    st.integers(0, 1000),
    st.none() | st.text(max_size=20),
)
def test_corrections_add_up_to_the_difference(
    expected: int, found: int, last_revision: int, row_id: str | None
) -> None:
    made = list(corrections(difference(expected, found, row_id), last_revision))
    assert sum(each.delta for each in made) == expected - found
    assert all(0 < abs(each.delta) <= COUNT_MAX for each in made)
    assert [each.revision for each in made] == [
        last_revision + number for number in range(1, len(made) + 1)
    ]
    assert len({each.event_id for each in made}) == len(made)


@given(st.integers(-COUNT_MAX, COUNT_MAX).filter(bool), st.sampled_from(METRICS))
def test_the_ingester_accepts_what_is_published(delta: int, metric: str) -> None:
    found = Difference("campaign", DAY, metric, max(delta, 0), max(-delta, 0), "row", (), ())
    (made,) = corrections(found, 4)
    (decoded,) = decode([made.event().value()], lambda _: (), ANY_TIME)
    assert isinstance(decoded, tuple), decoded
    assert (decoded[0], decoded[1], decoded[4]) == ("campaign", made.event_id.bytes, delta)
    assert is_replay_id(made.event_id.bytes)


def test_a_correction_never_has_the_id_of_the_replay_or_of_an_earlier_one() -> None:
    ids = {next(corrections(difference(1, 0), last)).event_id for last in range(50)}
    assert len(ids) == 50
    assert event_id("row", "sent", DAY) not in ids


@pytest.mark.parametrize("unfit", [difference(-1, 0), difference(1, 0, campaign_id=None),
                                   difference(1, 0, campaign_id=""),
                                   difference(1, 0, campaign_id="x" * 256)])  # fmt: skip
def test_what_cannot_be_an_event_needs_a_person(unfit: Difference) -> None:
    with pytest.raises(NeedsAPerson, match="replay plan"):
        list(corrections(unfit, 0))
