"""How the operations view looks at the whole: once for all who ask, and by whole tenths."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

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


def test_the_longer_a_look_takes_the_longer_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    looks = []

    def look(_: Watch) -> str:
        looks.append(clock[0])
        clock[0] += 2.0
        return "seen"

    monkeypatch.setattr(Watch, "_look", look)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    async def live() -> None:
        watch = Watch(Settings())
        for second in (0, 5, 19, 21, 22):
            clock[0] = max(clock[0], second)
            await watch.look()

    asyncio.run(live())
    assert looks == [0, 21]


def test_the_rate_is_that_of_the_last_whole_minute() -> None:
    def tenth(seconds_ago: int, records: int) -> dict[str, object]:
        return {"since": NOW - timedelta(seconds=seconds_ago), "records": records}

    # 12:00:30 is under way; 11:59:30 to 12:00:20 are the six whole ones.
    rate = [tenth(77, 7_000), tenth(67, 60), tenth(37, 600), tenth(17, 6), tenth(7, 90_000)]
    assert per_second(rate, NOW) == pytest.approx(11.1)
    assert per_second([], NOW) == 0
