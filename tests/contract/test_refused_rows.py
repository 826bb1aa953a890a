"""A row that PostgreSQL refuses costs itself, not its batch.

The decoder lets none through that we know of, so the tests put some in behind its back.
"""

from collections.abc import Iterator

import pytest

from ingester.batch import Slice
from ingester.outcomes import Outcomes
from tests.contract.postgres_backend import PostgresBackend, backend_on
from tests.contract.slices import TOPIC, slice_of
from tests.record import event_id, value_of

TOO_SMALL = b'{"k":1e-20000}'


@pytest.fixture
def backend(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresBackend]:
    yield from backend_on(database_url, monkeypatch)


def spoiled(part: Slice, index: int, metadata: bytes = TOO_SMALL) -> Slice:
    """The slice with one event's metadata exchanged for what jsonb cannot keep."""
    outcomes = list(part.outcomes)
    outcome = outcomes[index]
    assert isinstance(outcome, tuple)
    outcomes[index] = (*outcome[:6], metadata)
    part.outcomes = Outcomes.of(outcomes)
    return part


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(TOO_SMALL, id="number"),
        pytest.param(rb'{"k":"\u0000"}', id="NUL"),
        pytest.param(rb'{"k":"\ud800"}', id="surrogate"),
        pytest.param(b"{", id="cut"),
        pytest.param(b'{"k":\nCOPY x, line 1, column y', id="forged context"),
        pytest.param(b'{"k":\xff}', id="bytes"),
    ],
)
def test_a_refused_row_becomes_a_reject_and_the_others_land(
    backend: PostgresBackend, metadata: bytes
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    part = slice_of(0, 0, [value_of(1), value_of(2), b"", value_of(3)])
    outcome = store.write(TOPIC, [spoiled(part, 1, metadata)])
    assert (outcome.records, outcome.inserted, outcome.duplicates, outcome.rejected) == (4, 2, 0, 2)
    stored = backend.stored()
    assert {identity[1] for identity in stored.events} == {event_id(1), event_id(3)}
    assert stored.rejects == [
        (0, 1, "refused_by_database", value_of(2)),
        (0, 2, "invalid_json", b""),
    ]
    assert stored.totals == {0: (4, 2, 0, 0, 2)}
    ((detail,),) = backend.rows(
        "SELECT detail FROM rejected_events WHERE reason_code = 'refused_by_database'"
    )
    assert detail


def test_several_refused_rows_in_several_months_and_partitions_are_found(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0, 1: 0})
    june = "2024-06-01T00:00:00Z"
    first = slice_of(0, 0, [value_of(n) for n in range(10)])
    second = slice_of(1, 0, [value_of(n, occurred_at=june) for n in range(10, 20)])
    for index in (0, 4, 9):
        spoiled(first, index)
        spoiled(second, index)
    outcome = store.write(TOPIC, [first, second])
    assert (outcome.inserted, outcome.rejected) == (14, 6)
    assert backend.stored().totals == {0: (10, 7, 0, 0, 3), 1: (10, 7, 0, 0, 3)}


def test_a_refused_row_among_duplicates_is_found_in_the_staging_table(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    store.write(TOPIC, [slice_of(0, 0, [value_of(1)])])
    for start, number in ((1, 2), (4, 3)):  # once found after the direct way failed, once at once
        part = slice_of(0, start, [value_of(1), value_of(number), value_of(number + 10)])
        outcome = store.write(TOPIC, [spoiled(part, 1)])
        assert (outcome.inserted, outcome.duplicates, outcome.rejected) == (1, 1, 1)
    assert backend.stored().totals == {0: (7, 3, 2, 0, 2)}


def test_repeats_of_a_refused_row_are_rejects_too(backend: PostgresBackend) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    part = slice_of(0, 0, [value_of(1), value_of(1), value_of(2)])
    outcome = store.write(TOPIC, [spoiled(spoiled(part, 0), 1)])
    assert (outcome.inserted, outcome.duplicates, outcome.rejected) == (1, 0, 2)


def test_an_event_of_another_campaign_with_the_same_id_and_time_is_not_to_blame(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    part = slice_of(0, 0, [value_of(1, campaign_id="good"), value_of(1, campaign_id="bad")])
    outcome = store.write(TOPIC, [spoiled(part, 1)])
    assert (outcome.inserted, outcome.rejected) == (1, 1)


def test_many_refused_rows_cost_two_passes_and_not_one_each(
    backend: PostgresBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    prepared = []
    monkeypatch.setattr(
        "ingester.store.events.stage",
        lambda name, **_: prepared.append(name) if name == "prepare" else None,
    )
    part = slice_of(0, 0, [value_of(number) for number in range(5_000)])
    refused = range(0, 5_000, 25)
    for index in refused:
        spoiled(part, index)

    outcome = store.write(TOPIC, [part])

    assert (outcome.inserted, outcome.rejected) == (4_800, 200)
    stored = backend.stored()
    assert [reject[1] for reject in stored.rejects] == list(refused)
    assert len(prepared) == 2, "once to learn of it, once without them"
