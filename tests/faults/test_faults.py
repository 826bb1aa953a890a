"""A short round of most kinds of fault: `make faults` runs as many as the figures want."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from tests.faults.grounds import Grounds
from tests.faults.kinds import KINDS, Kind
from tests.session_services import SessionServices

SHORT = {
    "kill": 14,
    "kill, consumer": 3,
    "pause": 1,
    "pause, consumer": 1,
    "commit reply lost": 5,
    "connection": 3,
    "database crash": 1,
    "disk full": 2,
    "leader killed": 1,
    "coordinator killed": 1,
    "broker paused": 1,
    "two versions": 2,
    "joins and leaves, classic": 3,
    "joins and leaves, consumer": 3,
}
LEFT_OUT = {
    "broker paused, consumer",
    "leader killed, consumer",
    "coordinator killed, consumer",
    "two versions, consumer",
    "commit reply lost, consumer",
    "connection, consumer",
    "database crash, consumer",
    "disk full, consumer",
    "changed topic",
    "changed topic, consumer",
}
"""Left to `make faults`: slow and the same but for the protocol, or tests of their own."""
FEW_RECORDS_A_KILL = 4_000


@pytest.fixture(scope="module")
def grounds(services: SessionServices) -> Iterator[Grounds]:
    made = Grounds(services)
    yield made
    made.end()


def short(kind: Kind) -> Kind:
    """The same with less traffic."""
    if not isinstance(kind.fight, partial) or "records_a_kill" not in kind.fight.keywords:
        return kind
    return replace(kind, fight=partial(kind.fight, records_a_kill=FEW_RECORDS_A_KILL))


@pytest.mark.parametrize("kind", [KINDS[name] for name in SHORT], ids=lambda kind: kind.name)
def test_every_record_stands_exactly_once_after(kind: Kind, grounds: Grounds) -> None:
    if lacking := kind.lacking():
        pytest.skip(lacking)
    done = short(kind).round(grounds, seed=7, faults=SHORT[kind.name])
    assert done.ok, done.differences
    assert done.faults >= SHORT[kind.name]
    assert done.records > 0


def test_no_kind_is_forgotten() -> None:
    assert SHORT.keys() | LEFT_OUT == KINDS.keys()
