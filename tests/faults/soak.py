"""A worker under steady load for as long as one likes, disturbed every two minutes, and weighed.

    python -m tests.faults.soak --minutes 30

It may lose connections, replies to COMMIT and its whole database, and must stay the same process of
the same size: the resident memory's slope (least squares, after a warm-up of a fifth of the time)
stays below 1 % an hour, the open descriptors are as many at the end as after the warm-up. Every run
is added to .local/soak.json; exit code 3 where one grew, or where the checker finds a difference.
Slopes of less than twenty minutes are noise, and are told but not judged.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from tests.faults.arena import Arena, Round
from tests.faults.crash import crash
from tests.faults.grounds import Grounds
from tests.faults.proxy import Proxy
from tests.faults.sources import commit_under_test, sources_under_test
from tests.session_services import Choice, SessionServices

_CHECKOUT: Final = Path(__file__).parents[2]
_SAMPLE_SECONDS: Final = 5.0
_WARM_UP_SHARE: Final = 0.2
_JUDGED_MINUTES_MIN: Final = 20.0
_SLOPE_MAX: Final = 1.0
_DESCRIPTORS_MORE_MAX: Final = 3
"""A connection that is just being made, and a look at the database."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A process as the kernel sees it; `at` in seconds since the soak began."""

    at: float
    rss_kib: int
    descriptors: int
    threads: int


def weighed(pid: int, at: float) -> Weight:
    """Weigh a process now."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Weight(
        at=round(at, 1),
        rss_kib=int(status["VmRSS"].split()[0]),
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(status["Threads"]),
    )


def slope_percent_an_hour(weights: Sequence[Weight]) -> float:
    """How fast the resident memory grows, in percent of its mean."""
    line = statistics.linear_regression([w.at for w in weights], [w.rss_kib for w in weights])
    mean = statistics.fmean(w.rss_kib for w in weights)
    return line.slope * 3_600 / mean * 100


def soak(grounds: Grounds, minutes: float, rate: int, fault_seconds: float) -> dict[str, Any]:
    """Run one worker, disturb it, weigh it, and judge what it has written."""
    arena = grounds.arena()
    done = Round("soak", 1)
    try:
        with Proxy(arena.ingester.database_url) as proxy, arena.load(done.seed, rate=rate):
            weights = _weights(arena, done, proxy, grounds, minutes * 60, fault_seconds)
        arena.judge(done)
    finally:
        arena.end()
    settled = weights[int(len(weights) * _WARM_UP_SHARE) :]
    slope = slope_percent_an_hour(settled)
    more = settled[-1].descriptors - settled[0].descriptors
    judged = minutes >= _JUDGED_MINUTES_MIN
    flat = slope < _SLOPE_MAX and more <= _DESCRIPTORS_MORE_MAX
    return {
        "ok": done.ok and (flat or not judged),
        "minutes": minutes,
        "rate": rate,
        "rss_mib": round(settled[-1].rss_kib / 1024, 1),
        "rss_slope_percent_an_hour": round(slope, 2),
        "slope_is_judged": judged,
        "descriptors": [settled[0].descriptors, settled[-1].descriptors],
        "faults": done.faults,
        "notes": done.notes,
        "records": done.records,
        "missing": done.missing,
        "invented": done.invented,
        "differences": done.differences,
        "weights": [asdict(weight) for weight in weights],
    }


def _weights(
    arena: Arena,
    done: Round,
    proxy: Proxy,
    grounds: Grounds,
    seconds: float,
    fault_seconds: float,
) -> list[Weight]:
    worker = arena.worker(DATABASE_URL=proxy.url, INGESTER_LOG_LEVEL="info")
    worker.until("partitions_started", 60.0)
    faults = itertools.cycle(_faults(proxy, grounds).items())
    began = time.monotonic()
    fault_at = fault_seconds
    weights = []
    samples = range(int(seconds / _SAMPLE_SECONDS))
    for number in track(samples, "soak", console=Console(stderr=True)):
        now = time.monotonic() - began
        if now >= fault_at:
            name, strike = next(faults)
            strike()
            done.faults += 1
            done.note(name)
            fault_at += fault_seconds
        weights.append(weighed(worker.pid, now))
        due = began + (number + 1) * _SAMPLE_SECONDS
        time.sleep(max(due - time.monotonic(), 0.0))
    if worker.code is not None:
        done.differences.append(f"the worker ended with {worker.code}")
    arena.compare_figures(worker, done)
    return weights


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
    """Run one soak and add it to the file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=28.0)
    parser.add_argument("--rate", type=int, default=1_000, help="records a second")
    parser.add_argument("--fault-seconds", type=float, default=120.0)
    parser.add_argument("--report", type=Path, default=_CHECKOUT / ".local" / "soak.json")
    arguments = parser.parse_args(given)
    services = SessionServices(Choice.made())
    grounds = Grounds(services)
    try:
        found = soak(grounds, arguments.minutes, arguments.rate, arguments.fault_seconds)
    finally:
        grounds.end()
        services.end()
    found |= {"commit": commit_under_test(), "sources": sources_under_test()}
    runs = json.loads(arguments.report.read_text()) if arguments.report.exists() else []
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(json.dumps([*runs, found], indent=1))
    told = {name: value for name, value in found.items() if name != "weights"}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 0 if found["ok"] else 3


if __name__ == "__main__":
    sys.exit(main())
