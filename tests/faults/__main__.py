"""`make faults`: rounds of every kind until the figures are reached or the time is up.

    python -m tests.faults --minutes 25                  goes on where the last run ended
    python -m tests.faults --kind kill --faults 20       some kinds, another number

Two lanes by default: processes that fight rounds side by side, each on servers of its own, since a
round mostly waits. Prints a table, keeps all rounds in .local/faults.json; those fought on other
files of ingester/, replay/ and sql/ stand there too and do not count. What the workers of a bad
round logged is kept in .local/faults.bad.

Exit code 3 where a round went wrong or the faults were not those they are called, 75 where the time
was up before the figures were reached, or where this machine lacks what a kind needs: the report
names it and what is missing. Recovery times stand beside what is promised, and decide nothing: the
machine is shared.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.faults.grounds import Grounds
from tests.faults.kinds import KINDS, Kind
from tests.faults.report import Report
from tests.faults.shown import markdown, table
from tests.faults.sources import commit_under_test, sources_under_test
from tests.session_services import Choice, SessionServices

_CHECKOUT = Path(__file__).parents[2]
_PIPED_COLUMNS = 120


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="all by default")
    parser.add_argument("--faults", type=int, help="of each kind; by default the figures wanted")
    parser.add_argument("--minutes", type=float, default=25.0, help="no round begins after that")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=2, help="rounds at a time")
    parser.add_argument("--lane", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, default=_CHECKOUT / ".local" / "faults.json")
    parser.add_argument(
        "--markdown", action="store_true", help="print the table for the docs, no rounds"
    )
    parser.add_argument("--json", action="store_true", help="print the totals as JSON")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run rounds; returns the exit code."""
    given = sys.argv[1:] if given is None else given
    arguments = _arguments(given)
    width = None if sys.stdout.isatty() else _PIPED_COLUMNS
    console = Console(stderr=arguments.json, width=width)
    where = (arguments.report, commit_under_test(), sources_under_test())
    if arguments.markdown:
        sys.stdout.write(markdown(Report(*where)))
        return 0
    kinds = [KINDS[name] for name in arguments.kind or KINDS]
    left_out = {kind.name: missing for kind in kinds if (missing := kind.lacking())}
    fought = [kind for kind in kinds if kind.name not in left_out]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` is reached
    if arguments.lane:
        _fight(Report(*where), fought, arguments, console)
        return 0
    if not _fight_side_by_side(given, arguments.lanes):
        return 1
    report = Report(*where)
    report.leave_out(left_out)
    console.print(table(report))
    if arguments.json:
        told = {"ok": report.ok, "totals": report.totals(), "left_out": left_out}
        sys.stdout.write(json.dumps(told) + "\n")
    if not report.ok:
        return 3
    reached = all(report.done(kind.name) >= (arguments.faults or kind.wanted) for kind in kinds)
    return 0 if reached else 75


def _fight_side_by_side(given: Sequence[str], lanes: int) -> bool:
    """Run the lanes to their end; False where one crashed."""
    command = [sys.executable, "-m", "tests.faults", *given, "--lane"]
    started = [subprocess.Popen(command) for _ in range(lanes)]
    try:
        codes = [lane.wait() for lane in started]
        return not any(codes)
    finally:
        for lane in started:
            lane.terminate()
            lane.wait()


def _fight(
    report: Report, kinds: Sequence[Kind], arguments: argparse.Namespace, console: Console
) -> None:
    """One lane: round after round, as long as there is one to be fought."""
    until = time.monotonic() + arguments.minutes * 60
    servers: _Servers | None = None
    try:
        while time.monotonic() < until:
            claim = report.claim(kinds, arguments.faults, arguments.seed)
            if claim is None:
                return
            servers = servers or _Servers()
            done = KINDS[claim.kind].round(servers.grounds, claim.seed, claim.faults)
            report.add(done)
            shown = "ok" if done.ok else f"BAD: {done.differences}"
            console.print(
                f"{done.kind}: {done.faults} faults, seed {done.seed}, {done.records:,} records, "
                f"{done.seconds:.0f} s, {done.notes}: {shown}",
                highlight=False,
                markup=False,
            )
            if not done.ok:  # the next round gets new ones, whatever state this one left them in
                logs = f"{done.kind} {done.seed} {datetime.now(UTC):%Y%m%d-%H%M%S}"
                servers.grounds.keep_logs(arguments.report.with_suffix(".bad") / logs)
                servers.end()
                servers = None
    finally:
        if servers is not None:
            servers.end()


class _Servers:
    """A lane's own, and the grounds on them."""

    def __init__(self) -> None:
        self._services = SessionServices(Choice.made())
        self.grounds = Grounds(self._services)

    def end(self) -> None:
        """End all of them."""
        self.grounds.end()
        self._services.end()


if __name__ == "__main__":
    sys.exit(main())
