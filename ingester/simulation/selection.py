"""Chance with exact results: n of m picked one by one, and whole numbers that add up.

Only `Random.random()` and `getrandbits()` are drawn on, here and in the whole package: they stay
the same between Python's versions, where other methods may not, so a seed keeps its meaning.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from statistics import NormalDist
from typing import Generic, TypeVar

_normal = NormalDist().inv_cdf

Choice = TypeVar("Choice")


class Selection:
    """Picks exactly `wanted` of `among` candidates in one pass, each subset equally likely.

    Knuth, The Art of Computer Programming, volume 2, 3.4.2, Algorithm S. Candidates past `among`
    are never picked.
    """

    __slots__ = ("among", "wanted")

    def __init__(self, wanted: int, among: int) -> None:
        """Start before the first candidate."""
        self.wanted = wanted
        self.among = among

    def take(self, random: Random) -> bool:
        """Decide the next candidate."""
        taken = random.random() * self.among < self.wanted
        self.among -= 1
        self.wanted -= taken
        return taken


class Mixture(Generic[Choice]):
    """A choice with given shares, which add up to 1."""

    __slots__ = ("_choices", "_marks")

    def __init__(self, shares: Mapping[Choice, float]) -> None:
        """Take each choice with its share."""
        self._choices = tuple(shares)
        self._marks = tuple(accumulate(shares.values()))[:-1]

    def draw(self, random: Random) -> Choice:
        """Draw one."""
        return self._choices[bisect_right(self._marks, random.random())]


def split(total: int, weights: Sequence[float]) -> list[int]:
    """Divide a whole number in proportion to positive weights; the parts add up exactly."""
    running = list(accumulate(weights))
    marks = [round(total * (mark / running[-1])) for mark in running]
    return [mark - before for before, mark in zip([0, *marks], marks, strict=False)]


def lognormal(random: Random, median: float, sigma: float) -> float:
    """Draw from the log-normal distribution; about 68 % lie within median */ exp(sigma)."""
    # 52 bits and a half: never 0 and never 1, where the inverse has no value.
    return median * math.exp(sigma * _normal((random.getrandbits(52) + 0.5) * 2.0**-52))


def between(random: Random, low: float, high: float) -> float:
    """Draw uniformly."""
    return low + (high - low) * random.random()


def pick(choices: Sequence[Choice], random: Random) -> Choice:
    """Draw one, each equally likely."""
    return choices[int(random.random() * len(choices))]
