"""How heavy a process is, as the kernel sees it, and whether it grows."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WARM_UP_SHARE: Final = 0.2
SLOPE_MAX: Final = 1.0
"""Percent an hour, of resident memory, after the warm-up."""
DESCRIPTORS_MORE_MAX: Final = 3
"""A connection that is just being made, and a look at the database."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A process at one moment; `at` in seconds since the soak began."""

    at: float
    rss_kib: int
    descriptors: int
    threads: int


def weighed(pid: int, at: float) -> Weight:
    """Weigh a process now."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Weight(
        at=round(at, 1),
        rss_kib=int(status["VmRSS"].split()[0]),
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(status["Threads"]),
    )


def slope_percent_an_hour(weights: Sequence[Weight]) -> float:
    """How fast the resident memory grows, in percent of its mean: least squares."""
    line = statistics.linear_regression([w.at for w in weights], [w.rss_kib for w in weights])
    mean = statistics.fmean(w.rss_kib for w in weights)
    return line.slope * 3_600 / mean * 100


def growth(weights: Sequence[Weight]) -> dict[str, Any]:
    """What a process came to after its warm-up, and whether that is flat."""
    settled = weights[int(len(weights) * WARM_UP_SHARE) :]
    slope = slope_percent_an_hour(settled)
    first, last = settled[0].descriptors, settled[-1].descriptors
    return {
        "rss_mib": round(settled[-1].rss_kib / 1024, 1),
        "slope_percent_an_hour": round(slope, 2),
        "descriptors": [first, last],
        "flat": slope < SLOPE_MAX and last - first <= DESCRIPTORS_MORE_MAX,
    }
