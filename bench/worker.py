"""One measured `ingester run --until-caught-up`: a process of its own, as in production.

Its log, at debug level (some 8 lines a batch), says when it did what; processor time is read from
outside when those lines arrive. Whole process: from the start of Python to its exit. Steady state:
from the log's first `partitions_started` (consuming begins) to its last `committed` (COMMIT
answered). Several workers are steady while all of them consume: from the last `partitions_started`,
when the group has settled, until the first of them has written its last batch.
"""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bench.cpu import process_seconds
from ingester.stage import BATCH_STAGES

_WRITER_STAGES = {*BATCH_STAGES, "committed"}
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss, getrusage(2)


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """Seconds, bytes and counts of one run.

    CPU is user and system time of the workers, memory that of the largest process.
    `steady_seconds` is what all records take at the rate of the steady state.
    """

    wall_seconds: float
    steady_seconds: float
    cpu_seconds: float
    steady_cpu_seconds: float | None
    rss_peak_bytes: int
    transactions: int
    writer_seconds: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Every field."""
        return {name: getattr(self, name) for name in self.__slots__}


def run_worker(
    database_url: str, bootstrap: str, topic: str, group: str, *, workers: int = 1
) -> WorkerRun:
    """Consume the whole topic. Raises where it fails."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_TOPIC": topic,
        "KAFKA_GROUP_ID": group,
        "INGESTER_LOG_LEVEL": "debug",
        "INGESTER_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "ingester", "run", "--until-caught-up"]
    command += ["--workers", str(workers)] if workers > 1 else []
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        log = Log(process.pid, workers)
        log.read(process.stderr or ())
        _, status, used = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or log.ended is None:
        raise RuntimeError(f"the worker ended with {process.returncode}: {''.join(log.last_lines)}")
    return WorkerRun(
        wall_seconds=wall_seconds,
        steady_seconds=log.steady_seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        steady_cpu_seconds=log.steady_cpu_seconds,
        rss_peak_bytes=used.ru_maxrss * _MAXRSS_BYTES,
        transactions=log.transactions,
        writer_seconds=dict(log.writer_seconds),
    )


@dataclass(slots=True)
class Log:
    """What the log of one command tells while it runs.

    Lines of the writers' threads do not say of which worker they are: with several, `committed` is
    anybody's, and who was in which stage when is not known.
    """

    pid: int
    workers: int
    ended: datetime | None = None
    transactions: int = 0
    writer_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Time of the only writer's thread by its stage; `waiting` is for the next batch."""
    last_lines: list[str] = field(default_factory=list)
    _pids: dict[str, int] = field(default_factory=dict)
    _cpu_at_start: dict[int, float] = field(default_factory=dict)
    _cpu_at_end: dict[int, float] = field(default_factory=dict)
    _stage: tuple[str, datetime] | None = None
    _started: dict[str, datetime] = field(default_factory=dict)
    _written: list[tuple[datetime, str, int]] = field(default_factory=list)
    """When a batch was written, by whom, and its records."""

    @property
    def steady_seconds(self) -> float:
        """What all records take at the rate of the steady state. Raises where there was none."""
        if len(self._started) < self.workers or self.ended is None:
            raise RuntimeError("not every worker has consumed: more events are needed")
        since = max(self._started.values())
        if self.workers == 1:
            return (self.ended - since).total_seconds()
        last = {worker: at for at, worker, _ in self._written}
        until = min(last.get(worker, since) for worker in self._started)
        records = sum(records for at, _, records in self._written if since < at <= until)
        if not records:
            raise RuntimeError("the workers never consumed together: more events are needed")
        share = records / sum(records for _, _, records in self._written)
        return (until - since).total_seconds() / share

    @property
    def steady_cpu_seconds(self) -> float | None:
        """Processor time of the workers, each from its first partitions to the last COMMIT."""
        if not self._cpu_at_start or self._cpu_at_start.keys() != self._cpu_at_end.keys():
            return None
        return sum(self._cpu_at_end[pid] - start for pid, start in self._cpu_at_start.items())

    def read(self, lines: Iterable[str]) -> None:
        """Follow the log to its end."""
        for line in lines:
            self.last_lines = [*self.last_lines[-4:], line]
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a library's own words
            self._take(entry, datetime.fromisoformat(entry["timestamp"]))

    def _take(self, entry: Mapping[str, Any], at: datetime) -> None:
        worker, stage = entry.get("worker", ""), entry.get("stage")
        if entry["event"] == "worker_started":
            self._pids[worker] = entry["pid"]
        elif entry["event"] == "batch_written":
            self._written.append((at, worker, entry["records"]))
        elif entry["event"] == "partitions_started":
            if self.workers > 1 or worker not in self._started:
                self._started[worker] = at
            pid = self._pids.get(worker, self.pid)
            if pid not in self._cpu_at_start and (cpu := process_seconds(pid)) is not None:
                self._cpu_at_start[pid] = cpu
        elif entry["event"] == "batch_stage" and stage in _WRITER_STAGES:
            self._follow_writer(stage, at)

    def _follow_writer(self, stage: str, at: datetime) -> None:
        if self.workers == 1:
            if self._stage is not None:
                name, since = self._stage
                self.writer_seconds[name] += (at - since).total_seconds()
            self._stage = ("waiting" if stage == "committed" else stage, at)
        if stage == "committed":
            self.ended = at
            self.transactions += 1
            for pid in self._cpu_at_start:
                # One that has left had nothing to do any more.
                if (cpu := process_seconds(pid)) is not None:
                    self._cpu_at_end[pid] = cpu
