"""Four dashboard queries, asked of the old table and of the new statistics in turns.

Each answer is compared first: a fast query with another answer gets no figure. Rows whose values
are all zero are left out of the comparison, the new system does not keep them.
"""

import time
from dataclasses import dataclass
from datetime import date, timedelta
from math import prod
from typing import Any, Final

from bench import report
from bench.database import Database, Row
from bench.report import Spread

QUERIES: Final = {
    "months": ("all campaigns by month, two years", 50.0),
    "top": ("top 20 campaigns of the last month", 10.0),
    "totals": ("totals of 50 campaigns", 10.0),
    "days": ("one campaign, 90 days by day", 1.0),
}
"""What each is, and the ratio old/new that it should reach at least."""
_CAMPAIGNS: Final = 50


@dataclass(frozen=True, slots=True)
class Compared:
    """One query on both sides; ratio of the medians."""

    what: str
    goal: float
    old: Spread
    new: Spread

    @property
    def ratio(self) -> float:
        """How many times faster the new side is."""
        return self.old.median / self.new.median


def compare(database: Database, until: date, repeat: int) -> list[Compared]:
    """Ask everything `repeat` times on both sides, after one round that is not counted."""
    asked = _parameters(database, until)
    found = []
    for name, (what, goal) in QUERIES.items():
        old, new = f"dashboard_{name}_old", f"dashboard_{name}_new"
        if _with_values(database.rows(old, **asked)) != _with_values(database.rows(new, **asked)):
            raise RuntimeError(f"{what}: old and new differ")
        times: dict[str, list[float]] = {old: [], new: []}
        for _ in range(repeat):
            for side, seconds in times.items():
                began = time.perf_counter()
                database.rows(side, **asked)
                seconds.append(time.perf_counter() - began)
        found.append(Compared(what, goal, Spread.of(times[old]), Spread.of(times[new])))
    return found


def geometric_mean(found: list[Compared]) -> float:
    """Of the ratios."""
    return float(prod(each.ratio for each in found) ** (1 / len(found)))


def show(found: list[Compared]) -> None:
    """Print medians and ratios."""
    report.table(
        f"dashboard queries, old and new (geometric mean {geometric_mean(found):.0f})",
        ["query", "old ms", "new ms", "old/new", "goal"],
        [
            [
                each.what,
                f"{each.old.median * 1000:,.2f}",
                f"{each.new.median * 1000:,.2f}",
                f"{each.ratio:,.1f}",
                f"{each.goal:,.0f}",
            ]
            for each in found
        ],
    )


def _parameters(database: Database, until: date) -> dict[str, Any]:
    """The last whole month, two years up to its end, and busy campaigns of it."""
    month_after = until.replace(day=1)
    month = (month_after - timedelta(days=1)).replace(day=1)
    busiest = [row[0] for row in database.rows("dashboard_busiest", month=month, count=_CAMPAIGNS)]
    return {
        "until": until,
        "ninety_days_ago": until - timedelta(days=90),
        "month": month,
        "month_after": month_after,
        "two_years_ago": month_after.replace(year=month_after.year - 2),
        "campaigns": busiest,
        "campaign": busiest[0],
    }


def _with_values(rows: list[Row]) -> list[Row]:
    """Rows with a value, as numbers that compare, in an order of their own."""
    numbers = [
        tuple(int(cell) if not isinstance(cell, str | date) else cell for cell in row)
        for row in rows
    ]
    return sorted(row for row in numbers if any(isinstance(cell, int) and cell for cell in row))
