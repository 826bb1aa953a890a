"""Workers killed with SIGKILL while a batch is open, again and again, until enough have died.

Two single-worker `ingester run --until-caught-up` share a consumer group. Each life is given a
batch and a stage of it at which to end, drawn from a seed; whoever dies is started again at once.
When enough have died, the last ones read on to the end of the topic.

As a command, at any size, with `ingester simulate` as the source:

    python -m tests.acceptance.kills --events 500000 --kills 20 --seed 1

uses the services that the environment names, or starts its own; a topic and a database are made
for the run and removed afterwards (`--keep` leaves them). Prints a table of the kills and a JSON
object; exit code 3 where anything differs.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.acceptance.ingester import Ingester
from tests.acceptance.process import POLL_SECONDS, Running
from tests.databases import Databases
from tests.session_services import Choice, SessionServices
from tests.topics import Topics

STAGES: Final = ("prepare", "lock", "copy", "staging", "ledger", "commit", "committed")
"""In the order of a batch. Up to `commit` it is open; `committed` is after COMMIT, before Kafka's."""
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


def table(kills: Sequence[Kill]) -> str:
    """How many died at which stage."""
    counts = Counter(kill.stage for kill in kills)
    rows = [f"{stage:<12}{counts[stage]:>5}" for stage in (*STAGES, "refused") if counts[stage]]
    opened = sum(count for stage, count in counts.items() if stage != "committed")
    return "\n".join(
        ["stage       kills", *rows, f"{'batch open':<12}{opened:>5}   all {len(kills)}"]
    )


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance.kills", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--batch-rows", type=int, default=5_000)
    parser.add_argument("--duplicates", type=float, default=0.02)
    parser.add_argument("--invalid", type=float, default=0.002)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1_500.0, help="for kills and catching up")
    parser.add_argument("--keep", action="store_true", help="leave topic and database")
    return parser.parse_args(given)


def _json_of(ingester: Ingester, *arguments: str, seconds: float) -> dict[str, Any]:
    running = ingester.run(*arguments, "--json", seconds=seconds)
    try:
        answer: dict[str, Any] = json.loads(running.stdout)
    except ValueError:
        return {"ok": False, "exit_code": running.code, "detail": running.tail(1_000)}
    return answer | {"exit_code": running.code}


def main(given: Sequence[str] | None = None) -> int:
    """Simulate, kill, catch up, judge, verify; returns the exit code."""
    arguments = _arguments(given)
    services = SessionServices(Choice.made())
    databases, topics = Databases(services.url), Topics(services.bootstrap)
    database, topic = databases.migrated(), topics.create(partitions=arguments.partitions)
    directory = Path(tempfile.mkdtemp(prefix="ingester-kills-"))
    ingester = Ingester(
        directory,
        services.bootstrap,
        databases.url_of(database),
        topic,
        {
            "INGESTER_BATCH_ROWS_MAX": str(arguments.batch_rows),
            **short_session(services.bootstrap),
        },
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` is reached
    try:
        report = _report(ingester, arguments)
    finally:
        ingester.end()
        if not arguments.keep:
            databases.drop(database)
            topics.end()
        databases.end()
        services.end()
    sys.stdout.write(json.dumps({**report, "logs": str(directory)}, indent=2) + "\n")
    return 0 if report["ok"] else 3


def _report(ingester: Ingester, arguments: argparse.Namespace) -> dict[str, Any]:
    published = _json_of(
        ingester,
        *("simulate", "--events", str(arguments.events), "--seed", str(arguments.seed)),
        *("--duplicates", str(arguments.duplicates), "--invalid", str(arguments.invalid)),
        seconds=600,
    )
    started = time.monotonic()
    kills = kill_until_caught_up(
        ingester,
        kills=arguments.kills,
        records=arguments.events,
        seed=arguments.seed,
        workers=arguments.workers,
        seconds=arguments.seconds,
    )
    lasted = time.monotonic() - started
    for number, kill in enumerate(kills, 1):
        sys.stdout.write(
            f"kill {number:>4}: worker {kill.seat + 1} pid {kill.pid} batch {kill.batch} "
            f"of its life, at {kill.stage}, {kill.seconds_after_start:.2f} s old\n"
        )
    sys.stdout.write(f"\n{table(kills)}\n\n")
    verdict = ingester.verdict()
    verified = _json_of(ingester, "verify", "--against-topic", seconds=600)
    balanced = verdict.inserted + verdict.duplicates + verdict.rejected == arguments.events
    return {
        "ok": verdict.ok and balanced and verified.get("ok") is True,
        "published": published,
        "kills_with_a_batch_open": sum(kill.stage != "committed" for kill in kills),
        "kills_by_stage": dict(Counter(kill.stage for kill in kills)),
        "seconds": round(lasted, 1),
        "inserted_plus_duplicates_plus_rejected_is_published": balanced,
        "checker": verdict.as_json(),
        "verify": verified,
    }


if __name__ == "__main__":
    sys.exit(main())
