"""SIGSTOP in the middle of a COPY, past the session timeout, then SIGCONT: the zombie wakes up.

It still holds the locks of its transaction while another takes its partitions over; what it then
writes must be refused.
"""

import signal
import time
from pathlib import Path
from random import Random
from typing import Final

import psycopg

from tests.acceptance.killing import session_timeout_ms
from tests.acceptance.process import Running, wait_for
from tests.faults.arena import POLL_SECONDS, Arena, Round, drawn
from tests.faults.grounds import Grounds

_RECORDS: Final = 40_000
_ACTS_SECONDS_MAX: Final = 2.0
_SETTINGS: Final = {
    "INGESTER_BATCH_ROWS_MAX": "30000",
    "INGESTER_BATCH_AGE_SECONDS_MAX": "2",
    "INGESTER_TAKEOVER_SECONDS": "1",
}
_MID_COPY: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'
"""


def fight(grounds: Grounds, done: Round, random: Random) -> None:
    """Stop workers mid-COPY until the round has its faults."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena(_SETTINGS)
    arena.shorten_sessions()
    session_seconds = session_timeout_ms(arena.ingester.bootstrap) / 1000
    try:
        while done.faults < wanted:
            arena.publish(done.seed * 1_000 + done.faults, _RECORDS)
            _stop_one(arena, done, random, session_seconds)
        arena.judge(done)
    finally:
        arena.end()


def _stop_one(arena: Arena, done: Round, random: Random, session_seconds: float) -> None:
    victim = arena.doomed("copy", 1, "STOP", drawn(random, 0.0, 0.01))
    wait_for(lambda: _is_stopped(victim.pid), 60.0, victim.tail)
    stopped_at = time.monotonic()
    if _copies(arena):
        done.note("mid-copy")
    victim.log.new()
    lines_then = len(victim.log.lines)
    survivor = arena.ingester.start("run", "--until-caught-up")
    assert survivor.wait(120.0) == 0, survivor.tail()
    done.recoveries.append(round(time.monotonic() - stopped_at, 2))
    time.sleep(max(stopped_at + session_seconds + 1.0 - time.monotonic(), 0.0))
    complete = arena.offsets()
    victim.signal(signal.SIGCONT)
    _wait_until_it_acts(victim, lines_then)
    time.sleep(drawn(random, 0.0, 0.5))
    victim.signal(signal.SIGTERM)
    victim.wait(30.0)
    victim.log.new()
    since = [line.get("stage") for line in victim.log.lines[lines_then:]]
    done.faults += 1
    done.note("refused" if "refused" in since else "dropped before writing")
    if "committed" in since or arena.offsets() != complete:
        done.difference_count += 1
        done.differences.append(f"a zombie wrote: {since}")


def _wait_until_it_acts(victim: Running, lines_then: int) -> None:
    """Until it has written, or has been refused; it may also just drop what it had."""
    deadline = time.monotonic() + _ACTS_SECONDS_MAX
    while time.monotonic() < deadline and victim.code is None:
        victim.log.new()
        if {"refused", "committed"} & {line.get("stage") for line in victim.log.lines[lines_then:]}:
            return
        time.sleep(POLL_SECONDS)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"


def _copies(arena: Arena) -> bool:
    with psycopg.connect(arena.ingester.database_url) as connection:
        row = connection.execute(_MID_COPY).fetchone()
    return bool(row and row[0])
