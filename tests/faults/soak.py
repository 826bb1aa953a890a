"""A worker and a refresher under load for hours, disturbed every two minutes, and weighed.

    python -m tests.faults.soak --minutes 28     one slice; those of the same sources add up
    python -m tests.faults.soak --markdown       what they come to, as a table, no slice

They may lose connections, replies to COMMIT and their whole database, and must stay the same
processes of the same size: the resident memory's slope (least squares, after a warm-up of a fifth
of the time) stays below 1 % an hour, the open descriptors are at most three more at the end than
after the warm-up. It begins with a backlog larger than what a worker remembers, and the warm-up has
every fault several times: the first ones make a process larger, the allocator keeps what it got.
The load is 80 % of what was measured just before on this machine, producer and servers beside it,
or what --rate says. Every record is counted at the end: rows, duplicates and rejects are as many as
were published of each kind, and the statistics equal the rows.

Servers are the slice's own: it may run beside `make faults`, both then being slower. Slices add up
in .local/soak.json. Exit code 3 where something grew or differs, 75 while fewer than 120 minutes
have been judged: slopes of slices under twenty minutes are noise, told but not judged.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from tests.acceptance.process import Running
from tests.faults.arena import Round
from tests.faults.crash import crash
from tests.faults.grounds import Grounds
from tests.faults.proxy import Proxy
from tests.faults.scales import WARM_UP_SHARE, Weight, growth, weighed
from tests.faults.slices import exit_code, markdown, verdict
from tests.faults.sources import commit_under_test, sources_under_test
from tests.faults.witness import Witness
from tests.session_services import Choice, SessionServices

_CHECKOUT: Final = Path(__file__).parents[2]
_SAMPLE_SECONDS: Final = 5.0
_JUDGED_MINUTES_MIN: Final = 20.0
_LOAD_SHARE: Final = 0.8
_UNBOUNDED: Final = 10**9
_REHEARSALS: Final = 16
_CAPACITY_SECONDS: Final = 20.0
_SEED: Final = 1
_BACKLOG_SEED: Final = 2
_BACKLOG: Final = 1_250_000
_AS_SHIPPED: Final = {"INGESTER_BATCH_ROWS_MAX": "40000", "INGESTER_LOG_LEVEL": "info"}


def capacity(grounds: Grounds) -> int:
    """Records a second that one worker stores beside a producer that does what it can."""
    arena = grounds.arena(_AS_SHIPPED)
    try:
        with arena.load(_SEED, rate=_UNBOUNDED):
            arena.worker().until("partitions_started", 60.0)
            time.sleep(_CAPACITY_SECONDS / 4)
            before, began = arena.offsets(), time.monotonic()
            time.sleep(_CAPACITY_SECONDS)
            stored = sum(arena.offsets().values()) - sum(before.values())
            return int(stored / (time.monotonic() - began))
    finally:
        arena.end()


def soak(grounds: Grounds, minutes: float, rate: int, fault_seconds: float) -> dict[str, Any]:
    """Run worker and refresher, disturb and weigh them, and judge what they have written."""
    arena = grounds.arena(_AS_SHIPPED)
    done = Round("soak", _SEED)
    try:
        arena.make_partitions()
        # Full batches from the beginning, and all that a worker remembers of what it wrote: the
        # second half of ingester.recent's 16 MiB is touched by the event after the millionth.
        arena.publish(_BACKLOG_SEED, _BACKLOG)
        with Proxy(arena.ingester.database_url) as proxy:
            processes = {
                "worker": arena.worker(DATABASE_URL=proxy.url),
                "refresher": arena.ingester.start("refresh", settings={"DATABASE_URL": proxy.url}),
            }
            processes["worker"].until("partitions_started", 60.0)
            with arena.load(done.seed, rate=rate):
                faults = itertools.cycle(_faults(proxy, grounds).items())
                weights = _weights(processes, done, faults, minutes * 60, fault_seconds)
            witness = Witness(arena, [processes["worker"]], done)
            # Near the capacity an outage takes as long again to be made up for.
            witness.is_well(lag_seconds_max=minutes * 60)
            witness.tells_the_figures()
        arena.count(done)
    finally:
        arena.end()
    grown = {name: growth(each) for name, each in weights.items()}
    judged = minutes >= _JUDGED_MINUTES_MIN
    return {
        "ok": done.ok and (not judged or all(each["flat"] for each in grown.values())),
        "judged": judged,
        "minutes": minutes,
        "rate": rate,
        "processes": grown,
        "faults": done.faults,
        "notes": done.notes,
        "records": done.records,
        "differences": done.differences,
        "weights": {name: [asdict(one) for one in each] for name, each in weights.items()},
    }


def _weights(
    processes: Mapping[str, Running],
    done: Round,
    faults: Iterator[tuple[str, Callable[[], None]]],
    seconds: float,
    fault_seconds: float,
) -> dict[str, list[Weight]]:
    began = time.monotonic()
    faults_at = fault_times(seconds, fault_seconds)
    fault_at = next(faults_at)
    weights: dict[str, list[Weight]] = {name: [] for name in processes}
    samples = range(int(seconds / _SAMPLE_SECONDS))
    for number in track(samples, "soak", console=Console(stderr=True)):
        now = time.monotonic() - began
        if now >= fault_at:
            name, strike = next(faults)
            strike()
            done.faults += 1
            done.note(name)
            fault_at = next(faults_at)
        for name, process in processes.items():
            assert process.code is None, f"{name} ended with {process.code}:\n{process.tail()}"
            weights[name].append(weighed(process.pid, now))
        due = began + (number + 1) * _SAMPLE_SECONDS
        time.sleep(max(due - time.monotonic(), 0.0))
    return weights


def fault_times(seconds: float, fault_seconds: float) -> Iterator[float]:
    """Densely during the warm-up, then every `fault_seconds`."""
    warm_up = seconds * WARM_UP_SHARE
    for number in range(_REHEARSALS):
        yield warm_up * (number + 1) / (_REHEARSALS + 1)
    for number in itertools.count():
        yield warm_up + fault_seconds * (number + 0.5)


def _faults(proxy: Proxy, grounds: Grounds) -> dict[str, Callable[[], None]]:
    def stall() -> None:
        proxy.stall()
        time.sleep(3.0)
        proxy.heal()

    def crash_and_start() -> None:
        crash(grounds)
        grounds.postgres.start()

    return {
        "cut": proxy.cut,
        "reply lost": lambda: proxy.swallow_replies(1),
        "stalled": stall,
        "database crashed": crash_and_start,
    }


def main(given: Sequence[str] | None = None) -> int:
    """Run one slice and add it to the file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=28.0)
    parser.add_argument("--rate", type=int, help="records a second; by default measured first")
    parser.add_argument("--fault-seconds", type=float, default=120.0)
    parser.add_argument("--report", type=Path, default=_CHECKOUT / ".local" / "soak.json")
    parser.add_argument("--markdown", action="store_true", help="print the table, run nothing")
    arguments = parser.parse_args(given)
    sources = sources_under_test()
    if not arguments.markdown:
        _add(arguments, sources)
    kept = json.loads(arguments.report.read_text()) if arguments.report.exists() else []
    slices = [each for each in kept if each["sources"] == sources]
    if arguments.markdown:
        sys.stdout.write(markdown(slices))
        return 0
    told = {name: value for name, value in slices[-1].items() if name != "weights"}
    found = verdict(slices)
    sys.stdout.write(json.dumps({"slice": told, "all": found}, indent=1) + "\n")
    return exit_code(found)


def _add(arguments: argparse.Namespace, sources: str) -> None:
    """Run one slice and keep it."""
    services = SessionServices(Choice.made())
    grounds = Grounds(services)
    try:
        rate = arguments.rate or int(capacity(grounds) * _LOAD_SHARE)
        found = soak(grounds, arguments.minutes, rate, arguments.fault_seconds)
    finally:
        grounds.end()
        services.end()
    found |= {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": commit_under_test(),
        "sources": sources,
    }
    kept = json.loads(arguments.report.read_text()) if arguments.report.exists() else []
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(json.dumps([*kept, found], indent=1))


if __name__ == "__main__":
    sys.exit(main())
