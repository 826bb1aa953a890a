"""Members join and leave under load, faster than the group comes to rest."""

import signal
import time
from random import Random
from typing import Final

from tests.acceptance.process import Running
from tests.faults.arena import Arena, Round, drawn
from tests.faults.grounds import Grounds

_MEMBERS_MAX: Final = 3


def fight_classic(grounds: Grounds, done: Round, random: Random) -> None:
    """Under the classic protocol, cooperative-sticky."""
    _fight(grounds, done, random, {})


def fight_consumer(grounds: Grounds, done: Round, random: Random) -> None:
    """Under the `consumer` protocol (KIP-848)."""
    _fight(grounds, done, random, {"KAFKA_CONF__group_protocol": "consumer"})


def _fight(grounds: Grounds, done: Round, random: Random, settings: dict[str, str]) -> None:
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "200", **settings})
    try:
        with arena.load(done.seed, rate=1_000):
            members = [arena.worker()]
            members[0].until("partitions_started", 60.0)
            while done.faults < wanted:
                before = arena.offsets()
                _change(arena, members, random)
                done.faults += 1
                time.sleep(drawn(random, 0.0, 1.0))
                if done.faults % 5 == 0:
                    done.recoveries.append(round(arena.wait_for_progress(before), 2))
            arena.wait_for_progress(arena.offsets())
        for kind in ("assigned", "revoked", "lost"):
            every = arena.ingester.processes
            done.note(kind, sum(len(each.log.named("rebalance", kind=kind)) for each in every))
        arena.judge(done)
    finally:
        arena.end()


def _change(arena: Arena, members: list[Running], random: Random) -> None:
    """One more, or one less; at least one stays."""
    if len(members) < 2 or (len(members) < _MEMBERS_MAX and random.random() < 0.5):
        members.append(arena.worker())
        members[-1].until("rebalance", 60.0)  # before that it is no member
        return
    leaving = members.pop(random.randrange(len(members)))
    leaving.signal(signal.SIGTERM)
    code = leaving.wait(15.0)
    assert code in (0, -signal.SIGTERM), f"left with {code}:\n{leaving.tail()}"
