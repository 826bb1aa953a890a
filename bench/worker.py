"""One measured `ingester run --until-caught-up`: a process of its own, as in production.

Its log, at debug level (some 8 lines a batch), says when it did what; processor time is read from
outside when those lines arrive. Whole process: from the start of Python to its exit. Steady state:
from the log's `partitions_started` (consuming begins) to its last `committed` (COMMIT answered).
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
    """Seconds, bytes and counts of one run. CPU is user and system time of the worker alone."""

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


def run_worker(database_url: str, bootstrap: str, topic: str, group: str) -> WorkerRun:
    """Consume the whole topic with one worker. Raises where it fails."""
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
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        log = _Log(process.pid)
        log.read(process.stderr or ())
        _, status, used = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or log.started is None or log.ended is None:
        raise RuntimeError(f"the worker ended with {process.returncode}: {''.join(log.last_lines)}")
    return WorkerRun(
        wall_seconds=wall_seconds,
        steady_seconds=(log.ended - log.started).total_seconds(),
        cpu_seconds=used.ru_utime + used.ru_stime,
        steady_cpu_seconds=log.steady_cpu_seconds,
        rss_peak_bytes=used.ru_maxrss * _MAXRSS_BYTES,
        transactions=log.transactions,
        writer_seconds=dict(log.writer_seconds),
    )


@dataclass(slots=True)
class _Log:
    """What a worker's log tells while it runs."""

    pid: int
    started: datetime | None = None
    ended: datetime | None = None
    transactions: int = 0
    writer_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Time of the writer's thread by the stage it was in; `waiting` is for the next batch."""
    last_lines: list[str] = field(default_factory=list)
    _cpu_at_start: float | None = None
    _cpu_at_end: float | None = None
    _stage: tuple[str, datetime] | None = None

    @property
    def steady_cpu_seconds(self) -> float | None:
        """Processor time between `started` and `ended`."""
        if self._cpu_at_start is None or self._cpu_at_end is None:
            return None
        return self._cpu_at_end - self._cpu_at_start

    def read(self, lines: Iterable[str]) -> None:
        """Follow the log to its end."""
        for line in lines:
            self.last_lines = [*self.last_lines[-4:], line]
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a library's own words
            at = datetime.fromisoformat(entry["timestamp"])
            self._take(entry["event"], entry.get("stage"), at)

    def _take(self, event: str, stage: str | None, at: datetime) -> None:
        if event == "partitions_started" and self.started is None:
            self.started = at
            self._cpu_at_start = process_seconds(self.pid)
        elif event == "batch_stage" and stage in _WRITER_STAGES:
            if self._stage is not None:
                name, since = self._stage
                self.writer_seconds[name] += (at - since).total_seconds()
            self._stage = ("waiting" if stage == "committed" else stage, at)
            if stage == "committed":
                self.ended = at
                self.transactions += 1
                self._cpu_at_end = process_seconds(self.pid)
