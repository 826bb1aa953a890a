"""What a replay would do, and what stands in its way; pure.

`replay.store.survey` brings the facts, `replay.commands.plan` shows them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from replay.expand import METRICS

PROBLEMS: Final[Mapping[str, str]] = {
    "null_id": "rows without an id: two of them could not be told apart",
    "repeated_id": "ids that several rows share: their events would be taken for repeats",
    "null_date": "rows with a value and no date",
    "outside_window": "rows before the window that the ingester accepts, or the retention floor",
    "no_campaign": "rows with a value and no campaign",
    "campaign_too_long": "rows whose campaign id is longer than 255 characters",
    "negative": "rows with a negative value",
    "too_large": "rows with a value above 2,147,483,647",
    "repeated_day": "campaign days that several rows share: their values add up",
}
"""Every kind of problem in words."""
HARMLESS: Final = frozenset({"repeated_day"})
"""Kinds that are told and do not stop a run."""

EVENTS_PER_SECOND: Final = 30_000.0
"""Published without a limit on a machine of two cores (docs/performance.md)."""
BYTES_PER_EVENT: Final = 200.0
"""Of events, indexes, roll-ups and ledger together at full scale (docs/performance.md)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows with one thing wrong; `examples` are some of their ids."""

    kind: str
    rows: int
    examples: Sequence[str]

    @property
    def blocking(self) -> bool:
        """Whether a run is refused until it is gone."""
        return self.kind not in HARMLESS

    def __str__(self) -> str:
        some = ", ".join(self.examples) + (", …" if self.rows > len(self.examples) else "")
        return f"{self.rows:,} {PROBLEMS[self.kind]} (ids {some})"


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the old table on one side of the cut; `month` is None for rows without a date."""

    month: str | None
    before_cut: bool | None
    rows: int
    rows_with_value: int
    events: Mapping[str, int]
    sums: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """The old table and the new one, as found in one snapshot."""

    cut_date: date
    months: Sequence[Month]
    problems: Sequence[Problem]
    missing_metrics: Sequence[str]
    leaves: frozenset[str]
    live_before_cut: Mapping[date, int]
    live_in_time: bool

    @property
    def replayed(self) -> list[Month]:
        """The months that a run reads."""
        return [month for month in self.months if month.before_cut and month.rows_with_value]

    @property
    def events(self) -> dict[str, int]:
        """Events to come, by metric."""
        return {m: sum(month.events[m] for month in self.replayed) for m in METRICS}

    @property
    def sums(self) -> dict[str, int]:
        """Their counts added up, by metric."""
        return {m: sum(month.sums[m] for month in self.replayed) for m in METRICS}

    @property
    def leaves_needed(self) -> list[str]:
        """Months whose partition does not exist yet; the ingester makes them."""
        return [
            month.month
            for month in self.replayed
            if month.month and month.month.replace("-", "_") not in self.leaves
        ]

    @property
    def blocking(self) -> list[Problem]:
        """What has to be put right before a run."""
        return [problem for problem in self.problems if problem.blocking]

    def warnings(self) -> list[str]:
        """What a person should know before a run and a program cannot decide."""
        told = [f"{metric}: no such column, counts as zero" for metric in self.missing_metrics]
        told += [str(problem) for problem in self.problems if not problem.blocking]
        if not self.live_in_time:
            told.append(
                f"no live event was ingested before {self.cut_date} 00:00 UTC: live producers must "
                "be publishing by then, what happens in between is on neither side"
            )
        if self.live_before_cut:
            told.append(
                f"{sum(self.live_before_cut.values()):,} live events happened before the cut, on "
                f"{len(self.live_before_cut):,} days: where the old table counts them too, they "
                "count twice"
            )
        after = sum(month.rows_with_value for month in self.months if month.before_cut is False)
        if after:
            told.append(
                f"{after:,} rows with a value from {self.cut_date} on are not replayed: "
                "these days belong to live producers"
            )
        return told
