"""Campaigns and their lives: when each was made, and on which days something happened to it.

The legacy system wrote a row per campaign and day, from the day a campaign was made to today. A
campaign is active in a few waves (a launch, follow-ups) and silent between them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final
from uuid import UUID

from replay.generation.figures import Figures
from replay.generation.shares import apportion

SPAN_DAYS: Final = 1_000
"""The oldest campaign's age: two years and nine months."""
_AGE_DAYS_MIN: Final = 60
_STARTS: Final = 4.3
"""Exponent of the starting days: most campaigns were taken over when the table began."""
_WAVE_DAYS: Final = 20


@dataclass(frozen=True, slots=True)
class Life:
    """A campaign: its ids, its age (and number of rows) in days, its size among the others.

    `waves` are (first day, days), counted from the day it was made; they do not overlap.
    """

    number: int
    campaign_id: str
    admin_uuid: str
    age_days: int
    volume: float
    waves: tuple[tuple[int, int], ...]

    def active_days(self) -> Iterator[tuple[int, float]]:
        """(day before the end of the table, position in its wave from 0 to 1), oldest first."""
        for first, days in self.waves:
            for day in range(days):
                yield self.age_days - 1 - first - day, day / days


def lives(figures: Figures, random: Random) -> list[Life]:
    """Campaigns whose ages add up to `rows` and whose active days to `headline_rows`."""
    admins = [_uuid(random) for _ in range(figures.admins)]
    ages = _ages(figures.rows, figures.campaigns, random)
    active = apportion(figures.headline_rows, [age * random.uniform(0.1, 2.0) for age in ages])
    return [
        Life(
            number=number,
            campaign_id=_uuid(random),
            admin_uuid=random.choice(admins),
            age_days=age,
            volume=random.lognormvariate(0.0, 0.8),
            waves=tuple(_waves(age, days, random)),
        )
        for number, (age, days) in enumerate(zip(ages, active, strict=True), start=1)
    ]


def _ages(rows: int, campaigns: int, random: Random) -> list[int]:
    ages = sorted(
        (SPAN_DAYS - int((SPAN_DAYS - _AGE_DAYS_MIN) * random.random() ** _STARTS)
         for _ in range(campaigns)),
        reverse=True,
    )  # fmt: skip
    # What the draw missed of the exact total, a day at a time.
    missed = rows - sum(ages)
    step = 1 if missed > 0 else -1
    while missed:
        fits = [at for at, age in enumerate(ages) if _AGE_DAYS_MIN <= age + step <= SPAN_DAYS]
        for at in random.sample(fits, min(len(fits), abs(missed))):
            ages[at] += step
            missed -= step
    return ages


def _waves(age: int, active: int, random: Random) -> Iterator[tuple[int, int]]:
    """Cut the active days into waves, and the silent ones into the gaps around them."""
    if not active:
        return
    count = random.randint(1, 1 + active // _WAVE_DAYS)
    lengths = apportion(active, [random.uniform(0.3, 1.0) for _ in range(count)])
    # Exponential gaps: waves lie anywhere in a life, no month is preferred.
    gaps = apportion(age - active, [random.expovariate(1.0) for _ in range(count + 1)])
    day = 0
    for gap, length in zip(gaps, lengths, strict=False):
        day += gap
        if length:
            yield day, length
        day += length


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))
