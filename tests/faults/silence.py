"""A broker that answers nothing for longer than a session lasts: workers alive outside their group.

Both sides give the membership up, the member by itself, the coordinator when it wakes; the same
processes must find back without anybody's help.
"""

import time
from collections.abc import Mapping
from random import Random

from tests.acceptance.killing import session_timeout_ms
from tests.faults.arena import Round, drawn, leave
from tests.faults.grounds import Grounds
from tests.faults.witness import NO_BROKER, NO_MEMBER, TRIES_TO_WRITE, Witness


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Pause the broker until the round has its faults."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "1000", **settings})
    arena.shorten_sessions()
    session_seconds = session_timeout_ms(arena.ingester.bootstrap) / 1000
    try:
        arena.make_partitions()
        with arena.load(done.seed, rate=800):
            workers = [arena.worker(), arena.worker()]
            for worker in workers:
                worker.until("partitions_started", 60.0)
            witness = Witness(arena, workers, done)
            while done.faults < wanted:
                grounds.kafka.pause()
                try:
                    time.sleep(session_seconds + drawn(random, 2.0, 4.0))
                    witness.lives()
                    if done.faults == wanted - 1:
                        witness.is_not_ready(NO_BROKER, NO_MEMBER, TRIES_TO_WRITE)
                finally:
                    grounds.kafka.resume()
                done.recoveries.append(round(arena.wait_for_progress(arena.offsets()), 2))
                done.faults += 1
                time.sleep(drawn(random, 0.0, 1.0))
        witness.is_well()
        witness.tells_the_figures()
        done.note("lost", sum(len(w.log.named("rebalance", kind="lost")) for w in workers))
        if not done.notes["lost"]:
            done.differences.append("nobody was outside the group: the broker was away too shortly")
        for worker in workers:
            leave(worker)
        arena.judge(done)
    finally:
        arena.end()
