"""Brokers of three are killed: the leader of a partition, the coordinator of the group."""

import time
from random import Random

from tests.faults.arena import Arena, Round
from tests.faults.grounds import Grounds


def fight_leader(grounds: Grounds, done: Round, random: Random) -> None:
    """Kill whoever leads a partition."""
    _fight(grounds, done, random, coordinator=False)


def fight_coordinator(grounds: Grounds, done: Round, random: Random) -> None:
    """Kill whoever coordinates the group."""
    _fight(grounds, done, random, coordinator=True)


def _fight(grounds: Grounds, done: Round, random: Random, *, coordinator: bool) -> None:
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "1000"}, clustered=True)
    try:
        with arena.load(done.seed, rate=800):
            workers = [arena.worker(), arena.worker()]
            for worker in workers:
                worker.until("partitions_started", 60.0)
            while done.faults < wanted:
                _kill_one(grounds, arena, done, random, coordinator=coordinator)
            ended = [worker.code for worker in workers if worker.code is not None]
            if ended:
                done.differences.append(f"workers ended with {ended}")
        arena.judge(done)
    finally:
        arena.end()


def _kill_one(
    grounds: Grounds, arena: Arena, done: Round, random: Random, *, coordinator: bool
) -> None:
    topic, group = arena.ingester.topic, arena.ingester.settings["KAFKA_GROUP_ID"]
    cluster = grounds.cluster
    victim = (
        cluster.coordinator(group)
        if coordinator
        else cluster.leader(topic, random.randrange(arena.partitions))
    )
    cluster.kill(victim)
    # What was fetched before may still be on its way: progress is what is stored a second later.
    time.sleep(1.0)
    done.recoveries.append(round(1.0 + arena.wait_for_progress(arena.offsets()), 2))
    done.faults += 1
    cluster.start(victim)
    cluster.wait_until_replicated(topic)
