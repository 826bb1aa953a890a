"""Rounds of all runs, in one JSON file, and what they come to as a table.

Several processes may share the file: each claims its next round in it, under a lock.
"""

import fcntl
import json
import os
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from tests.faults.arena import Round
from tests.faults.kinds import KINDS, Kind

_BAD_ROUNDS_MAX: Final = 3
"""A kind that goes wrong so often is left alone: what it shows, it has shown."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A round that a process has begun."""

    pid: int
    kind: str
    seed: int
    faults: int

    @property
    def is_open(self) -> bool:
        """Whether that process still lives."""
        return Path(f"/proc/{self.pid}").exists()


class Report:
    """Kept in a file after every round: an interrupted run loses at most the round under way.

    Rounds of other sources stand there too and do not count.
    """

    def __init__(self, path: Path, commit: str, sources: str) -> None:
        self._path, self._commit, self._sources = path, commit, sources
        self._claims: list[Claim] = []
        self.rounds: list[dict[str, Any]] = []
        self._read()

    def claim(self, kinds: Sequence[Kind], faults: int | None, seed: int) -> Claim | None:
        """The next round to be fought: of the kind that lags most; None where all is done.

        Args:
            kinds: among which to choose.
            faults: how many of each kind; by default the figures wanted.
            seed: of the whole run.
        """
        with self._turn():
            self._claims = [each for each in self._claims if each.is_open]
            left = {kind.name: (faults or kind.wanted) - self._begun(kind.name) for kind in kinds}
            open_kinds = [
                kind
                for kind in kinds
                if left[kind.name] > 0 and self.bad_rounds(kind.name) < _BAD_ROUNDS_MAX
            ]
            if not open_kinds:
                return None
            kind = max(open_kinds, key=lambda each: left[each.name] / (faults or each.wanted))
            number = seed * 1_000 + len(self.rounds) + len(self._claims)
            claim = Claim(os.getpid(), kind.name, number, min(kind.a_round, left[kind.name]))
            self._claims.append(claim)
            return claim

    def add(self, done: Round) -> None:
        """Take in one round; this process's claim is settled."""
        with self._turn():
            self._claims = [each for each in self._claims if each.pid != os.getpid()]
            self.rounds.append(
                {
                    **asdict(done),
                    "ok": done.ok,
                    "commit": self._commit,
                    "sources": self._sources,
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Read what others have written, change it, and write it, while nobody else does."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._read()
            yield
            claims = [asdict(each) for each in self._claims]
            kept = {"totals": self.totals(), "claims": claims, "rounds": self.rounds}
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(kept, indent=1))
            new.replace(self._path)

    def _read(self) -> None:
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            self.rounds = kept["rounds"]
            self._claims = [Claim(**each) for each in kept.get("claims", ())]

    def _begun(self, kind: str) -> int:
        return self.done(kind) + sum(each.faults for each in self._claims if each.kind == kind)

    def done(self, kind: str) -> int:
        """How many faults of a kind there were, in rounds of these sources."""
        return sum(each["faults"] for each in self._of(kind))

    def bad_rounds(self, kind: str) -> int:
        """How many of its rounds went wrong."""
        return sum(not each["ok"] for each in self._of(kind))

    @property
    def ok(self) -> bool:
        """Whether every round of these sources was good."""
        return all(each["ok"] for kind in KINDS for each in self._of(kind))

    def totals(self) -> dict[str, dict[str, Any]]:
        """By kind, of these sources."""
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
        """The same as the table of docs/reliability.md, with what it stands for."""
        ours = [each for each in self.rounds if each.get("sources") == self._sources]
        days = sorted({each["at"][:10] for each in ours})
        seeds = [each["seed"] for each in ours]
        commits = ", ".join(sorted({each["commit"] for each in ours}))
        columns = ("fault", "faults", "records", "missing", "invented", "bad rounds")
        rows = [
            (
                f"Commits {commits} (sources {self._sources}); {', '.join(days)}; "
                f"seeds {min(seeds, default=0)} to {max(seeds, default=0)}.\n\n"
                f"| {' | '.join(columns)} | recovery p50 / p95 | minutes |\n"
                f"|{'---|' * (len(columns) + 2)}\n"
            )
        ]
        for kind, total in self.totals().items():
            seconds = " / ".join(f"{total[n]:.1f} s" for n in ("p50", "p95") if total[n])
            rows.append(
                f"| {kind} | {total['faults']:,} | {total['records']:,} | {total['missing']} | "
                f"{total['invented']} | {total['bad_rounds']} | {seconds} | "
                f"{total['minutes']:.0f} |\n"
            )
        return "".join(rows)

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [
            each
            for each in self.rounds
            if (each["kind"], each.get("sources")) == (kind, self._sources)
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
