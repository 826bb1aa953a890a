"""What was met lately is remembered, and hardly anything else is taken for it."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from ingester import recent
from ingester.outcomes import Event, Events
from ingester.recent import REMEMBERED_MIN, Hashes, Recent, hashes
from tests.examples import examples

SIZE = REMEMBERED_MIN // 8


def meet(memory: Recent, met: Hashes) -> npt.NDArray[np.bool_]:
    found = memory.has(met)
    memory.add(met, {})
    return found


def drawn(seed: int, size: int) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, size, np.uint64)


def test_the_last_million_are_remembered_and_no_others() -> None:
    memory = Recent()
    batches = [drawn(seed, SIZE) for seed in range(40)]
    for number, batch in enumerate(batches):
        assert not meet(memory, batch).any()
        repeated = np.concatenate([each[:50] for each in batches[max(0, number - 6) : number + 1]])
        assert meet(memory, repeated).all()


def test_what_was_met_long_ago_is_forgotten() -> None:
    memory = Recent()
    first = drawn(0, SIZE)
    meet(memory, first)
    for seed in range(1, 40):
        meet(memory, drawn(seed, SIZE))
    assert not meet(memory, first).any()


@examples(50)
@given(st.lists(st.lists(st.integers(0, 60), max_size=40), max_size=8))
def test_crowded_slots_are_told_apart(batches: list[list[int]]) -> None:
    # All of these belong into the last slots of the table: the search goes round its end.
    crowd = (np.arange(1, 62, dtype=np.uint64) << np.uint64(33)) + np.uint64(2**21 - 2)
    memory, met = Recent(), set[int]()
    for batch in batches:
        found = meet(memory, crowd[batch])
        assert found.tolist() == [number in met for number in batch]
        met.update(batch)


def test_the_newest_time_of_a_partition_never_goes_back() -> None:
    memory, nothing = Recent(), drawn(0, 0)
    assert memory.newest(1) < -(2**62)
    for newest in ({1: 50}, {1: 40, 2: 7}, {}):
        memory.add(nothing, newest)
    assert (memory.newest(1), memory.newest(2)) == (50, 7)


def test_every_part_of_the_identity_counts_and_nothing_else() -> None:
    base: Event = ("a", bytes(range(16)), 10**15, 0, 1, None, None)
    others: list[Event] = [
        ("a", bytes(range(1, 17)), 10**15, 0, 1, None, None),
        ("a", bytes(range(16)), 10**15 + 1, 0, 1, None, None),
        ("a", bytes(15) + b"\1", 10**15, 0, 1, None, None),
    ]
    same: Event = ("a", bytes(range(16)), 10**15, 3, 7, "x", b"{}")
    events = Events.of(enumerate([base, *others, base, same]))
    found = hashes(events.event_ids, events.occurred_us, np.array([1, 1, 1, 1, 2, 1], np.int32))
    assert len(set(found.tolist())) == 5
    assert found[0] == found[5]


def test_hashes_of_close_identities_spread() -> None:
    events = Events.of(
        (n, ("a", n.to_bytes(16, "big"), 10**15, 0, 1, None, None)) for n in range(20_000)
    )
    found = hashes(events.event_ids, events.occurred_us, np.ones(20_000, np.int32))
    assert len(np.unique(found)) == 20_000
    slots = np.unique(found % np.uint64(recent._SLOTS))  # noqa: SLF001 - how they spread is the point
    assert len(slots) > 19_800
