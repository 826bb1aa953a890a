"""The cast of a simulation: campaigns with an id, a life, sending waves and a funnel."""

from dataclasses import dataclass
from random import Random
from typing import Final
from uuid import UUID

from ingester.simulation.funnel import Funnel, Ratios, funnel
from ingester.simulation.plan import DAY_US, SECOND_US, Plan
from ingester.simulation.selection import between, lognormal, pick, split

HOUR_US: Final = 3600 * SECOND_US

LAST_SEND_US: Final = 60 * SECOND_US
"""Nothing is sent in the last minute, so that every reaction has time left before the end."""

_ZONE_HOURS: Final = (-8.0, -5.0, -3.0, 0.0, 1.0, 1.0, 2.0, 5.5, 8.0, 9.0)
_WAVE_HOURS: Final = (8, 10, 12, 14, 16)
"""Local time. Two hours apart: a wave starts up to 10 and lasts up to 105 minutes."""

_SUBJECTS: Final = ("spring", "cfo", "founders", "webinar", "relaunch", "upsell", "win-back", "q4")
_PLACES: Final = ("dach", "nordics", "uk", "us-east", "benelux", "apac", "latam", "fr")
_NON_ASCII: Final = ("frühjahr-münchen", "春の新規開拓-東京", "été-relance", "весна-клиенты")
_PEOPLE: Final = ("anna", "ben", "chiara", "daniel", "eva", "farid", "grace", "hugo")

Wave = tuple[int, int]
"""Start and duration, both in microseconds."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign, as far as the simulated time shows it.

    Its mails go out between `first_us` and `last_us` in waves at `wave_hours`, hours after midnight
    of its own time zone, `zone_us` ahead of UTC.
    """

    campaign_id: str
    accounts: tuple[str, ...]
    funnel: Funnel
    first_us: int
    last_us: int
    zone_us: int
    wave_hours: tuple[float, ...]
    wave_duration_us: int
    works_weekends: bool

    def waves(self) -> list[Wave]:
        """List the times of sending, in order and not overlapping; never empty.

        A life without a working day sends on any day; one without a whole wave sends all along.
        """
        whole = [(self.first_us, self.last_us - self.first_us)]
        return self._waves(weekends=self.works_weekends) or self._waves(weekends=True) or whole

    def _waves(self, *, weekends: bool) -> list[Wave]:
        found = []
        first_day = (self.first_us + self.zone_us) // DAY_US
        last_day = (self.last_us + self.zone_us) // DAY_US
        for day in range(first_day, last_day + 1):
            # Day 0 was a Thursday: remainders 2 and 3 are Saturday and Sunday.
            if not weekends and day % 7 in (2, 3):
                continue
            midnight_us = day * DAY_US - self.zone_us
            for hour in self.wave_hours:
                start_us = midnight_us + int(hour * HOUR_US)
                if self.first_us <= start_us and start_us + self.wave_duration_us <= self.last_us:
                    found.append((start_us, self.wave_duration_us))
        return found


def cast(plan: Plan, random: Random) -> list[Campaign]:
    """Draw the plan's campaigns, in the order of their first day.

    Together their funnels hold exactly `plan.valid` events. Volumes differ by orders of magnitude;
    with fewer events than campaigns some stay silent.
    """
    volumes = split(plan.valid, [lognormal(random, 1.0, 1.0) for _ in range(plan.campaigns)])
    campaigns = [_campaign(index, volume, plan, random) for index, volume in enumerate(volumes)]
    return sorted(campaigns, key=lambda campaign: campaign.first_us)


def _campaign(index: int, volume: int, plan: Plan, random: Random) -> Campaign:
    length = min(max(lognormal(random, 12.0, 0.6), 2.0), 45.0)
    # At least a day of each life lies inside the simulated time.
    start_us = plan.from_us + int(between(random, 1.0 - length, plan.days - 1.0) * DAY_US)
    campaign_id = _campaign_id(index, random)
    return Campaign(
        campaign_id=campaign_id,
        accounts=_accounts(random),
        funnel=funnel(volume, Ratios.drawn(random), random),
        first_us=max(start_us, plan.from_us),
        last_us=min(start_us + int(length * DAY_US), plan.until_us - LAST_SEND_US),
        zone_us=int(pick(_ZONE_HOURS, random) * HOUR_US),
        wave_hours=_wave_hours(random),
        wave_duration_us=int(between(random, 20, 105) * 60 * SECOND_US),
        works_weekends=random.random() < 0.1,
    )


def _campaign_id(index: int, random: Random) -> str:
    """Make a believable id, unique by its index: slugs, UUIDs, one in twelve not ASCII."""
    tag = random.getrandbits(16)
    if index % 12 == 5:
        return f"{pick(_NON_ASCII, random)}-{index}-{tag:04x}"
    if index % 5 in (1, 3):
        return str(UUID(int=random.getrandbits(128), version=4))
    return f"{pick(_SUBJECTS, random)}-{pick(_PLACES, random)}-{index}-{tag:04x}"


def _accounts(random: Random) -> tuple[str, ...]:
    domain = f"mail-{random.getrandbits(12):03x}.example"
    first = random.getrandbits(8)
    number = 2 + random.getrandbits(2)
    return tuple(f"{_PEOPLE[(first + i) % len(_PEOPLE)]}@{domain}" for i in range(number))


def _wave_hours(random: Random) -> tuple[float, ...]:
    slots = sorted({pick(_WAVE_HOURS, random) for _ in range(3)})
    late = random.random() / 6  # up to ten minutes after the hour
    return tuple(slot + late for slot in slots)
