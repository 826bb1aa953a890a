"""A broker that answers nothing for longer than a session lasts: workers alive outside their group.

Both sides give the membership up, the member by itself, the coordinator when it wakes; the same
processes must find back without anybody's help.
"""

import time
from random import Random

from tests.acceptance.killing import session_timeout_ms
from tests.faults.arena import Round, drawn
from tests.faults.grounds import Grounds


def fight(grounds: Grounds, done: Round, random: Random) -> None:
    """Pause the broker until the round has its faults."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "1000"})
    arena.shorten_sessions()
    session_seconds = session_timeout_ms(arena.ingester.bootstrap) / 1000
    try:
        with arena.load(done.seed, rate=800):
            workers = [arena.worker(), arena.worker()]
            for worker in workers:
                worker.until("partitions_started", 60.0)
            while done.faults < wanted:
                grounds.kafka.pause()
                try:
                    time.sleep(session_seconds + drawn(random, 2.0, 4.0))
                finally:
                    grounds.kafka.resume()
                done.recoveries.append(round(arena.wait_for_progress(arena.offsets()), 2))
                done.faults += 1
                time.sleep(drawn(random, 0.0, 1.0))
            ended = [worker.code for worker in workers if worker.code is not None]
            if ended:
                done.differences.append(f"workers ended with {ended}")
        done.note("lost", sum(len(w.log.named("rebalance", kind="lost")) for w in workers))
        if not done.notes["lost"]:
            done.differences.append("nobody was outside the group: the broker was away too shortly")
        arena.judge(done)
    finally:
        arena.end()
