"""PostgreSQL ends without a checkpoint (`pg_ctl stop -m immediate`, fsync on), and starts again."""

import time
from collections.abc import Mapping
from random import Random

from tests.faults.arena import Round, drawn
from tests.faults.grounds import Grounds
from tests.faults.witness import NO_DATABASE, Witness
from tests.services.postgres import LocalPostgres


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Crash it in the middle of batches, under load."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "1000", **settings})
    try:
        arena.make_partitions()
        with arena.load(done.seed, rate=1_500):
            worker = arena.worker()
            worker.until("batch_stage", 60.0, stage="committed", times=3)
            witness = Witness(arena, [worker], done)
            while done.faults < wanted:
                time.sleep(drawn(random, 0.0, 0.5))
                copies = len(worker.log.named("batch_stage", stage="copy"))
                worker.until("batch_stage", 60.0, stage="copy", times=copies + 1)
                before = arena.offsets()
                crash(grounds)
                witness.lives()
                if done.faults == wanted - 1:
                    witness.is_not_ready(NO_DATABASE)
                time.sleep(drawn(random, 0.0, 1.0))
                grounds.postgres.start()
                done.recoveries.append(round(arena.wait_for_progress(before), 2))
                done.faults += 1
        witness.is_well()
        witness.had_an_outage()
        witness.tells_the_figures()
        arena.judge(done)
    finally:
        arena.end()


def crash(grounds: Grounds) -> None:
    """End the server as a crash would: no checkpoint, recovery at the next start."""
    if isinstance(grounds.postgres, LocalPostgres):
        grounds.postgres.stop("immediate")
    else:
        grounds.postgres.kill()
