"""What changed in the old table since it was replayed, as events to publish; pure.

A correction is the difference between what a value is and what the replayed events add up to, so it
does not matter how the value came about: 10 → 12 → 10 → 12 ends at 12. Its revision counts the
corrections of a campaign, day and metric, and makes its id a new one each time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from ingester.errors import NeedsAPerson
from ingester.event import COUNT_MAX
from replay.expand import ReplayEvent, event_id
from replay.verification import Difference

_ID_CHARACTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class Correction:
    """One planned event; `row_id` None where the legacy row has gone."""

    campaign_id: str
    stat_date: date
    metric: str
    revision: int
    row_id: str | None
    delta: int
    event_id: UUID

    def event(self) -> ReplayEvent:
        """As it is published."""
        return ReplayEvent(
            self.event_id,
            self.campaign_id,
            self.metric,
            self.stat_date,
            self.delta,
            correction=True,
        )


def corrections(difference: Difference, last_revision: int) -> Iterator[Correction]:
    """The corrections that make the events add up again; more than one only beyond 2³¹-1.

    Raises NeedsAPerson where the old table holds what cannot become an event.
    """
    campaign_id = difference.campaign_id
    where = f"campaign {campaign_id!r}, {difference.day}, {difference.metric}"
    if campaign_id is None or not 1 <= len(campaign_id) <= _ID_CHARACTERS_MAX:
        raise NeedsAPerson(f"{where}: no event can have this campaign id. See: replay plan")
    if difference.expected < 0:
        raise NeedsAPerson(f"{where}: the old table says {difference.expected}. See: replay plan")
    left = difference.expected - difference.found
    revision = last_revision
    while left:
        delta = max(-COUNT_MAX, min(left, COUNT_MAX))
        revision += 1
        yield Correction(
            campaign_id,
            difference.day,
            difference.metric,
            revision,
            difference.row_id,
            delta,
            event_id(difference.row_id or "", difference.metric, difference.day, revision),
        )
        left -= delta
