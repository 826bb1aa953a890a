"""Is everything there? Two proofs about the days before the cut, in exact integers; pure.

    legacy       each value of the old table = the sum of its replayed events and their corrections
    statistics   each value of the daily view = the sum of all folded events, live ones included

Live events that happened before the cut came late: they are in the statistics and were never in the
old table, so they have a column of their own and are no difference. Values are compared month by
month as sums and checksums (`replay_value_hash`); only a month that differs is looked into. This
module knows neither SQL nor connections.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

from replay.expand import METRICS

CLAIMS: Final = {
    "legacy": "each value of the old table is the sum of its replayed events",
    "statistics": "each value of the daily statistics is the sum of its folded events",
    "weekly": "the weekly statistics equal their days",
    "monthly": "the monthly statistics equal their days",
}


@dataclass(frozen=True, slots=True)
class Sum:
    """The values of one metric of one month: added up, and weighed by their keys."""

    total: int = 0
    checksum: Decimal = Decimal(0)

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.total + other.total, self.checksum + other.checksum)


Sums = Mapping[tuple[date, str], Sum]
"""By first day of the month, and metric."""


@dataclass(frozen=True, slots=True)
class EventSums:
    """Events before the cut: replayed ones, live ones that came late, and all that are folded."""

    replayed: Sums
    late: Sums
    folded: Sums


@dataclass(frozen=True, slots=True)
class Place:
    """A range of offsets of the topic, as one ledger row has it."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is not what it should be.

    `row_id` is the legacy row that holds the value now (None: no row, or not asked); the events
    behind the found (or expected) value by id and place.
    """

    campaign_id: str | None
    day: date
    metric: str
    expected: int
    found: int
    row_id: str | None
    event_ids: Sequence[UUID]
    places: Sequence[Place]


class Evidence(Protocol):
    """What a snapshot of the database answers, months as their first days."""

    def legacy_sums(self) -> Sums:
        """The old table."""

    def event_sums(self) -> EventSums:
        """The events."""

    def view_sums(self) -> Sums:
        """The daily statistics."""

    def disagreements(self, name: str) -> list[dict[str, Any]]:
        """Where the `weekly` or `monthly` statistics differ from their days, at most a hundred."""

    def differences(self, proof: str, month: date) -> Iterator[Difference]:
        """Every differing value of a month, for the proof `legacy` or `statistics`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared, and the months in which it differs.

    `totals` holds, by metric: legacy, replayed, late, folded, statistics.
    """

    months: Mapping[str, Sequence[date]]
    disagreements: Mapping[str, Sequence[dict[str, Any]]]
    totals: Mapping[str, Mapping[str, int]]

    @property
    def failed(self) -> list[str]:
        """The names of the claims that do not hold."""
        return [name for name in CLAIMS if self.months.get(name) or self.disagreements.get(name)]

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.failed


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def judge(evidence: Evidence, progress: Progress) -> Verdict:
    """Compare everything; differences are asked for afterwards, month by month."""
    steps = 5
    progress("the old table", 0, steps)
    legacy = evidence.legacy_sums()
    progress("the events", 1, steps)
    events = evidence.event_sums()
    progress("the statistics", 2, steps)
    shown = evidence.view_sums()
    disagreements = {}
    for number, name in enumerate(("weekly", "monthly"), 3):
        progress(CLAIMS[name], number, steps)
        disagreements[name] = evidence.disagreements(name)
    columns = {
        "legacy": legacy,
        "replayed": events.replayed,
        "late": events.late,
        "folded": events.folded,
        "statistics": shown,
    }
    return Verdict(
        months={
            "legacy": differing_months(legacy, events.replayed),
            "statistics": differing_months(events.folded, shown),
        },
        disagreements=disagreements,
        totals={
            metric: {name: _total(sums, metric) for name, sums in columns.items()}
            for metric in METRICS
        },
    )


def differing_months(one: Sums, other: Sums) -> list[date]:
    """The months in which two sets of values are not the same."""
    nothing = Sum()
    return sorted(
        {
            month
            for month, metric in one.keys() | other.keys()
            if one.get((month, metric), nothing) != other.get((month, metric), nothing)
        }
    )


def differences(
    evidence: Evidence, verdict: Verdict, progress: Progress
) -> Iterator[tuple[str, Difference]]:
    """Every value that differs, with the proof that it breaks; as they are found."""
    for proof, months in verdict.months.items():
        for number, month in enumerate(months):
            progress(f"{CLAIMS[proof]}: {month:%Y-%m}", number, len(months))
            for difference in evidence.differences(proof, month):
                yield proof, difference


def _total(sums: Sums, metric: str) -> int:
    return sum(each.total for (_, of), each in sums.items() if of == metric)
