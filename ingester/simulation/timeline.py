"""All campaigns' touches in the order in which producers publish them.

Producers publish a moment after the fact, so neighbours change places now and then; a few wait for
hours (a mailbox polled rarely, a service that was down).
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush, heapreplace
from random import Random
from typing import Final

from ingester.simulation.campaign import Campaign
from ingester.simulation.life import HOUR, Life, Touch
from ingester.simulation.plan import SECOND_US
from ingester.simulation.selection import lognormal

LATE_SHARE: Final = 0.004
_LAG: Final = (0.8, 1.0)
_LATENESS: Final = (2 * HOUR, 1.3)
"""Seconds: median and sigma of log-normal delays. Two thirds of the late wait 0.5 to 7 hours."""


def touches(campaigns: Sequence[Campaign], random: Random, until_us: int) -> Iterator[Touch]:
    """Merge the lives of campaigns, which stand in the order of their starts, in time order.

    Like heapq.merge, but a life begins only when its time comes, so that memory follows the
    campaigns alive at one moment.
    """
    alive: list[tuple[Touch, Iterator[Touch]]] = []
    for index, campaign in enumerate(campaigns):
        yield from _until(campaign.first_us, alive)
        life = iter(Life(index, campaign, random, until_us))
        if first := next(life, None):
            heappush(alive, (first, life))
    yield from _until(until_us, alive)


def _until(end_us: int, alive: list[tuple[Touch, Iterator[Touch]]]) -> Iterator[Touch]:
    while alive and alive[0][0].occurred_us < end_us:
        touch, life = alive[0]
        yield touch
        following = next(life, None)
        if following is None:
            heappop(alive)
        else:
            heapreplace(alive, (following, life))


def published(
    touches: Iterable[Touch], random: Random, until_us: int
) -> Iterator[tuple[int, Touch]]:
    """Delay each touch by its way to Kafka; yields (published_us, touch) in order of publishing.

    Nothing is published after the end.
    """
    waiting: list[tuple[int, Touch]] = []
    for touch in touches:
        while waiting and waiting[0][0] <= touch.occurred_us:
            yield heappop(waiting)
        delay_us = late_by_us(random) or int(lognormal(random, *_LAG) * SECOND_US)
        heappush(waiting, (min(touch.occurred_us + delay_us, until_us), touch))
    while waiting:
        yield heappop(waiting)


def late_by_us(random: Random) -> int:
    """How late an event is published; 0 for nearly all."""
    if random.random() >= LATE_SHARE:
        return 0
    return int(lognormal(random, *_LATENESS) * SECOND_US)
