"""Rounds of all runs, in one JSON file, and what they come to.

Several processes may share the file: each claims its next round in it, under a lock.
"""

import fcntl
import json
import os
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

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
        self._path, self.commit, self.sources = path, commit, sources
        self._claims: list[Claim] = []
        self.rounds: list[dict[str, Any]] = []
        self.left_out: dict[str, str] = {}
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
                    "commit": self.commit,
                    "sources": self.sources,
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )

    def leave_out(self, kinds: Mapping[str, str]) -> None:
        """Say which kinds this machine cannot fight, and what it lacks for each."""
        with self._turn():
            self.left_out = dict(kinds)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Read what others have written, change it, and write it, while nobody else does."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._read()
            yield
            claims = [asdict(each) for each in self._claims]
            kept = {
                "totals": self.totals(),
                "left_out": self.left_out,
                "claims": claims,
                "rounds": self.rounds,
            }
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(kept, indent=1))
            new.replace(self._path)

    def _read(self) -> None:
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            self.rounds = kept["rounds"]
            self.left_out = kept.get("left_out", {})
            self._claims = [Claim(**each) for each in kept.get("claims", ())]

    def _begun(self, kind: str) -> int:
        return self.done(kind) + sum(each.faults for each in self._claims if each.kind == kind)

    def done(self, kind: str) -> int:
        """How many faults of a kind there were, in rounds of these sources."""
        return sum(each["faults"] for each in self.of(kind))

    def bad_rounds(self, kind: str) -> int:
        """How many of its rounds went wrong."""
        return sum(not each["ok"] for each in self.of(kind))

    def unseen(self, kind: str) -> list[str]:
        """What the rounds of a kind had to show by the wanted number of faults, and did not."""
        if self.done(kind) < KINDS[kind].wanted:
            return []
        return [what for what in KINDS[kind].seen if not self._notes(kind)[what]]

    @property
    def ok(self) -> bool:
        """Whether every round of these sources was good, and showed what it had to."""
        return not any(self.bad_rounds(kind) or self.unseen(kind) for kind in KINDS)

    def totals(self) -> dict[str, dict[str, Any]]:
        """By kind, of these sources."""
        return {kind: self._total(kind) for kind in KINDS if self.of(kind)}

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Its rounds, of these sources."""
        return [
            each
            for each in self.rounds
            if (each["kind"], each.get("sources")) == (kind, self.sources)
        ]

    def _notes(self, kind: str) -> Counter[str]:
        notes: Counter[str] = Counter()
        for each in self.of(kind):
            notes.update(each["notes"])
        return notes

    def _total(self, kind: str) -> dict[str, Any]:
        rounds = self.of(kind)
        recoveries = [seconds for each in rounds for seconds in each["recoveries"]]
        cuts = (
            statistics.quantiles(recoveries, n=20, method="inclusive")
            if len(recoveries) > 1
            else []
        )
        p95, p95_max = round(cuts[-1], 2) if cuts else None, KINDS[kind].p95_seconds_max
        return {
            "faults": self.done(kind),
            "wanted": KINDS[kind].wanted,
            "rounds": len(rounds),
            "bad_rounds": self.bad_rounds(kind),
            **{name: sum(each[name] for each in rounds)
               for name in ("records", "missing", "invented")},
            "p50": round(statistics.median(recoveries), 2) if recoveries else None,
            "p95": p95,
            "p95_max": p95_max,
            "p95_met": None if p95 is None or p95_max is None else p95 <= p95_max,
            "notes": dict(self._notes(kind)),
            "unseen": self.unseen(kind),
            "minutes": round(sum(each["seconds"] for each in rounds) / 60, 1),
        }  # fmt: skip
