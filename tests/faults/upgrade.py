"""An earlier version beside this one, on one topic and this version's schema: a rolling upgrade.

Members of both versions share the group while one after the other is replaced, there and back
again, by SIGTERM and by SIGKILL in turn; whoever writes, everything stands once.
"""

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

from tests.acceptance.process import Running
from tests.faults.arena import Arena, Round, drawn
from tests.faults.grounds import Grounds

EARLIER: Final = "2073b01"
"""The first commit whose figures were published; what runs somewhere is hardly older."""
_CHECKOUT: Final = Path(__file__).parents[2]


def lacking() -> str | None:
    """What is missing for it; None where nothing is."""
    found = subprocess.run(
        ["git", "-C", str(_CHECKOUT), "cat-file", "-e", f"{EARLIER}^{{commit}}"],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return "the earlier version is not in this clone's history" if found.returncode else None


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Replace one of two members by the other version until the round has its faults."""
    wanted, done.faults = done.faults, 0
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": "500", **settings})
    arena.shorten_sessions()
    earlier = _unpacked(arena.ingester.directory / "earlier")
    try:
        with arena.load(done.seed, rate=1_000):
            seats = [(_member(arena, earlier), earlier), (_member(arena, _CHECKOUT), _CHECKOUT)]
            while done.faults < wanted:
                member, version = seats.pop(0)
                _end(member, signal.SIGKILL if done.faults % 2 else signal.SIGTERM)
                other = _CHECKOUT if version == earlier else earlier
                seats.append((_member(arena, other), other))
                done.recoveries.append(round(arena.wait_for_progress(arena.offsets()), 2))
                done.faults += 1
                done.note("to the earlier" if other == earlier else "to this")
                time.sleep(drawn(random, 0.0, 0.5))
        arena.judge(done)
    finally:
        arena.end()


def _unpacked(directory: Path) -> Path:
    directory.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(_CHECKOUT), "archive", EARLIER, "ingester", "sql"],
        stdout=subprocess.PIPE,
        check=True,
    )
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive.stdout, check=True)
    return directory


def _member(arena: Arena, checkout: Path) -> Running:
    member = arena.ingester.start("run", checkout=checkout)
    member.until("partitions_started", 60.0)
    return member


def _end(member: Running, sign: signal.Signals) -> None:
    member.signal(sign)
    code = member.wait(15.0)
    assert code in (0, -sign), f"ended with {code}:\n{member.tail()}"
