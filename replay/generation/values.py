"""The numbers of active days: mails go out early in a wave, opens and replies trail off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from replay.generation.figures import Figures
from replay.generation.lives import Life
from replay.generation.shares import apportion, sample

_SENDING: Final = 0.7
"""Share of a wave in which mails go out, on working days."""
_SATURDAY: Final = 5


@dataclass(slots=True)
class ActiveDay:
    """A row with a value, under way: `weight` says how busy the day was."""

    campaign: int
    stat_date: date
    weight: float
    sending: float
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    replied: int = 0
    positive_replies: int = 0

    @property
    def key(self) -> tuple[int, date]:
        """What the row is about."""
        return self.campaign, self.stat_date


def active_days(
    figures: Figures, lives: Sequence[Life], until: date, random: Random
) -> list[ActiveDay]:
    """All rows with a value; the last day of the table is the one before `until`."""
    days = [
        _active_day(life, until - timedelta(days=1 + ago), position, random)
        for life in lives
        for ago, position in life.active_days()
    ]
    _fill(days, figures, random)
    return days + _clicks_only(figures, lives, until, {day.key for day in days}, random)


def _active_day(life: Life, stat_date: date, position: float, random: Random) -> ActiveDay:
    sends = position < _SENDING and stat_date.weekday() < _SATURDAY
    return ActiveDay(
        life.number,
        stat_date,
        weight=life.volume * random.uniform(0.3, 1.0) * (1.0 - position / 2),
        sending=1.0 if sends else 0.05,
    )


def _fill(days: list[ActiveDay], figures: Figures, random: Random) -> None:
    """Give each metric exactly its number of values and its total; no day stays without a value."""
    everything = range(len(days))
    weights = [day.weight for day in days]
    sent = sample(random, everything, [day.sending for day in days], figures.sent_values)
    silent = sorted(set(everything).difference(sent))
    also = sample(random, sent, [weights[at] for at in sent], figures.opened_values - len(silent))
    opened = sorted([*silent, *also])
    replied = sample(random, opened, [weights[at] for at in opened], figures.replied_values)
    for metric, chosen in (("sent", sent), ("opened", opened), ("replied", replied)):
        counts = apportion(getattr(figures, metric), [weights[at] for at in chosen], at_least=1)
        for at, count in zip(chosen, counts, strict=True):
            setattr(days[at], metric, count)
    replies = [days[at].replied for at in replied]
    positive = sample(random, replied, [float(count) for count in replies], figures.positive_values)
    # More than one only where there were more replies: a positive reply is a reply.
    more = [days[at].replied - 0.999 for at in positive]
    counts = apportion(figures.positive_replies, more, at_least=1)
    for at, count in zip(positive, counts, strict=True):
        days[at].positive_replies = count


def _clicks_only(
    figures: Figures,
    lives: Sequence[Life],
    until: date,
    taken: set[tuple[int, date]],
    random: Random,
) -> list[ActiveDay]:
    """A few rows with nothing but clicks, on days that were silent otherwise."""
    found: dict[tuple[int, date], ActiveDay] = {}
    while len(found) < figures.clicks_only_rows:
        life = random.choice(lives)
        day = until - timedelta(days=random.randint(1, life.age_days))
        click = ActiveDay(life.number, day, 0.0, 0.0, clicked=random.randint(1, 3))
        if click.key not in taken:
            found[click.key] = click
    return list(found.values())
