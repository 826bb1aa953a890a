"""SIGKILL at every named stage: two workers on one group, whoever dies is replaced at once."""

import itertools
import time
from collections import deque
from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

from tests.acceptance.process import Running
from tests.faults.arena import Arena, Round, drawn
from tests.faults.grounds import Grounds

STAGES: Final = (
    *("leaf", "revoke", "assign", "encode", "prepare", "lock", "copy", "mid-copy", "staging"),
    *("repeats", "ledger", "commit", "committed", "hint"),
)
"""`leaf` first, while there are no partitions; then `revoke`, which happens when others join."""
RECORDS_A_KILL: Final = 50_000
BATCH_ROWS: Final = 2_000
_ONCE: Final = ("leaf", "assign", "revoke", "encode", "repeats")
"""What a worker may come to only once in its life."""
_NOBODY: Final = "nowhere"
"""The stage of a worker that is to live."""
_WRITING: Final = ("lock", "copy", "staging", "ledger", "commit", "committed")
_AGED_SECONDS: Final = 15.0
"""Whoever has not come to its stage by then (no repeats, no rebalance) is killed where it is, which
does not count; the stage is left to another."""
_COPY_SECONDS: Final = 0.01
_SILENT_SECONDS_MAX: Final = 120.0


def fight(
    grounds: Grounds,
    done: Round,
    random: Random,
    *,
    records_a_kill: int,
    settings: Mapping[str, str],
) -> None:
    """Kill workers until there are as many dead as the round wants."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": str(BATCH_ROWS), **settings})
    arena.shorten_sessions()
    try:
        arena.publish(done.seed, wanted * records_a_kill)
        batches = max(2, wanted * records_a_kill // BATCH_ROWS // (2 * wanted))
        stages = deque(_stages(random, wanted))
        with arena.load(done.seed + 1, rate=500):
            # Alone: a second one might find the partitions made.
            first, stage = _seated(arena, random, stages, batches)
            first.wait(60.0)
            _take_in(first, stage, stages, done)
            seats = [_seated(arena, random, stages, batches) for _ in range(2)]
            last = time.monotonic()
            while done.faults < wanted:
                for number, (worker, stage) in enumerate(seats):
                    if _is_aged(worker, stage):
                        worker.kill()
                        done.note("elsewhere, not counted")
                        stages.extend([stage] if stage != _NOBODY else ())
                    elif worker.code is None:
                        continue
                    elif _take_in(worker, stage, stages, done):
                        last = time.monotonic()
                    seats[number] = _seated(arena, random, stages, batches)
                if time.monotonic() - last > _SILENT_SECONDS_MAX:
                    left = [stage for _, stage in seats]
                    raise AssertionError(f"nobody comes to {left}:\n{seats[0][0].tail()}")
                time.sleep(0.01)
        arena.judge(done)
    finally:
        arena.end()


def _stages(random: Random, count: int) -> Iterator[str]:
    """Every stage equally often; after the first two, in any order."""
    others = list(STAGES[2:])
    random.shuffle(others)
    return itertools.islice(itertools.cycle([*STAGES[:2], *others]), count)


def _seated(arena: Arena, random: Random, stages: deque[str], batches: int) -> tuple[Running, str]:
    """One who dies at the next stage; where none is left, one who lives beside the last to die."""
    if not stages:
        return arena.worker(), _NOBODY
    stage = stages.popleft()
    if stage == "mid-copy":
        after = drawn(random, 0.001, _COPY_SECONDS)
        return arena.doomed("copy", random.randint(1, batches), "KILL", after), stage
    times = 1 if stage in _ONCE else random.randint(1, batches)
    return arena.doomed(stage, times, "KILL"), stage


def _is_aged(worker: Running, stage: str) -> bool:
    """Whether it has not come to its stage for long. Partitions are taken away when others join."""
    young = time.monotonic() - worker.started_at < _AGED_SECONDS
    return stage != "revoke" and worker.code is None and not young


def _take_in(worker: Running, stage: str, stages: deque[str], done: Round) -> bool:
    """Take in a death, and whether it counts. Any other end of a worker is a fault of its own."""
    if stage == _NOBODY or worker.code != -9:
        raise AssertionError(f"a worker ended with {worker.code}:\n{worker.tail()}")
    if stage == "mid-copy" and not _was_copying(worker):
        done.note("elsewhere, not counted")
        stages.append(stage)
        return False
    done.faults += 1
    done.note(f"at {stage}")
    return True


def _was_copying(worker: Running) -> bool:
    """Whether the COPY had begun and nothing after it; other threads pass stages of their own."""
    passed = [line["stage"] for line in worker.log.named("batch_stage")]
    return [stage for stage in passed if stage in _WRITING][-1:] == ["copy"]
