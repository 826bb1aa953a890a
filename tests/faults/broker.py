"""Brokers of three are killed: the leader of a partition, the coordinator of the group."""

import time
from collections.abc import Mapping
from random import Random

from tests.faults.arena import Arena, Round, leave
from tests.faults.cluster import Cluster
from tests.faults.grounds import Grounds
from tests.faults.witness import Witness


def fight(
    grounds: Grounds,
    done: Round,
    random: Random,
    *,
    coordinator: bool,
    settings: Mapping[str, str],
) -> None:
    """Kill whoever coordinates the group, or else whoever leads some partition."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "1000", **settings}, clustered=True)
    try:
        arena.make_partitions()
        with arena.load(done.seed, rate=800):
            workers = [arena.worker(), arena.worker()]
            for worker in workers:
                worker.until("partitions_started", 60.0)
            witness = Witness(arena, workers, done)
            while done.faults < wanted:
                victim = _victim(grounds.cluster, arena, random, coordinator=coordinator)
                grounds.cluster.kill(victim)
                # What was fetched before may still be on its way: progress is what is stored a
                # second later.
                time.sleep(1.0)
                witness.lives()
                done.recoveries.append(round(1.0 + arena.wait_for_progress(arena.offsets()), 2))
                done.faults += 1
                grounds.cluster.start(victim)
                grounds.cluster.wait_until_replicated(arena.ingester.topic)
        witness.is_well()
        witness.tells_the_figures()
        for worker in workers:
            leave(worker)
        arena.judge(done)
    finally:
        arena.end()


def _victim(cluster: Cluster, arena: Arena, random: Random, *, coordinator: bool) -> int:
    if coordinator:
        return cluster.coordinator(arena.ingester.settings["KAFKA_GROUP_ID"])
    return cluster.leader(arena.ingester.topic, random.randrange(arena.partitions))
