"""One campaign's life: mails sent in waves, and what their receivers do with them, in time order.

A reaction is drawn when what it reacts to happens, so only the mails in flight are in memory.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

from ingester.event import EventType
from ingester.simulation.campaign import Campaign
from ingester.simulation.plan import SECOND_US
from ingester.simulation.selection import Selection, lognormal, split

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE

# Seconds after the step before: median and sigma of a log-normal delay, the usual shape of human
# reaction times (Malmgren et al., PNAS 105 (2008), on e-mail). A bounce is a server's answer.
_BOUNCE: Final = (6.0, 1.0)
_OPEN: Final = (45 * MINUTE, 1.6)
_CLICK: Final = (30.0, 1.0)
_REPLY: Final = (3 * HOUR, 1.2)
_CLASSIFICATION: Final = (2 * MINUTE, 1.0)


class Touch(NamedTuple):
    """Something happened to a mail. A tuple, since heaps compare it millions of times.

    `campaign` is an index into the cast, `mail` the number of the mail in its campaign.
    """

    occurred_us: int
    campaign: int
    mail: int
    event_type: EventType


class Life:
    """Iterates over a campaign's touches: exactly those its funnel promises, all before the end."""

    def __init__(self, index: int, campaign: Campaign, random: Random, until_us: int) -> None:
        """Start a life; `index` is the campaign's place in the cast."""
        funnel = campaign.funnel
        self._index = index
        self._campaign = campaign
        self._random = random
        self._until_us = until_us
        self._in_flight: list[Touch] = []
        self._bounced = Selection(funnel.bounced, funnel.sent)
        self._opened = Selection(funnel.opened, funnel.sent - funnel.bounced)
        self._clicked = Selection(funnel.clicked, funnel.opened)
        self._replied = Selection(funnel.replied, funnel.opened)
        self._positive = Selection(funnel.positive, funnel.replied)

    def __iter__(self) -> Iterator[Touch]:
        """Yield the touches in the order of time."""
        in_flight = self._in_flight
        for mail, sent_us in enumerate(self._sending_times()):
            while in_flight and in_flight[0].occurred_us <= sent_us:
                yield self._react(heappop(in_flight))
            yield self._react(Touch(sent_us, self._index, mail, EventType.SENT))
        while in_flight:
            yield self._react(heappop(in_flight))

    def _sending_times(self) -> Iterator[int]:
        """Spread the mails over the waves: evenly inside each, as throttled mailers send."""
        waves = self._campaign.waves()
        weights = [lognormal(self._random, 1.0, 0.5) for _ in waves]
        for (start_us, duration_us), mails in zip(
            waves, split(self._campaign.funnel.sent, weights), strict=True
        ):
            for mail in range(mails):
                yield start_us + int((mail + self._random.random()) * duration_us / mails)

    def _react(self, touch: Touch) -> Touch:
        """Draw what follows from a touch, and return it."""
        random, at_us = self._random, touch.occurred_us
        if touch.event_type is EventType.SENT:
            if self._bounced.take(random):
                self._follow(touch, at_us, EventType.BOUNCED, _BOUNCE)
            elif self._opened.take(random):
                self._follow(touch, at_us, EventType.OPENED, _OPEN)
        elif touch.event_type is EventType.OPENED:
            if self._clicked.take(random):
                at_us = self._follow(touch, at_us, EventType.CLICKED, _CLICK)
            if self._replied.take(random):
                self._follow(touch, at_us, EventType.REPLIED, _REPLY)
        elif touch.event_type is EventType.REPLIED and self._positive.take(random):
            self._follow(touch, at_us, EventType.POSITIVE_REPLY, _CLASSIFICATION)
        return touch

    def _follow(
        self, touch: Touch, after_us: int, event_type: EventType, delay: tuple[float, float]
    ) -> int:
        """Put a reaction on its way; at least a second later, and always before the end.

        A delay that would use up more than half of the time left is drawn again from the third and
        fourth eighth of it, so four steps after the last minute's mail still find a second each.
        """
        delay_us = int(max(lognormal(self._random, *delay), 1.0) * SECOND_US)
        left_us = self._until_us - after_us
        if delay_us > left_us // 2:
            delay_us = int(left_us * (0.25 + 0.25 * self._random.random()))
        at_us = after_us + delay_us
        heappush(self._in_flight, Touch(at_us, touch.campaign, touch.mail, event_type))
        return at_us
