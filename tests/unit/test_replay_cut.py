"""The cut of the replay: chosen once, never in the future."""

from datetime import date

import pytest

from ingester.errors import UsageError
from replay.cut import cut_of

TODAY = date(2026, 11, 24)
STORED = date(2026, 11, 20)


def test_the_first_run_cuts_today_unless_it_is_told_otherwise() -> None:
    assert cut_of(None, None, TODAY) == TODAY
    assert cut_of(STORED, None, TODAY) == STORED


def test_later_runs_keep_the_first_ones_cut() -> None:
    assert cut_of(None, STORED, TODAY) == STORED
    assert cut_of(STORED, STORED, TODAY) == STORED


def test_another_cut_is_refused() -> None:
    with pytest.raises(UsageError, match="was cut at 2026-11-20"):
        cut_of(TODAY, STORED, TODAY)


def test_a_cut_in_the_future_is_refused() -> None:
    with pytest.raises(UsageError, match="future"):
        cut_of(date(2026, 11, 25), None, TODAY)
