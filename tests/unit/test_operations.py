"""How the operations view looks at the whole: once for all who ask, and by whole tenths."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingester.dashboard.answer import Operations
from ingester.dashboard.operations import Watch, per_second
from ingester.errors import TemporaryError
from ingester.settings import Settings

NOW = datetime(2026, 3, 1, 12, 0, 37, tzinfo=UTC)


def test_a_failed_look_is_told_to_all_who_waited_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def fail(_: Watch) -> None:
        looks.append(1)
        raise TemporaryError("away")

    monkeypatch.setattr(Watch, "_look", fail)

    async def live() -> None:
        watch = Watch(Settings())
        told = await asyncio.gather(*(watch.look() for _ in range(20)), return_exceptions=True)
        assert [type(each) for each in told] == [TemporaryError] * 20

    asyncio.run(live())
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("took_seconds", "looked_at"),
    [
        (0.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),  # every second, until nobody has asked for ten
        (0.5, [0, 5, 10]),  # a tenth of the time at most
        (2.0, [0]),
    ],
)
def test_looks_go_on_while_pages_ask_and_the_longer_one_takes_the_fewer_there_are(
    monkeypatch: pytest.MonkeyPatch, took_seconds: float, looked_at: list[float]
) -> None:
    clock = [0.0]
    looks: list[float] = []
    nothing: dict[str, Any] = {}
    seen = Operations.model_construct(**nothing)
    let_others = asyncio.sleep

    def look(_: Watch) -> Operations:
        looks.append(clock[0])
        clock[0] += took_seconds
        return seen

    async def pass_time(seconds: float) -> None:
        clock[0] += seconds
        await let_others(0)

    monkeypatch.setattr(Watch, "_look", look)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(asyncio, "sleep", pass_time)

    async def live() -> None:
        watch = Watch(Settings())
        assert await watch.look() is seen
        while asyncio.all_tasks() != {asyncio.current_task()}:
            await let_others(0)
        assert looks == looked_at
        clock[0] = 100.0
        assert await watch.look() is seen
        assert looks[len(looked_at)] == 100.0, "nobody had looked for so long: a new look"

    asyncio.run(live())


def test_the_rate_is_that_of_the_last_whole_minute() -> None:
    def tenth(seconds_ago: int, records: int) -> dict[str, object]:
        return {"since": NOW - timedelta(seconds=seconds_ago), "records": records}

    # 12:00:30 is under way; 11:59:30 to 12:00:20 are the six whole ones.
    rate = [tenth(77, 7_000), tenth(67, 60), tenth(37, 600), tenth(17, 6), tenth(7, 90_000)]
    assert per_second(rate, NOW) == pytest.approx(11.1)
    assert per_second([], NOW) == 0
