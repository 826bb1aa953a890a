"""Workers killed with SIGKILL while a batch is open, again and again, until enough have died.

Single-worker `ingester run --until-caught-up` processes share a consumer group. Each life is given
a batch and a stage of it at which to end, drawn from a seed; whoever dies is started again at once.
When enough have died, the last ones read on to the end of the topic.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.acceptance.ingester import Ingester
from tests.acceptance.process import POLL_SECONDS, Running

STAGES: Final = ("prepare", "lock", "copy", "staging", "ledger", "commit", "committed")
"""In a batch's order. Up to `commit` it is open; `committed` is after COMMIT, before Kafka's."""
_LATER_SECONDS_MAX: Final = 0.004
"""The blow falls up to this long after the stage was seen, so that it may hit anywhere in it."""
_SHARE_BEFORE_LAST_KILL: Final = 0.7
_SILENT_SECONDS_MAX: Final = 90.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One death: which seat, in which life, which batch of it, at which stage."""

    seat: int
    pid: int
    batch: int
    stage: str
    seconds_after_start: float


@dataclass(slots=True)
class _Seat:
    number: int
    running: Running
    batch: int
    stage: int
    batches_seen: int = 0
    reached: bool = False
    lines: list[str] = field(default_factory=list)

    def look(self) -> bool:
        """Whether the worker has come to the batch and stage at which it is to die."""
        for line in self.running.log.new():
            if line.get("event") != "batch_stage":
                continue
            stage = line["stage"]
            self.batches_seen += stage == "prepare"
            self.lines.append(stage)
            at = STAGES.index(stage) if stage in STAGES else -1
            if self.batches_seen > self.batch or (
                self.batches_seen == self.batch and at >= self.stage
            ):
                self.reached = True
        return self.reached


def kill_until_caught_up(
    ingester: Ingester, *, kills: int, records: int, seed: int, workers: int = 2, seconds: float
) -> list[Kill]:
    """Kill workers `kills` times while a batch is open, then let them finish.

    Args:
        ingester: with a topic that already holds everything.
        kills: how many must die with a batch open; those found between two batches come on top.
        records: how many the topic holds; what a life may read is cut so that they suffice.
        seed: of the batches and stages.
        workers: how many live at a time.
        seconds: for all of it.

    Returns every kill, in order.
    """
    random = Random(seed)
    batches = records // int(ingester.settings["INGESTER_BATCH_ROWS_MAX"])
    batch_max = max(1, int(batches * _SHARE_BEFORE_LAST_KILL / kills))
    deadline = time.monotonic() + seconds
    done: list[Kill] = []

    def seated(number: int) -> _Seat:
        running = ingester.start("run", "--until-caught-up")
        return _Seat(number, running, random.randint(1, batch_max), random.randrange(len(STAGES)))

    seats = [seated(number) for number in range(workers)]
    progress = time.monotonic()
    while sum(kill.stage != "committed" for kill in done) < kills:
        for number, seat in enumerate(seats):
            if seat.running.code is not None:
                raise AssertionError(
                    f"after {len(done)} kills a worker ended by itself with {seat.running.code}: "
                    f"too few records, or a fault:\n{seat.running.tail()}"
                )
            if seat.look():
                time.sleep(random.uniform(0, _LATER_SECONDS_MAX))
                done.append(_killed(seat))
                seats[number] = seated(seat.number)
                progress = time.monotonic()
        if time.monotonic() > min(deadline, progress + _SILENT_SECONDS_MAX):
            tails = "\n".join(seat.running.tail(1_000) for seat in seats)
            raise AssertionError(f"only {len(done)} kills came about:\n{tails}")
        time.sleep(POLL_SECONDS)
    for seat in seats:
        code = seat.running.wait(max(deadline - time.monotonic(), 1.0))
        assert code == 0, f"exit {code}:\n{seat.running.tail()}"
    return done


def _killed(seat: _Seat) -> Kill:
    lived = time.monotonic() - seat.running.started_at
    seat.running.kill()
    seat.look()  # it may have come further than it had been seen
    last = seat.lines[-1]
    return Kill(seat.number, seat.running.pid, seat.batches_seen, last, round(lived, 2))


def session_timeout_ms(bootstrap: str) -> int:
    """The shortest session timeout that the broker grants: how long a dead worker is waited for."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    broker = str(next(iter(admin.list_topics(timeout=15).brokers)))
    resource = ConfigResource(ResourceType.BROKER, broker)
    config = admin.describe_configs([resource])[resource].result(15)
    return max(int(config["group.min.session.timeout.ms"].value), 1_500)


def short_session(bootstrap: str) -> dict[str, str]:
    """Settings under which the group notices a dead worker as soon as the broker allows."""
    timeout_ms = session_timeout_ms(bootstrap)
    return {
        "KAFKA_CONF__session_timeout_ms": str(timeout_ms),
        "KAFKA_CONF__heartbeat_interval_ms": str(timeout_ms // 6),
    }


def shorten_consumer_sessions(bootstrap: str, group: str, session_ms: int | None = None) -> None:
    """The same, or so long, under the `consumer` protocol, where it is not the member's to say."""
    timeout_ms = str(session_ms or session_timeout_ms(bootstrap))
    shorter = AlterConfigOpType.SET
    entry = ConfigEntry("consumer.session.timeout.ms", timeout_ms, incremental_operation=shorter)
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    admin.incremental_alter_configs([resource])[resource].result(15)


def table(kills: Sequence[Kill]) -> str:
    """How many died at which stage."""
    counts = Counter(kill.stage for kill in kills)
    rows = [f"{stage:<12}{counts[stage]:>5}" for stage in (*STAGES, "refused") if counts[stage]]
    opened = sum(count for stage, count in counts.items() if stage != "committed")
    return "\n".join(
        ["stage       kills", *rows, f"{'batch open':<12}{opened:>5}   all {len(kills)}"]
    )
