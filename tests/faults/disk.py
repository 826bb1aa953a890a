"""The disk under the events is full, for a while."""

import time
from collections.abc import Mapping
from random import Random

from tests.faults.arena import Round, drawn
from tests.faults.grounds import Grounds
from tests.faults.witness import TRIES_TO_WRITE, Witness


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Fill the tablespace, wait until it hurts, and give the space back."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "1000", **settings})
    grounds.move_events_to(arena.ingester.database_url, grounds.filling.directory)
    try:
        arena.make_partitions()
        with arena.load(done.seed, rate=2_000):
            worker = arena.worker()
            worker.until("batch_stage", 60.0, stage="committed", times=3)
            witness = Witness(arena, [worker], done)
            while done.faults < wanted:
                hurt = len(worker.log.named("retrying"))
                grounds.filling.fill()
                worker.until("retrying", 60.0, times=hurt + 2)
                witness.lives()
                witness.is_not_ready(TRIES_TO_WRITE)
                time.sleep(drawn(random, 0.0, 2.0))
                before = arena.offsets()
                grounds.filling.empty()
                done.recoveries.append(round(arena.wait_for_progress(before), 2))
                done.faults += 1
            if any("53100" in line["detail"] for line in worker.log.named("retrying")):
                done.note("rounds with SQLSTATE 53100")
        witness.is_well()
        witness.had_an_outage()
        witness.tells_the_figures()
        arena.judge(done)
    finally:
        grounds.filling.empty()
        arena.end()
