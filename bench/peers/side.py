"""One measured run of a peer: a process that writes `peer_events` until all rows are there.

All peers are judged from outside and alike: from the first row that can be seen to the last. So
neither the start of their process nor their first transaction is in the figure: it leans towards
them. They are stopped afterwards; that is not measured either.
"""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.contest import Contender
from bench.database import Database
from bench.history import next_month
from bench.servers import Servers, unique_name
from bench.traffic import Traffic
from tests.services.standing import LOCAL

_FIRST_ROW_SECONDS_MAX: Final = 120.0
_STANDSTILL_SECONDS_MAX: Final = 60.0
_LOOK_SECONDS: Final = 0.02
_STOP_SECONDS_MAX: Final = 20.0

Command = Callable[[Database, str], Sequence[str]]
"""From the database and the name of a consumer group of its own to what is to be run."""


def peer(
    name: str, where: Servers, traffic: Traffic, command: Command, yardstick: Contender | None
) -> Contender:
    """The side of a peer. Its run raises where the peer ends, stands still, or writes too much."""

    def run(database: Database) -> float:
        make_table(database, traffic)
        group = unique_name("peer")
        environment = {
            **os.environ,
            "DATABASE_URL": database.url,
            "KAFKA_BOOTSTRAP_SERVERS": where.bootstrap,
            "KAFKA_TOPIC": traffic.topic,
            "KAFKA_GROUP_ID": group,
        }
        log = LOCAL / "bench" / f"peer-{re.sub('[^a-z0-9]+', '-', name.lower())}.log"
        with _running(command(database, group), environment, log) as process:
            return _watch(database, traffic.expected["inserted"], process, log)

    return Contender(name, traffic.records, traffic.months, 0, run, yardstick)


def make_table(database: Database, traffic: Traffic) -> None:
    """An empty `peer_events` with the leaves that the traffic needs."""
    database.run("peer_table")
    for month in traffic.months:
        database.bind("peer_leaf", f"peer_events_{month:%Y_%m}", month, next_month(month))


@contextlib.contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("wb") as said,
        subprocess.Popen(command, env=environment, stdout=said, stderr=said) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def _watch(database: Database, rows: int, process: "subprocess.Popen[bytes]", log: Path) -> float:
    """Seconds from the first row to the last; counts only when the table has stopped growing."""
    _wait_for_rows(database, process, log)
    began = changed = time.perf_counter()
    size = -1
    while True:
        time.sleep(_LOOK_SECONDS)
        looked = time.perf_counter()
        before, size = size, database.value("peer_bytes")
        if size != before:
            changed = looked
            continue
        found = database.value("peer_count")
        if found >= rows:
            if found > rows:
                raise RuntimeError(f"{found} rows instead of {rows}; see {log}")
            return looked - began
        if process.poll() is not None or looked - changed > _STANDSTILL_SECONDS_MAX:
            raise RuntimeError(f"{found} rows of {rows}, and no more come; see {log}")


def _wait_for_rows(database: Database, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _FIRST_ROW_SECONDS_MAX
    while not database.value("peer_has_rows"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no row came; see {log}")
        time.sleep(_LOOK_SECONDS)
