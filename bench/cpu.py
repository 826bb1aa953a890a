"""Processor time of processes that run on this machine, read from /proc (Linux; None elsewhere).

On two cores that broker, database and worker share, time on the clock says little about who is
to be made faster; processor time does.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Stat:
    """Fields of proc_pid_stat(5), times in clock ticks."""

    command: str
    parent: int
    own: int
    of_ended_children: int


def process_seconds(pid: int | None) -> float | None:
    """User and system time of one process so far; None where it cannot be read."""
    stat = _stat(pid)
    return None if stat is None else stat.own / _TICKS


def server_seconds(backend_pid: int) -> float | None:
    """The same of the PostgreSQL server that this backend belongs to, all its processes together.

    None where the server runs elsewhere.
    """
    backend = _stat(backend_pid)
    if backend is None or backend.command != "postgres":
        return None
    while True:
        before = _stat(backend.parent)
        children = [_stat(int(path.name)) for path in Path("/proc").glob("[0-9]*")]
        alive = sum(child.own for child in children if child and child.parent == backend.parent)
        postmaster = _stat(backend.parent)
        if before is None or postmaster is None or postmaster.command != "postgres":
            return None
        # A child that ends while we look is seen neither among the living nor in the sum.
        if before.of_ended_children == postmaster.of_ended_children:
            return (postmaster.own + postmaster.of_ended_children + alive) / _TICKS


def _stat(pid: int | None) -> _Stat | None:
    try:
        head, _, tail = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")
    except OSError:
        return None
    fields = tail.split()
    own = int(fields[11]) + int(fields[12])  # user and system
    of_ended_children = int(fields[13]) + int(fields[14])
    return _Stat(head.partition("(")[2], int(fields[1]), own, of_ended_children)
