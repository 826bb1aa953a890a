"""SIGKILL at every named stage: two workers on one group, whoever dies is replaced at once."""

import time
from random import Random
from typing import Final

from tests.acceptance.process import Running
from tests.faults.arena import Arena, Round, drawn
from tests.faults.grounds import Grounds

STAGES: Final = (
    *("assign", "revoke", "prepare", "leaf", "lock", "copy", "mid-copy", "staging", "ledger"),
    *("repeats", "commit", "committed", "hint"),
)
RECORDS_A_KILL: Final = 50_000
BATCH_ROWS: Final = 2_000
_AGED_SECONDS: Final = 15.0
"""Whoever never comes to its stage (no repeats, no rebalance) is killed wherever it is."""
_COPY_SECONDS: Final = 0.02
_SILENT_SECONDS_MAX: Final = 120.0


def fight(grounds: Grounds, done: Round, random: Random, records_a_kill: int) -> None:
    """Kill workers until there are as many dead as the round wants."""
    wanted = done.faults
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": str(BATCH_ROWS)})
    arena.shorten_sessions()
    try:
        arena.publish(done.seed, wanted * records_a_kill)
        batches = max(2, wanted * records_a_kill // BATCH_ROWS // (2 * wanted))
        stages = _stages(random, wanted + 2)
        with arena.load(done.seed + 1, rate=500):
            seats = [_doomed(arena, random, stages.pop(), batches) for _ in range(2)]
            done.faults, last = 0, time.monotonic()
            while done.faults < wanted:
                for number, (worker, stage) in enumerate(seats):
                    if _is_dead(worker, stage, done):
                        seats[number] = _doomed(arena, random, stages.pop(0), batches)
                        last = time.monotonic()
                if time.monotonic() - last > _SILENT_SECONDS_MAX:
                    raise AssertionError(f"nobody dies any more:\n{seats[0][0].tail()}")
                time.sleep(0.01)
        arena.judge(done)
    finally:
        arena.end()


def _stages(random: Random, count: int) -> list[str]:
    """Every stage equally often, in any order, but partitions are made at the beginning."""
    stages = [STAGES[number % len(STAGES)] for number in range(count)]
    random.shuffle(stages)
    stages.append("leaf")
    return stages


def _doomed(arena: Arena, random: Random, stage: str, batches: int) -> tuple[Running, str]:
    if stage == "mid-copy":
        after = drawn(random, 0.001, _COPY_SECONDS)
        return arena.doomed("copy", random.randint(1, batches), "KILL", after), stage
    times = 1 if stage in ("assign", "revoke", "leaf") else random.randint(1, batches)
    return arena.doomed(stage, times, "KILL"), stage


def _is_dead(worker: Running, stage: str, done: Round) -> bool:
    """Take in a death; an old one is helped. Any other end of a worker is a fault of its own."""
    if worker.code is None:
        if time.monotonic() - worker.started_at < _AGED_SECONDS:
            return False
        worker.kill()
        stage = "anywhere"
    elif worker.code != -9:
        raise AssertionError(f"a worker ended with {worker.code}:\n{worker.tail()}")
    done.faults += 1
    done.note(f"at {stage}")
    return True
