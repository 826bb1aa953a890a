"""Each planted bug is found, and by the sentence that it breaks: the simulation can fail."""

import pytest

from tests.simulation.guarantee import Broken
from tests.simulation.life import Life
from tests.simulation.planted import BUGS, CRASHES, Bug

SEEDS = 40
"""The rarest is found by one seed in three; all are drawn from seeds, so this never wavers."""


def found(bug: Bug) -> int | None:
    """The sentence that it breaks in the first life that goes wrong."""
    with bug.planted():
        for seed in range(SEEDS):
            try:
                Life(seed).live()
            except Broken as broken:
                return broken.sentence
            except ValueError:  # the batch refuses records that it has
                return CRASHES
    return None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    assert found(bug) in bug.sentences


def test_nothing_stays_planted() -> None:
    for bug in BUGS:
        before = getattr(bug.owner, bug.method)
        with bug.planted():
            assert getattr(bug.owner, bug.method) is not before
        assert getattr(bug.owner, bug.method) is before
