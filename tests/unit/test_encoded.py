"""Slices encoded ahead: complete or completed later, the rows are the same."""

from hypothesis import given
from hypothesis import strategies as st

from ingester.batch import Slice
from ingester.encoded import Encoded, encode_slices
from ingester.outcomes import Event, Outcomes, Reason, Rejected

CAMPAIGNS = ("a", "b", "c", "d")
KEYS = {campaign: number for number, campaign in enumerate(CAMPAIGNS, 1)}
REJECTED = Rejected(Reason.TOMBSTONE, "")

events = st.builds(
    lambda campaign, number, count: (
        campaign,
        bytes(15) + bytes([number]),
        10**15,
        0,
        count,
        None,
        None,
    ),
    st.sampled_from(CAMPAIGNS),
    st.integers(0, 3),
    st.integers(1, 2),
)
parts = st.lists(st.lists(events | st.just(REJECTED), max_size=12), min_size=1, max_size=3)


def slices_of(outcomes: list[list[Event | Rejected]]) -> list[Slice]:
    return [Slice(number, 0, 100, [], Outcomes.of(found)) for number, found in enumerate(outcomes)]


def facts(encoded: Encoded) -> tuple[object, ...]:
    repeats = {month: sorted(found) for month, found in encoded.repeats.items()}
    unknown = {
        batch_id: sorted(event for part in parts for event in part.singles())
        for batch_id, parts in encoded.unknown.items()
    }
    return encoded.counts, encoded.rows, repeats, unknown


@given(parts, st.sets(st.sampled_from(CAMPAIGNS)))
def test_completing_with_the_missing_campaigns_gives_what_knowing_all_gives(
    outcomes: list[list[Event | Rejected]], known: set[str]
) -> None:
    slices = slices_of(outcomes)
    ids = list(range(7, 7 + len(slices)))
    at_once = encode_slices(slices, KEYS, ids, 1)
    ahead = encode_slices(slices, {name: KEYS[name] for name in known}, ids, 1)
    assert ahead.unknown_campaigns().isdisjoint(known)
    assert facts(ahead.completed(KEYS)) == facts(at_once)


@given(parts)
def test_every_event_is_a_row_or_a_repeat(outcomes: list[list[Event | Rejected]]) -> None:
    slices = slices_of(outcomes)
    encoded = encode_slices(slices, KEYS, list(range(len(slices))), 1)
    for found, tally in zip(outcomes, encoded.tallies().values(), strict=True):
        assert tally.inserted + tally.duplicates == sum(type(each) is tuple for each in found)
    assert encoded.rows == sorted(encoded.rows)
    assert len(encoded.rows) == sum(tally.inserted for tally in encoded.tallies().values())
