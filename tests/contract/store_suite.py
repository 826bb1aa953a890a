"""What every store must do, whatever it is made of.

The idea is getsentry/arroyo's tests/backends/mixins.py: one suite, inherited by the tests of the
fake and of the real one, so that what is proven on the fake holds.
"""
# ruff: noqa: D102 - a test's name is its sentence

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from threading import Barrier

import pytest

from ingester.batch import Slice, Written
from ingester.errors import CommitUnknown, NeedsAPerson
from ingester.event import parse_rfc3339
from ingester.outcomes import microseconds
from tests.contract.slices import TOPIC, slice_of
from tests.contract.stored import Backend, Counts, Stored
from tests.record import event_id, value_of


def values(*numbers: int) -> list[bytes | None]:
    """The values of these events."""
    return [value_of(number) for number in numbers]


def written(outcome: Written) -> Counts:
    """records, inserted, duplicates and rejected of a write (nothing is told of conflicts)."""
    return outcome.records, outcome.inserted, outcome.duplicates, 0, outcome.rejected


def numbers_in(stored: Stored) -> set[int]:
    """Which of the test's events are stored."""
    known = {event_id(number): number for number in range(1_000)}
    return {known[identity[1]] for identity in stored.events}


class StoreSuite:
    """Inherit it and give it a fixture `backend`."""

    # -- positions

    def test_a_partition_begins_where_its_log_begins(self, backend: Backend) -> None:
        store = backend.open()
        assert store.positions(TOPIC, {0: 0, 3: 17}) == {0: 0, 3: 17}
        assert store.offsets(TOPIC.name) == {0: 0, 3: 17}

    def test_a_partition_that_was_begun_stays_where_it_is(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 5})
        assert store.positions(TOPIC, {0: 99, 1: 2}) == {0: 5, 1: 2}
        assert backend.open().positions(TOPIC, {1: 50}) == {1: 2}

    def test_no_partitions_have_no_positions(self, backend: Backend) -> None:
        assert backend.open().positions(TOPIC, {}) == {}
        assert backend.open().offsets(TOPIC.name) == {}
        assert backend.open().offsets("another-topic") == {}

    @pytest.mark.parametrize("changed", [{"topic_id": "another"}, {"cluster_id": "another"}])
    def test_the_offsets_of_another_topic_are_not_taken_for_ours(
        self, backend: Backend, changed: dict[str, str]
    ) -> None:
        backend.open().positions(TOPIC, {0: 0})
        with pytest.raises(NeedsAPerson):
            backend.open().positions(replace(TOPIC, **changed), {0: 0})
        assert backend.stored().positions == {0: 0}

    def test_nothing_is_written_of_a_partition_that_was_never_begun(self, backend: Backend) -> None:
        with pytest.raises(NeedsAPerson):
            backend.open().write(TOPIC, [slice_of(0, 0, values(1))])
        assert backend.stored() == Stored()

    # -- one write

    def test_events_rejects_ledger_and_position_are_written_together(
        self, backend: Backend
    ) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        part = slice_of(0, 0, [value_of(1, count=3), b"rubbish", None, value_of(2)])
        outcome = store.write(TOPIC, [part])
        assert written(outcome) == (4, 2, 0, 0, 2)
        assert (outcome.positions, outcome.refused) == ({0: 4}, {})
        stored = backend.stored()
        occurred_us = microseconds(parse_rfc3339("2024-05-06T07:08:09.123456Z"))
        assert stored.events == {
            ("campaign-1", event_id(1), occurred_us): ("sent", 3, None, None),
            ("campaign-2", event_id(2), occurred_us): ("sent", 1, None, None),
        }
        assert sorted(stored.rejects) == [
            (0, 1, "invalid_json", b"rubbish"),
            (0, 2, "tombstone", None),
        ]
        counts = (4, 2, 0, 0, 2)
        assert stored.positions == {0: 4}
        assert stored.totals == {0: counts}
        assert stored.ledger == [(0, 0, 4, counts)]

    def test_an_optional_field_may_be_missing_in_the_first_row(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        some = [
            value_of(1),
            value_of(2, email_account_id="é"),
            value_of(3, metadata={"k": [1, None, "\N{GRINNING FACE}"]}),
            value_of(4, email_account_id="x", metadata={}),
            value_of(5),
        ]
        store.write(TOPIC, [slice_of(0, 0, list(some))])
        told = {identity[1]: facts[2:] for identity, facts in backend.stored().events.items()}
        assert told == {
            event_id(1): (None, None),
            event_id(2): ("é", None),
            event_id(3): (None, {"k": [1, None, "\N{GRINNING FACE}"]}),
            event_id(4): ("x", {}),
            event_id(5): (None, None),
        }

    def test_several_partitions_are_written_at_once(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0, 1: 100, 2: 0})
        parts = [slice_of(2, 0, values(5)), slice_of(0, 0, values(1, 2)), slice_of(1, 100, [b""])]
        outcome = store.write(TOPIC, parts)
        assert outcome.positions == {0: 2, 1: 101, 2: 1}
        assert written(outcome) == (4, 3, 0, 0, 1)
        assert backend.stored().totals == {
            0: (2, 2, 0, 0, 0),
            1: (1, 0, 0, 0, 1),
            2: (1, 1, 0, 0, 0),
        }

    def test_batches_follow_each_other_without_gap(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 7})
        for start in (7, 9, 11):
            store.write(TOPIC, [slice_of(0, start, values(start, start + 1))])
        stored = backend.stored()
        assert [entry[1:3] for entry in stored.ledger] == [(7, 9), (9, 11), (11, 13)]
        assert numbers_in(stored) == set(range(7, 13))

    def test_the_end_of_the_log_moves_the_position_without_a_record(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 3})
        outcome = store.write(TOPIC, [Slice(0, 3, 8)])
        assert (outcome.positions, written(outcome)) == ({0: 8}, (0, 0, 0, 0, 0))
        assert backend.stored().ledger == [(0, 3, 8, (0, 0, 0, 0, 0))]
        assert store.positions(TOPIC, {0: 0}) == {0: 8}

    def test_gaps_of_the_log_lie_inside_the_slice(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        store.write(TOPIC, [slice_of(0, 0, values(1), end=10)])
        assert store.write(TOPIC, [slice_of(0, 10, values(2))]).positions == {0: 11}

    def test_a_month_without_a_partition_gets_one(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        times = ["2023-12-31T23:59:59.999999Z", "2024-01-01T00:00:00Z", "2024-02-29T12:00:00Z"]
        some = [value_of(number, occurred_at=time) for number, time in enumerate(times)]
        assert written(store.write(TOPIC, [slice_of(0, 0, list(some))])) == (3, 3, 0, 0, 0)
        assert numbers_in(backend.stored()) == {0, 1, 2}

    # -- exactly once

    def test_the_same_slices_again_are_refused_and_change_nothing(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0, 1: 0})
        parts = [slice_of(0, 0, values(1, 2)), slice_of(1, 0, [None])]
        store.write(TOPIC, parts)
        before = backend.stored()
        outcome = store.write(TOPIC, parts)
        assert (outcome.positions, outcome.refused) == ({}, {0: 2, 1: 1})
        assert written(outcome) == (0, 0, 0, 0, 0)
        assert backend.stored() == before

    @pytest.mark.parametrize("start", [1, 3])
    def test_a_start_that_is_not_the_stored_offset_is_refused(
        self, backend: Backend, start: int
    ) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 2})
        outcome = store.write(TOPIC, [slice_of(0, start, values(1))])
        assert (outcome.refused, outcome.positions) == ({0: 2}, {})
        assert backend.stored().events == {}

    def test_a_refused_slice_leaves_the_others_written(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0, 1: 5, 2: 0})
        parts = [slice_of(p, 0, [value_of(p), b""]) for p in (0, 1, 2)]
        outcome = store.write(TOPIC, parts)
        assert (outcome.positions, outcome.refused) == ({0: 2, 2: 2}, {1: 5})
        assert written(outcome) == (4, 2, 0, 0, 2)
        stored = backend.stored()
        assert numbers_in(stored) == {0, 2}
        assert {reject[0] for reject in stored.rejects} == {0, 2}
        assert stored.positions == {0: 2, 1: 5, 2: 2}

    def test_of_two_workers_with_one_slice_only_the_first_wins(self, backend: Backend) -> None:
        first, second = backend.open(), backend.open()
        first.positions(TOPIC, {0: 0})
        second.positions(TOPIC, {0: 0})
        assert first.write(TOPIC, [slice_of(0, 0, values(1, 2))]).positions == {0: 2}
        assert second.write(TOPIC, [slice_of(0, 0, values(1))]).refused == {0: 2}
        assert backend.stored().totals == {0: (2, 2, 0, 0, 0)}

    def test_of_workers_that_race_exactly_one_wins_each_slice(self, backend: Backend) -> None:
        workers, rounds = 3, 5
        stores = [backend.open() for _ in range(workers)]
        for store in stores:
            store.positions(TOPIC, {0: 0, 1: 0})
        together = Barrier(workers)

        def race(number: int, start: int) -> Written:
            parts = [slice_of(p, start, values(start * 2 + p)) for p in (0, 1)]
            if number % 2:
                parts.reverse()
            together.wait(30)
            return stores[number].write(TOPIC, parts)

        with ThreadPoolExecutor(workers) as pool:
            for start in range(rounds):
                outcomes = list(pool.map(race, range(workers), [start] * workers))
                for partition in (0, 1):
                    assert sum(partition in outcome.positions for outcome in outcomes) == 1
                    assert sum(partition in outcome.refused for outcome in outcomes) == workers - 1
        stored = backend.stored()
        assert numbers_in(stored) == set(range(2 * rounds))
        assert stored.totals == dict.fromkeys((0, 1), (rounds, rounds, 0, 0, 0))

    @pytest.mark.parametrize("what", ["before", "after"])
    def test_a_commit_without_an_answer_is_settled(self, backend: Backend, what: str) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0, 1: 0})
        parts = [slice_of(0, 0, values(1, 1, 2)), slice_of(1, 0, [b""])]
        backend.lose_reply("before" if what == "before" else "after")
        with pytest.raises(CommitUnknown):
            store.write(TOPIC, parts)
        assert bool(backend.stored().events) == (what == "after")
        outcome = store.write(TOPIC, parts)
        assert (outcome.positions, outcome.refused) == ({0: 3, 1: 1}, {})
        assert written(outcome) == (4, 2, 1, 0, 1)
        assert backend.stored().totals == {0: (3, 2, 1, 0, 0), 1: (1, 0, 0, 0, 1)}
        assert store.write(TOPIC, [slice_of(0, 3, values(3))]).positions == {0: 4}

    def test_a_lost_answer_after_which_another_worker_took_over_is_settled(
        self, backend: Backend
    ) -> None:
        store, other = backend.open(), backend.open()
        store.positions(TOPIC, {0: 0})
        backend.lose_reply("before")
        with pytest.raises(CommitUnknown):
            store.write(TOPIC, [slice_of(0, 0, values(1))])
        other.write(TOPIC, [slice_of(0, 0, values(1, 2))])
        outcome = store.write(TOPIC, [slice_of(0, 0, values(1))])
        assert (outcome.positions, outcome.refused) == ({}, {0: 2})
        assert backend.stored().totals == {0: (2, 2, 0, 0, 0)}

    # -- duplicates

    def test_duplicates_within_a_slice_are_counted(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        outcome = store.write(TOPIC, [slice_of(0, 0, values(1, 1, 2, 1))])
        assert written(outcome) == (4, 2, 2, 0, 0)
        assert backend.stored().totals == {0: (4, 2, 2, 0, 0)}

    def test_duplicates_across_slices_are_counted_where_they_stand(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0, 1: 0})
        store.write(TOPIC, [slice_of(0, 0, values(1, 2)), slice_of(1, 0, values(2, 3, 1))])
        assert backend.stored().totals == {0: (2, 2, 0, 0, 0), 1: (3, 1, 2, 0, 0)}

    def test_duplicates_across_batches_are_counted(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0, 1: 0})
        store.write(TOPIC, [slice_of(0, 0, values(1, 2))])
        outcome = store.write(
            TOPIC, [slice_of(0, 2, values(2, 3, 3)), slice_of(1, 0, values(1, 4, 3))]
        )
        assert written(outcome) == (6, 2, 4, 0, 0)
        assert backend.stored().totals == {0: (5, 3, 2, 0, 0), 1: (3, 1, 2, 0, 0)}
        assert written(store.write(TOPIC, [slice_of(0, 5, values(5))])) == (1, 1, 0, 0, 0)
        assert written(store.write(TOPIC, [slice_of(0, 6, values(5, 6))])) == (2, 1, 1, 0, 0)
        assert numbers_in(backend.stored()) == set(range(1, 7))

    def test_duplicates_in_one_month_do_not_disturb_another(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        may, june = value_of(1), value_of(2, occurred_at="2024-06-01T00:00:00Z")
        store.write(TOPIC, [slice_of(0, 0, [may])])
        assert written(store.write(TOPIC, [slice_of(0, 1, [may, june])])) == (2, 1, 1, 0, 0)

    def test_a_repeat_that_tells_another_story_is_a_conflicting_duplicate(
        self, backend: Backend
    ) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0, 1: 0})
        changed = [
            value_of(1, count=2),
            value_of(1, event_type="opened"),
            value_of(1),
            value_of(1, email_account_id="x", metadata={"k": 1}),
        ]
        store.write(TOPIC, [slice_of(0, 0, [value_of(1), *changed])])
        assert backend.stored().totals[0] == (5, 1, 4, 2, 0)
        for number, value in enumerate(changed):
            store.write(TOPIC, [slice_of(1, number, [value])])
        stored = backend.stored()
        assert stored.totals[1] == (4, 0, 4, 2, 0)
        assert list(stored.events.values()) == [("sent", 1, None, None)], "the first one stays"

    def test_an_event_is_another_one_where_any_part_of_its_identity_differs(
        self, backend: Backend
    ) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        some = [
            value_of(1),
            value_of(1, campaign_id="another"),
            value_of(1, occurred_at="2024-05-06T07:08:09.123457Z"),
            value_of(2, campaign_id="campaign-1"),
        ]
        assert written(store.write(TOPIC, [slice_of(0, 0, list(some))])) == (4, 4, 0, 0, 0)

    def test_the_same_moment_in_another_zone_is_the_same_event(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        shifted = value_of(1, occurred_at="2024-05-06T09:08:09.123456+02:00")
        outcome = store.write(TOPIC, [slice_of(0, 0, [value_of(1), shifted])])
        assert written(outcome) == (2, 1, 1, 0, 0)

    # -- campaigns and the floor

    def test_campaigns_are_told_apart_byte_by_byte(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        names = ["a", "A", "a ", " a", "\u00e9", "e\u0301", "\N{GRINNING FACE}" * 255, "\ufffe"]
        some = [value_of(1, campaign_id=name) for name in names]
        assert written(store.write(TOPIC, [slice_of(0, 0, list(some))])) == (8, 8, 0, 0, 0)
        assert {identity[0] for identity in backend.stored().events} == set(names)

    def test_there_is_no_floor_at_first(self, backend: Backend) -> None:
        assert backend.open().floor().year <= 2000

    def test_events_below_a_floor_that_rose_become_rejects(self, backend: Backend) -> None:
        store = backend.open()
        store.positions(TOPIC, {0: 0})
        store.write(TOPIC, [slice_of(0, 0, values(1))])
        below = value_of(2, occurred_at="2024-05-31T23:59:59.999999Z")
        above = value_of(3, occurred_at="2024-06-01T00:00:00Z")
        part = slice_of(0, 1, [below, above, b""])
        backend.raise_floor(date(2024, 6, 1))
        assert store.floor().date() == date(2024, 6, 1)
        assert written(store.write(TOPIC, [part])) == (3, 1, 0, 0, 2)
        stored = backend.stored()
        assert sorted(stored.rejects) == [
            (0, 1, "outside_window", below),
            (0, 3, "invalid_json", b""),
        ]
        assert stored.totals == {0: (4, 2, 0, 0, 2)}
        assert numbers_in(stored) == {1, 3}
