"""Whatever the client, the database and the group do, the guarantee holds.

A seed that fails is kept: put it into SEEDS_THAT_FAILED_ONCE, with what was wrong.
"""

import pytest

from tests.examples import FACTOR
from tests.simulation.life import Life

SEEDS_THAT_FAILED_ONCE: list[int] = []


@pytest.mark.parametrize("seed", sorted({*SEEDS_THAT_FAILED_ONCE, *range(200 * FACTOR)}))
def test_the_guarantee_holds_in_every_life(seed: int) -> None:
    Life(seed).live()
