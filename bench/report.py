"""Median, min and max; a table for people; JSON for whoever compares runs."""

import json
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from tests.services.standing import LOCAL

_COLUMNS_OF_A_FILE = 140
console = Console(highlight=False, width=None if sys.stdout.isatty() else _COLUMNS_OF_A_FILE)


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """At least one value."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """What is quoted."""
        return statistics.median(self.values)

    def scaled(self, factor: float) -> Self:
        """The same in another unit."""
        return self.of(factor * value for value in self.values)

    def percentile(self, share: float) -> float:
        """The smallest value that this share of all values does not exceed (nearest rank)."""
        return sorted(self.values)[max(math.ceil(share * len(self.values)) - 1, 0)]

    def as_json(self) -> dict[str, Any]:
        """Median, min, max, and every value in the order measured."""
        return {
            "median": round(self.median, 6),
            "min": round(min(self.values), 6),
            "max": round(max(self.values), 6),
            "values": [round(value, 6) for value in self.values],
        }

    def shown(self, digits: int) -> tuple[str, str, str]:
        """Median, min and max as the cells of a table."""
        three = (self.median, min(self.values), max(self.values))
        return tuple(f"{value:,.{digits}f}" for value in three)  # type: ignore[return-value]

    def latencies(self) -> dict[str, float]:
        """Of many: how many, p50, p99 and the largest, in the unit of the values."""
        shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        told = {name: round(self.percentile(share), 6) for name, share in shares.items()}
        return {"count": len(self.values), **told}

    def told(self, digits: int) -> str:
        """The same in one cell."""
        median, low, high = self.shown(digits)
        return f"{median} ({low}-{high})"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    shown = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        shown.add_column(name, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def say(text: str) -> None:
    """A line of progress."""
    console.print(text, markup=False)


def write(name: str, conditions: dict[str, Any], results: dict[str, Any]) -> None:
    """Keep the results with the conditions they were measured under."""
    directory = LOCAL / "bench"
    directory.mkdir(parents=True, exist_ok=True)
    finished = datetime.now(UTC)
    path = directory / f"{name}-{finished:%Y%m%dT%H%M%SZ}.json"
    document = {
        "bench": name,
        "finished": finished.isoformat(timespec="seconds"),
        **conditions,
        "results": results,
    }
    path.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")
    say(f"written to {path.relative_to(LOCAL.parent)}")
