"""Whole numbers that add up: exact shares of a total, samples of an exact size; from a seed."""

import heapq
import math
from collections.abc import Sequence
from itertools import accumulate
from random import Random


def apportion(total: int, weights: Sequence[float], at_least: int = 0) -> list[int]:
    """Cut `total` into one share per weight, each `at_least` and else in proportion.

    The running sum is rounded, not each share, so that nothing is left over.
    """
    rest, sum_of_weights = total - at_least * len(weights), math.fsum(weights)
    bounds = [round(rest * (upto / sum_of_weights)) for upto in accumulate(weights)]
    bounds[-1] = rest
    return [at_least + upto - before for before, upto in zip([0, *bounds], bounds, strict=False)]


def sample(random: Random, items: Sequence[int], weights: Sequence[float], size: int) -> list[int]:
    """Choose exactly `size` items without repetition, heavier ones more often, in their order.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): the largest
    u^(1/w) win; here by their logarithm.
    """
    keyed = (
        (math.log(1.0 - random.random()) / weight, item)
        for item, weight in zip(items, weights, strict=True)
    )
    return sorted(item for _, item in heapq.nlargest(size, keyed))
