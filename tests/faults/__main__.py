"""`make faults`: rounds of every kind until the figures are reached or the time is up.

    python -m tests.faults --minutes 25                  goes on where the last run ended
    python -m tests.faults --kind kill --faults 20       some kinds, another number

Prints a table, keeps all rounds in .local/faults.json (rounds of other commits stand there too and
do not count); exit code 3 where a round went wrong, 75 where the time was up before the figures
were reached.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tests.faults.filling import can_mount
from tests.faults.grounds import Grounds
from tests.faults.kinds import KINDS, Kind
from tests.faults.report import Report, commit_under_test
from tests.session_services import Choice, SessionServices

_CHECKOUT = Path(__file__).parents[2]
_PIPED_COLUMNS = 120
_BAD_ROUNDS_MAX = 3
"""A kind that goes wrong so often is left alone: what it shows, it has shown."""


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="all by default")
    parser.add_argument("--faults", type=int, help="of each kind; by default the figures wanted")
    parser.add_argument("--minutes", type=float, default=25.0, help="no round begins after that")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=_CHECKOUT / ".local" / "faults.json")
    parser.add_argument(
        "--markdown", action="store_true", help="print rows for the docs, no rounds"
    )
    parser.add_argument("--json", action="store_true", help="print the totals as JSON")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run rounds; returns the exit code."""
    arguments = _arguments(given)
    width = None if sys.stdout.isatty() else _PIPED_COLUMNS
    console = Console(stderr=arguments.json, width=width)
    report = Report(arguments.report, commit_under_test())
    if arguments.markdown:
        sys.stdout.write(report.markdown())
        return 0
    kinds = [KINDS[name] for name in arguments.kind or KINDS]
    if not can_mount():
        console.print("disk full: left out, only root can mount a small file system")
        kinds = [kind for kind in kinds if kind.name != "disk full"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` is reached
    services = SessionServices(Choice.made())
    grounds = Grounds(services)
    until = time.monotonic() + arguments.minutes * 60
    try:
        for kind, seed, faults in _rounds(kinds, report, arguments.faults, arguments.seed, until):
            console.print(f"{kind.name}: {faults} faults, seed {seed} …", highlight=False)
            done = kind.round(grounds, seed, faults)
            report.add(done)
            shown = "ok" if done.ok else f"BAD: {done.differences}"
            told = f"  {done.records:,} records, {done.seconds:.0f} s, {done.notes}: {shown}"
            console.print(told, highlight=False, markup=False)
    finally:
        grounds.end()
        services.end()
    console.print(report.table())
    if arguments.json:
        sys.stdout.write(json.dumps({"ok": report.ok, "totals": report.totals()}) + "\n")
    if not report.ok:
        return 3
    reached = all(report.done(k.name) >= (arguments.faults or k.wanted) for k in kinds)
    return 0 if reached else 75


def _rounds(
    kinds: Sequence[Kind], report: Report, faults: int | None, seed: int, until: float
) -> Iterator[tuple[Kind, int, int]]:
    """In turn, so that a run that is cut short has tried every kind."""
    while time.monotonic() < until:
        open_kinds = [
            kind
            for kind in kinds
            if report.done(kind.name) < (faults or kind.wanted)
            and report.bad_rounds(kind.name) < _BAD_ROUNDS_MAX
        ]
        if not open_kinds:
            return
        for kind in open_kinds:
            left = (faults or kind.wanted) - report.done(kind.name)
            if time.monotonic() < until:
                yield kind, seed * 1_000 + len(report.rounds), min(kind.a_round, left)


if __name__ == "__main__":
    sys.exit(main())
