"""The kinds of faults: how each is fought, how many make a round, and how many are wanted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

import psycopg
from confluent_kafka import KafkaException

from tests.faults import broker, connection, crash, disk, kill, membership, pause, reply, silence
from tests.faults.arena import Round
from tests.faults.grounds import Grounds


@dataclass(frozen=True, slots=True)
class Kind:
    """`fight` breaks things until the round has its number of faults, and judges."""

    name: str
    fight: Callable[[Grounds, Round, Random], None]
    a_round: int
    wanted: int

    def round(self, grounds: Grounds, seed: int, faults: int | None = None) -> Round:
        """One round; what goes wrong on the way stands in it like any difference."""
        done = Round(self.name, seed, faults or self.a_round)
        began = time.monotonic()
        try:
            self.fight(grounds, done, Random(seed))
        except (AssertionError, OSError, KafkaException, psycopg.Error) as error:
            done.differences.append(f"{type(error).__name__}: {error}")
        done.seconds = round(time.monotonic() - began, 1)
        return done


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("kill", partial(kill.fight, records_a_kill=kill.RECORDS_A_KILL), 10, 200),
        Kind("pause", pause.fight, 5, 50),
        Kind("commit reply lost", reply.fight, 25, 100),
        Kind("connection", connection.fight, 15, 60),
        Kind("database crash", crash.fight, 20, 100),
        Kind("disk full", disk.fight, 5, 10),
        Kind("leader killed", broker.fight_leader, 5, 30),
        Kind("coordinator killed", broker.fight_coordinator, 5, 30),
        Kind("broker paused", silence.fight, 5, 20),
        Kind("joins and leaves, classic", membership.fight_classic, 50, 250),
        Kind("joins and leaves, consumer", membership.fight_consumer, 50, 250),
    )
}
"""`wanted`: the figures that docs/reliability.md promises."""
