"""How many mails of a campaign are sent, bounced, opened, clicked and replied to."""

from dataclasses import dataclass
from random import Random
from typing import Self

from ingester.simulation.selection import between


@dataclass(frozen=True, slots=True)
class Ratios:
    """A campaign's tendencies; bounced and opened together stay below 1.

    `bounced` and `opened` are shares of the mails sent, `clicked` and `replied` of those opened,
    `positive` of those replied to. Drawn around what outreach tools report for cold and for
    newsletter-like campaigns; nothing depends on their exact values.
    """

    bounced: float
    opened: float
    clicked: float
    replied: float
    positive: float

    @classmethod
    def drawn(cls, random: Random) -> Self:
        """Draw a campaign's tendencies."""
        return cls(
            bounced=between(random, 0.004, 0.06),
            opened=between(random, 0.18, 0.68),
            clicked=between(random, 0.03, 0.25),
            replied=between(random, 0.03, 0.24),
            positive=between(random, 0.12, 0.45),
        )


@dataclass(frozen=True, slots=True)
class Funnel:
    """Events of each type; no step holds more than the step before it."""

    sent: int
    bounced: int
    opened: int
    clicked: int
    replied: int
    positive: int

    @property
    def possible(self) -> bool:
        """Whether every event has one it can follow."""
        return (
            self.bounced + self.opened <= self.sent
            and max(self.clicked, self.replied) <= self.opened
            and self.positive <= self.replied
        )


def funnel(events: int, ratios: Ratios, random: Random) -> Funnel:
    """Divide exactly `events` events over the types as the ratios ask.

    Parts are rounded at one random threshold, so that rare types also occur in small campaigns.
    Where that asks for more than was sent, all but the mails sent are rounded down, which always
    fits: bounced + opened < 1 per mail, and floor keeps the order of the steps.
    """
    opened = ratios.opened
    replied = opened * ratios.replied
    per_mail = (ratios.bounced, opened, opened * ratios.clicked, replied, replied * ratios.positive)
    mails = events / (1 + sum(per_mail))
    drawn = random.random()
    for threshold in (drawn, 0.0):
        parts = [int(mails * share + threshold) for share in per_mail]
        result = Funnel(events - sum(parts), *parts)
        if result.possible:
            break
    return result
