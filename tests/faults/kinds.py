"""The kinds of faults: how each is fought, how many make a round, and how many are wanted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from tests.faults import (
    broker,
    changed,
    cluster,
    connection,
    crash,
    disk,
    filling,
    kill,
    membership,
    pause,
    reply,
    silence,
    upgrade,
)
from tests.faults.arena import CLASSIC, CONSUMER, Round
from tests.faults.grounds import Grounds


def _nothing() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """`fight` breaks things until the round has its number of faults, and judges.

    `seen` names what rounds must have noted by the time the wanted number is reached: without it
    the faults were not those that they are called. `p95_seconds_max` is the recovery promised,
    `lacking` tells what this machine lacks for the kind.
    """

    name: str
    fight: Callable[[Grounds, Round, Random], None]
    a_round: int
    wanted: int
    seen: tuple[str, ...] = ()
    p95_seconds_max: float | None = None
    lacking: Callable[[], str | None] = _nothing

    def round(self, grounds: Grounds, seed: int, faults: int | None = None) -> Round:
        """One round; what goes wrong on the way stands in it like any difference."""
        done = Round(self.name, seed, faults or self.a_round)
        began = time.monotonic()
        try:
            self.fight(grounds, done, Random(seed))
        except Exception as error:  # noqa: BLE001  # whatever it is: a bad round, not the end of all
            done.differences.append(f"{type(error).__name__}: {error}")
        done.seconds = round(time.monotonic() - began, 1)
        return done


_KILLED: Final = tuple(f"at {stage}" for stage in kill.STAGES)
_WELL: Final = ("/livez true in a fault", "/readyz true when all was over")
_TOLD: Final = (*_WELL, "/readyz true in a fault")
_FULL: Final = (*_TOLD, "rounds with SQLSTATE 53100")
_EACH_CASE_ONCE: Final = (len(changed.CASES), len(changed.CASES))
_FEW_RECORDS_A_KILL: Final = 10_000
_kill = partial(kill.fight, settings=CLASSIC, records_a_kill=kill.RECORDS_A_KILL)
_kill_consumer = partial(kill.fight, settings=CONSUMER, records_a_kill=_FEW_RECORDS_A_KILL)
_disk = partial(disk.fight, settings=CLASSIC)
_disk_consumer = partial(disk.fight, settings=CONSUMER)
_leader = partial(broker.fight, coordinator=False, settings=CLASSIC)
_leader_consumer = partial(_leader, settings=CONSUMER)
_coordinator = partial(broker.fight, coordinator=True, settings=CLASSIC)
_versions = partial(upgrade.fight, settings=CLASSIC)
_versions_consumer = partial(upgrade.fight, settings=CONSUMER)
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("kill", _kill, len(kill.STAGES), 210, _KILLED),
        Kind("kill, consumer", _kill_consumer, len(kill.STAGES), 42, _KILLED),
        Kind("pause", partial(pause.fight, settings=CLASSIC), 5, 50, ("refused",)),
        Kind("pause, consumer", partial(pause.fight, settings=CONSUMER), 5, 10, ("refused",)),
        Kind("commit reply lost", partial(reply.fight, settings=CLASSIC), 25, 100),
        Kind("commit reply lost, consumer", partial(reply.fight, settings=CONSUMER), 25, 25),
        Kind("connection", partial(connection.fight, settings=CLASSIC), 15, 60, _WELL, 15.0),
        Kind(
            name="connection, consumer",
            fight=partial(connection.fight, settings=CONSUMER),
            a_round=15,
            wanted=15,
            seen=_WELL,
            p95_seconds_max=15.0,
        ),
        Kind("database crash", partial(crash.fight, settings=CLASSIC), 20, 100, _TOLD, 15.0),
        Kind(
            name="database crash, consumer",
            fight=partial(crash.fight, settings=CONSUMER),
            a_round=20,
            wanted=20,
            seen=_TOLD,
            p95_seconds_max=15.0,
        ),
        Kind("disk full", _disk, 5, 10, _FULL, 15.0, filling.lacking),
        Kind("disk full, consumer", _disk_consumer, 5, 5, _FULL, 15.0, filling.lacking),
        Kind("leader killed", _leader, 5, 30, _WELL, 30.0, cluster.lacking),
        Kind("leader killed, consumer", _leader_consumer, 3, 6, _WELL, 30.0, cluster.lacking),
        Kind("coordinator killed", _coordinator, 5, 30, _WELL, 30.0, cluster.lacking),
        Kind(
            name="coordinator killed, consumer",
            fight=partial(_coordinator, settings=CONSUMER),
            a_round=3,
            wanted=6,
            seen=_WELL,
            p95_seconds_max=30.0,
            lacking=cluster.lacking,
        ),
        Kind("broker paused", partial(silence.fight, settings=CLASSIC), 5, 20, _TOLD),
        Kind("broker paused, consumer", partial(silence.fight, settings=CONSUMER), 5, 5, _TOLD),
        Kind("two versions", _versions, 6, 30, lacking=upgrade.lacking),
        Kind("two versions, consumer", _versions_consumer, 6, 6, lacking=upgrade.lacking),
        Kind("joins and leaves, classic", partial(membership.fight, settings=CLASSIC), 50, 250),
        Kind("joins and leaves, consumer", partial(membership.fight, settings=CONSUMER), 50, 250),
        Kind("changed topic", partial(changed.fight, settings=CLASSIC), *_EACH_CASE_ONCE),
        Kind(
            "changed topic, consumer", partial(changed.fight, settings=CONSUMER), *_EACH_CASE_ONCE
        ),
    )
}
"""`wanted` and `p95_seconds_max`: the figures that docs/reliability.md promises."""
