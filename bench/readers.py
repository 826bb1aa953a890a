"""Dashboards that ask all the time, and what each question took."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any, Final

from bench.database import Database
from bench.history import UNTIL, History
from bench.report import Spread

QUESTIONS: Final = {
    "read_function_days": "get_campaign_stats: one campaign, 90 days by day",
    "read_function_months": "get_campaign_stats: all campaigns by month, two years",
    "read_view_days": "campaign_daily_stats: one campaign, 90 days",
    "read_view_top": "campaign_monthly_stats: top 20 of the month",
}
_TURN: Final = (
    *("read_function_days", "read_view_days") * 4,
    "read_view_top",
    "read_function_months",
)
"""What a dashboard asks in turn: one in ten is about everything."""
_THINK_SECONDS: Final = 0.05
_THINK_SECONDS_ALONE: Final = 0.005
"""One reader gives few answers: a p99 takes hundreds."""

Times = dict[str, Spread]
"""Seconds of each answer, all rows received, by question."""


@contextlib.contextmanager
def reading(database: Database, history: History, readers: int) -> Iterator[Times]:
    """So many dashboards ask while the block runs; what they took is there when it ends.

    Each has a connection of its own and asks again 0.05 s after an answer, one alone after 0.005 s.
    Raises what one of them has met.
    """
    think_seconds = _THINK_SECONDS if readers > 1 else _THINK_SECONDS_ALONE
    found: defaultdict[str, list[float]] = defaultdict(list)
    failures: list[Exception] = []
    stopping = threading.Event()

    def dashboard(number: int) -> None:
        try:
            random = Random(number)  # noqa: S311 - repeatable
            _ask(database, history, random, think_seconds, stopping, found)
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=dashboard, args=(number,)) for number in range(readers)]
    times: Times = {}
    for thread in threads:
        thread.start()
    try:
        yield times
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    times |= {name: Spread.of(seconds) for name, seconds in found.items()}


def parameters(history: History, random: Random) -> dict[str, Any]:
    """What the questions are about: a campaign that is alive, and ranges up to now."""
    until = UNTIL.date()
    return {
        "campaign": f"campaign-{random.choice(history.alive(until)):06}",
        "until": until,
        "ninety_days_ago": until - timedelta(days=89),
        "two_years_ago": until.replace(year=until.year - 2, day=1),
    }


def _ask(
    database: Database,
    history: History,
    random: Random,
    think_seconds: float,
    stopping: threading.Event,
    found: defaultdict[str, list[float]],
) -> None:
    with database.reader() as ask:
        for name in QUESTIONS:
            ask(name, **parameters(history, random))  # plans and caches are warm afterwards
        turn = random.randrange(len(_TURN))
        while not stopping.is_set():
            name, turn = _TURN[turn % len(_TURN)], turn + 1
            asked = parameters(history, random)
            began = time.perf_counter()
            ask(name, **asked)
            found[name].append(time.perf_counter() - began)
            stopping.wait(think_seconds * random.uniform(0.5, 1.5))
