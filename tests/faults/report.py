"""Rounds of all runs, in one JSON file, and what they come to as a table."""

import json
import statistics
import subprocess
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.faults.arena import Round
from tests.faults.kinds import KINDS

_CHECKOUT = Path(__file__).parents[2]


class Report:
    """Kept in a file after every round: an interrupted run loses at most the round under way."""

    def __init__(self, path: Path, commit: str) -> None:
        self._path, self._commit = path, commit
        self.rounds: list[dict[str, Any]] = []
        if path.exists():
            self.rounds = json.loads(path.read_text())["rounds"]

    def add(self, done: Round) -> None:
        """Take in one round."""
        self.rounds.append(
            {
                **asdict(done),
                "ok": done.ok,
                "commit": self._commit,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"totals": self.totals(), "rounds": self.rounds}, indent=1))
        new.replace(self._path)

    def done(self, kind: str) -> int:
        """How many faults of a kind there were, in rounds of this commit."""
        return sum(each["faults"] for each in self._of(kind))

    def bad_rounds(self, kind: str) -> int:
        """How many of its rounds went wrong."""
        return sum(not each["ok"] for each in self._of(kind))

    @property
    def ok(self) -> bool:
        """Whether every round of this commit was good."""
        return all(each["ok"] for kind in KINDS for each in self._of(kind))

    def totals(self) -> dict[str, dict[str, Any]]:
        """By kind, of this commit."""
        return {kind: self._total(kind) for kind in KINDS if self._of(kind)}

    def table(self) -> Table:
        """The same for people."""
        table = Table(title=f"faults, commit {self._commit}", title_justify="left")
        names = ("kind", "faults", "wanted", "records", "missing", "invented", "bad rounds")
        for name in (*names, "recovery p50", "p95"):
            table.add_column(name, justify="left" if name == "kind" else "right")
        for kind, total in self.totals().items():
            seconds = (f"{total[name]:.1f} s" if total[name] else "" for name in ("p50", "p95"))
            counts = ("faults", "wanted", "records", "missing", "invented", "bad_rounds")
            table.add_row(kind, *(f"{total[name]:,}" for name in counts), *seconds)
        return table

    def markdown(self) -> str:
        """The same as rows of docs/reliability.md."""
        rows = []
        for kind, total in self.totals().items():
            seconds = " / ".join(f"{total[n]:.1f} s" for n in ("p50", "p95") if total[n])
            rows.append(
                f"| {kind} | {total['faults']:,} | {total['records']:,} | {total['missing']} | "
                f"{total['invented']} | {total['bad_rounds']} | {seconds} |\n"
            )
        return "".join([f"commit {self._commit}\n", *rows])

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [
            each for each in self.rounds if (each["kind"], each["commit"]) == (kind, self._commit)
        ]

    def _total(self, kind: str) -> dict[str, Any]:
        rounds = self._of(kind)
        recoveries = [seconds for each in rounds for seconds in each["recoveries"]]
        cuts = (
            statistics.quantiles(recoveries, n=20, method="inclusive")
            if len(recoveries) > 1
            else []
        )
        notes: dict[str, int] = defaultdict(int)
        for each in rounds:
            for what, times in each["notes"].items():
                notes[what] += times
        return {
            "faults": self.done(kind),
            "wanted": KINDS[kind].wanted,
            "rounds": len(rounds),
            "bad_rounds": self.bad_rounds(kind),
            **{name: sum(each[name] for each in rounds)
               for name in ("records", "missing", "invented")},
            "p50": round(statistics.median(recoveries), 2) if recoveries else None,
            "p95": round(cuts[-1], 2) if cuts else None,
            "notes": dict(notes),
            "minutes": round(sum(each["seconds"] for each in rounds) / 60, 1),
        }  # fmt: skip


def commit_under_test() -> str:
    """The commit that is tried; `+` where what is tried differs from it."""
    git = ["git", "-C", str(_CHECKOUT)]
    told = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        [*git, "diff", "--quiet", "HEAD", "--", "ingester", "sql"], check=False
    ).returncode
    return told.stdout.strip() + ("+" if changed else "")
