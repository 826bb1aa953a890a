"""Members join and leave under load, faster than the group comes to rest."""

import time
from collections.abc import Mapping
from random import Random
from typing import Final

from tests.acceptance.process import Running
from tests.faults.arena import Arena, Round, drawn, leave
from tests.faults.grounds import Grounds
from tests.faults.witness import Witness

_MEMBERS_MAX: Final = 3
_CHANGE_PROBABILITY: Final = 0.7


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Under the protocol that the settings name."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "200", **settings})
    try:
        arena.make_partitions()
        with arena.load(done.seed, rate=1_000):
            members = [arena.worker()]
            members[0].until("partitions_started", 60.0)
            changes = 0
            while done.faults < wanted:
                done.faults += _change(arena, members, random)
                time.sleep(drawn(random, 0.0, 0.5))
                changes += 1
                if changes % 4 == 0:
                    done.recoveries.append(round(arena.wait_for_progress(arena.offsets()), 2))
            arena.wait_for_progress(arena.offsets())
        Witness(arena, members, done).is_well()
        for member in members:
            leave(member)
        for kind in ("assigned", "revoked", "lost"):
            every = arena.ingester.processes
            done.note(kind, sum(len(each.log.named("rebalance", kind=kind)) for each in every))
        arena.judge(done)
    finally:
        arena.end()


def _change(arena: Arena, members: list[Running], random: Random) -> int:
    """One more, one less, or both at once; at least one stays. Returns how many changes it was."""
    leaving, joining = None, None
    full = len(members) >= _MEMBERS_MAX
    if len(members) > 1 and (full or random.random() < _CHANGE_PROBABILITY):
        leaving = members.pop(random.randrange(len(members)))
    if leaving is None or random.random() < _CHANGE_PROBABILITY:
        joining = arena.worker()
    if leaving is not None:
        leave(leaving)
    if joining is not None:
        joining.until("rebalance", 60.0)  # before that it is no member
        members.append(joining)
    return (leaving is not None) + (joining is not None)
