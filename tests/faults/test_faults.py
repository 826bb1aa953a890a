"""A short round of each kind of fault: `make faults` runs as many as the figures want."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.faults import kill
from tests.faults.filling import can_mount
from tests.faults.grounds import Grounds
from tests.faults.kinds import KINDS, Kind
from tests.session_services import SessionServices

SHORT = {
    "kill": 12,
    "pause": 1,
    "commit reply lost": 5,
    "connection": 3,
    "database crash": 1,
    "disk full": 2,
    "leader killed": 1,
    "coordinator killed": 1,
    "broker paused": 1,
    "joins and leaves, classic": 3,
    "joins and leaves, consumer": 3,
}
FEW_RECORDS_A_KILL = 4_000


@pytest.fixture(scope="module")
def grounds(services: SessionServices) -> Iterator[Grounds]:
    made = Grounds(services)
    yield made
    made.end()


def short(kind: Kind) -> Kind:
    """The same with less traffic."""
    if kind.name != "kill":
        return kind
    fight = partial(kill.fight, records_a_kill=FEW_RECORDS_A_KILL)
    return Kind(kind.name, fight, kind.a_round, kind.wanted)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_record_stands_exactly_once_after(kind: Kind, grounds: Grounds) -> None:
    if kind.name == "disk full" and not can_mount():
        pytest.skip("only root can mount the small file system that is to be filled")
    done = short(kind).round(grounds, seed=7, faults=SHORT[kind.name])
    assert done.ok, done.differences
    assert done.faults >= SHORT[kind.name]
    assert done.records > 0


def test_there_is_a_short_round_of_every_kind() -> None:
    assert SHORT.keys() == KINDS.keys()
