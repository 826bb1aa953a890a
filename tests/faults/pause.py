"""SIGSTOP in the middle of a COPY, past the session timeout, then SIGCONT: the zombie wakes up.

It still holds the locks of its transaction, while another ends its backend and takes its partitions
over; when it tries again it must be refused, say so, and go on living.
"""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

import psycopg

from tests.acceptance.killing import session_timeout_ms
from tests.acceptance.page import Page
from tests.acceptance.process import wait_for
from tests.faults.arena import POLL_SECONDS, Arena, Round, drawn
from tests.faults.grounds import Grounds

_RECORDS: Final = 40_000
_SETTINGS: Final = {
    "INGESTER_BATCH_ROWS_MAX": "30000",
    "INGESTER_BATCH_AGE_SECONDS_MAX": "2",
    "INGESTER_TAKEOVER_SECONDS": "1",
}
_TRIES_A_FAULT_MAX: Final = 6
_BACKEND: Final = """
    SELECT
        bool_or(state = 'active' AND query LIKE 'COPY%' AND wait_event = 'ClientRead'),
        bool_and(state <> 'active')
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'ingester-writer%'
"""
"""Whether a COPY waits for what its client does not send, and whether it is over."""


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Stop workers until the round's number was inside COPY; those that were not do not count."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({**_SETTINGS, **settings})
    arena.shorten_sessions()
    session_seconds = session_timeout_ms(arena.ingester.bootstrap) / 1000
    try:
        for attempt in range(wanted * _TRIES_A_FAULT_MAX):
            arena.publish(done.seed * 1_000 + attempt, _RECORDS)
            _stop_one(arena, done, random, session_seconds)
            if done.faults == wanted:
                break
        else:
            done.differences.append(f"only {done.faults} of {wanted} were stopped inside COPY")
        arena.judge(done)
    finally:
        arena.end()


def _stop_one(arena: Arena, done: Round, random: Random, session_seconds: float) -> None:
    victim = arena.doomed("copy", 1, "STOP", drawn(random, 0.0005, 0.004))
    wait_for(lambda: _is_stopped(victim.pid), 60.0, victim.tail)
    stopped_at = time.monotonic()
    if not _waits_inside_copy(arena):
        done.note("stopped outside of COPY, not counted")
        victim.end()
        return
    victim.log.new()
    lines_then = len(victim.log.lines)
    survivor = arena.ingester.start("run", "--until-caught-up")
    assert survivor.wait(120.0) == 0, survivor.tail()
    assert survivor.log.named("took_over"), f"its backend was not ended:\n{survivor.tail()}"
    done.recoveries.append(round(time.monotonic() - stopped_at, 2))
    time.sleep(max(stopped_at + session_seconds + 1.0 - time.monotonic(), 0.0))
    complete = arena.offsets()
    victim.signal(signal.SIGCONT)
    victim.until("positions_refused", 60.0)
    refused = Page(victim).total("ingester_positions_refused_total")
    time.sleep(drawn(random, 0.0, 0.5))
    victim.signal(signal.SIGTERM)
    code = victim.wait(30.0)
    victim.log.new()
    since = [line.get("stage") for line in victim.log.lines[lines_then:]]
    done.faults += 1
    done.note("refused")
    if "committed" in since or arena.offsets() != complete:
        done.difference_count += 1
        done.differences.append(f"a zombie wrote: {since}")
    if code != 0 or not refused:
        done.differences.append(f"a zombie ended with {code} and counted {refused:.0f} refusals")


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"


def _waits_inside_copy(arena: Arena) -> bool:
    """Whether the server has taken all that was sent, and the COPY is not over."""
    with psycopg.connect(arena.ingester.database_url, autocommit=True) as connection:
        while True:
            waits, is_over = connection.execute(_BACKEND).fetchone() or (False, True)
            if waits or is_over is not False:
                return bool(waits)
            time.sleep(POLL_SECONDS)
