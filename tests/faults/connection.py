"""Connections to PostgreSQL that are cut, stall, or crawl."""

import time
from collections.abc import Mapping
from random import Random
from typing import Final

from tests.faults.arena import Round, drawn
from tests.faults.grounds import Grounds
from tests.faults.proxy import Proxy
from tests.faults.witness import Witness

_SLOW_BYTES_PER_SECOND: Final = 100_000.0


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Cut, stall and slow in turn, at any moment, under load."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "1000", **settings})
    try:
        arena.make_partitions()
        with Proxy(arena.ingester.database_url) as proxy:
            with arena.load(done.seed, rate=1_500):
                worker = arena.worker(DATABASE_URL=proxy.url)
                worker.until("batch_stage", 60.0, stage="committed", times=3)
                witness = Witness(arena, [worker], done)
                while done.faults < wanted:
                    time.sleep(drawn(random, 0.1, 0.8))
                    how = ("cut", "stalled", "slow")[done.faults % 3]
                    if how == "cut":
                        proxy.cut()
                    elif how == "stalled":
                        proxy.stall()
                    else:
                        proxy.slow(_SLOW_BYTES_PER_SECOND)
                    witness.lives()
                    if how != "cut":
                        time.sleep(drawn(random, 0.5, 3.0))
                        proxy.heal()
                    done.recoveries.append(round(arena.wait_for_progress(arena.offsets()), 2))
                    done.faults += 1
                    done.note(how)
            witness.is_well()
            witness.had_an_outage()
            witness.tells_the_figures()
        arena.judge(done)
    finally:
        arena.end()
