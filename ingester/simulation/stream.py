"""Valid events, repeats and invalid records interleaved, in numbers that are exact."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from random import Random

from ingester.event import EventType
from ingester.outcomes import Reason
from ingester.simulation.campaign import Campaign, cast
from ingester.simulation.earlier import Earlier
from ingester.simulation.event import Events, SimulatedEvent
from ingester.simulation.faults import Faults
from ingester.simulation.life import Touch
from ingester.simulation.plan import Plan
from ingester.simulation.selection import Selection, pick
from ingester.simulation.timeline import late_by_us, published, touches
from ingester.simulation.wire import Headers, write

Clock = Callable[[], int]
"""The time now, in microseconds since 1970-01-01 UTC."""


class Outcome(StrEnum):
    """What the ingester must make of a record, where the topic was empty before."""

    INSERTED = "inserted"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class SimulatedRecord:
    """A record to be published, and what must become of it.

    `reason` is set where it must be rejected, `event` (the record's own content, also of a
    repeat) where not.
    """

    key: bytes
    value: bytes | None
    headers: Headers
    outcome: Outcome
    event: SimulatedEvent | None = None
    reason: Reason | None = None


def records(plan: Plan, clock: Clock | None = None) -> Iterator[SimulatedRecord]:
    """Yield exactly `plan.records` records in the order of publishing.

    Without a clock everything follows from the plan. With one, an event happens at the moment it is
    asked for; only some mails sent are late (a reaction never is, so that none precedes its mail).
    """
    return iter(_Stream(plan, clock))


class _Stream:
    def __init__(self, plan: Plan, clock: Clock | None) -> None:
        self._plan = plan
        self._clock = clock
        # Seeded with all of the plan: with the seed alone, plans that differ a little would share
        # some events, and the second one's unique events would be duplicates of the first one's.
        self._random = random = Random(repr(astuple(plan)))
        self._campaigns = cast(plan, random)
        self._events = Events(self._campaigns, random, whole_us=clock is not None)
        self._happenings = _happenings(plan, self._campaigns, random, clock)
        self._faults = Faults(random)
        self._earlier: Earlier[tuple[SimulatedRecord, SimulatedEvent]] = Earlier(random)
        self._conflicting = Selection(plan.conflicting, plan.duplicates)
        self._published_us = plan.from_us

    def __iter__(self) -> Iterator[SimulatedRecord]:
        valid, duplicates, invalid = self._plan.valid, self._plan.duplicates, self._plan.invalid
        while left := valid + duplicates + invalid:
            chance = self._random.random() * left
            if chance < invalid:
                invalid -= 1
                yield self._fault()
            elif chance < invalid + duplicates and self._earlier:
                duplicates -= 1
                yield self._repeat()
            else:
                valid -= 1
                yield self._event()

    def _event(self) -> SimulatedRecord:
        occurred_us, self._published_us, touch = next(self._happenings)
        event = self._events.of(touch, occurred_us, self._published_us)
        record = SimulatedRecord(*write(event, self._random), Outcome.INSERTED, event)
        self._earlier.add((record, event))
        return record

    def _repeat(self) -> SimulatedRecord:
        """Repeat a record to the byte, or its event's identity with another count."""
        record, event = self._earlier.draw()
        if not self._conflicting.take(self._random):
            return replace(record, outcome=Outcome.DUPLICATE)
        other = replace(event, count=event.count + 1 + self._random.getrandbits(2))
        return SimulatedRecord(*write(other, self._random), Outcome.CONFLICTING, other)

    def _fault(self) -> SimulatedRecord:
        """Spoil an event that could have happened just now, but never did."""
        now_us = self._clock() if self._clock else self._published_us
        campaign = int(self._random.random() * len(self._campaigns))
        touch = Touch(now_us, campaign, 0, pick(tuple(EventType), self._random))
        event = self._events.of(touch, now_us, now_us)
        fault = self._faults.next()
        return SimulatedRecord(
            event.campaign_id.encode(),
            fault.make(event, self._random),
            fault.headers,
            Outcome.REJECTED,
            reason=fault.reason,
        )


def _happenings(
    plan: Plan, campaigns: Sequence[Campaign], random: Random, clock: Clock | None
) -> Iterator[tuple[int, int, Touch]]:
    """Yield (occurred_us, published_us, touch) of every valid event, in the order of publishing."""
    in_time_order = touches(campaigns, random, plan.until_us)
    if clock is None:
        for published_us, touch in published(in_time_order, random, plan.until_us):
            yield touch.occurred_us, published_us, touch
        return
    for touch in in_time_order:
        now_us = clock()
        late_us = late_by_us(random) if touch.event_type is EventType.SENT else 0
        yield now_us - late_us, now_us, touch
