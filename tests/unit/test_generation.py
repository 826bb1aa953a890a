"""The generated legacy table, as far as it is pure: exact figures, believable lives, repeatable."""

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.generation.figures import Figures
from replay.generation.lives import SPAN_DAYS, Life, lives
from replay.generation.shares import apportion, sample
from replay.generation.values import ActiveDay, active_days

UNTIL = date(2026, 11, 24)
WEIGHTS = st.lists(st.floats(0.01, 1_000), min_size=1, max_size=50)


def made(scale: float, seed: int = 1) -> tuple[Figures, list[Life], list[ActiveDay]]:
    """The parts of a table."""
    figures, random = Figures.scaled(scale), Random(seed)
    campaigns = lives(figures, random)
    return figures, campaigns, active_days(figures, campaigns, UNTIL, random)


@given(st.integers(0, 10**7), WEIGHTS)
def test_shares_add_up_to_the_total_and_none_is_negative(total: int, weights: list[float]) -> None:
    shares = apportion(total, weights)
    assert sum(shares) == total
    assert min(shares) >= 0
    assert sum(apportion(total + len(weights), weights, at_least=1)) == total + len(weights)


@given(WEIGHTS, st.data())
def test_a_sample_has_its_exact_size_and_repeats_nothing(
    weights: list[float], data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, len(weights)))
    chosen = sample(Random(1), range(len(weights)), weights, size)
    assert len(set(chosen)) == len(chosen) == size


def test_the_whole_has_the_published_figures() -> None:
    whole = Figures()
    assert whole.zero_rows == 2_426_100
    assert Figures.scaled(1.0) == whole


@pytest.mark.parametrize("scale", [1.0, 0.01, 0.001])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_figure_is_met_exactly(scale: float, seed: int) -> None:
    figures, campaigns, days = made(scale, seed)
    assert len(campaigns) == figures.campaigns
    assert sum(life.age_days for life in campaigns) == figures.rows
    headline = [[day.sent, day.opened, day.replied, day.positive_replies] for day in days]
    assert sum(any(values) for values in headline) == figures.headline_rows
    assert sum(not any(values) for values in headline) == figures.clicks_only_rows
    assert sum(bool(value) for values in headline for value in values) == figures.headline_values
    assert [sum(column) for column in zip(*headline, strict=True)] == [
        figures.sent,
        figures.opened,
        figures.replied,
        figures.positive_replies,
    ]


def test_a_campaign_has_one_row_a_day_within_its_life() -> None:
    _, campaigns, days = made(0.05)
    ages = {life.number: life.age_days for life in campaigns}
    assert len({day.key for day in days}) == len(days)
    assert max(ages.values()) <= SPAN_DAYS
    for day in days:
        assert UNTIL - timedelta(days=ages[day.campaign]) <= day.stat_date < UNTIL


def test_a_positive_reply_is_a_reply() -> None:
    _, _, days = made(1.0)
    assert all(day.positive_replies <= day.replied for day in days)


def test_every_month_of_the_history_has_something_in_it() -> None:
    _, _, days = made(1.0)
    months = {(day.stat_date.year, day.stat_date.month) for day in days}
    assert len(months) == 33


def test_a_seed_makes_the_same_table_again_and_another_seed_another() -> None:
    assert made(0.01) == made(0.01)
    assert made(0.01, seed=1) != made(0.01, seed=2)
