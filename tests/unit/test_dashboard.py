"""What the dashboard decides by itself: which answers are shared, which range came before, CSV."""

import asyncio
from datetime import date

import pytest

from ingester.dashboard.live import Hub
from ingester.dashboard.question import Range
from ingester.dashboard.shared import Shared
from ingester.dashboard.spreadsheet import as_csv


class Repository:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_broken = False

    async def read(self, campaign: str) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_broken:
            raise RuntimeError("away")
        return f"{campaign} {self.asked}"


def test_between_two_refreshes_the_same_question_is_asked_once() -> None:
    async def live() -> None:
        hub, repository = Hub(1), Repository()
        shared = Shared(hub)
        hub.tell("refresh")
        await asyncio.sleep(0)
        both = await asyncio.gather(*(shared.ask(repository.read, "a") for _ in range(50)))
        assert set(both) == {"a 1"}
        assert await shared.ask(repository.read, "b") == "b 2"
        hub.tell("refresh")
        await asyncio.sleep(0)
        assert await shared.ask(repository.read, "a") == "a 3"
        # While nobody listens, nobody knows how long an answer stays true.
        hub.tell("lost")
        await asyncio.sleep(0)
        assert await shared.ask(repository.read, "a") == "a 4"
        assert await shared.ask(repository.read, "a") == "a 5"

    asyncio.run(live())


def test_a_failure_and_one_who_goes_away_spoil_nothing_for_others() -> None:
    async def live() -> None:
        hub, repository = Hub(1), Repository()
        shared = Shared(hub)
        hub.tell("refresh")
        await asyncio.sleep(0)
        repository.is_broken = True
        with pytest.raises(RuntimeError):
            await shared.ask(repository.read, "a")
        repository.is_broken = False
        impatient = asyncio.ensure_future(shared.ask(repository.read, "a"))
        patient = asyncio.ensure_future(shared.ask(repository.read, "a"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == "a 2"

    asyncio.run(live())


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ("2026-03-01", "2026-03-31", ("2026-01-29", "2026-02-28")),
        ("2026-03-01", "2026-03-01", ("2026-02-28", "2026-02-28")),
        ("1970-01-02", "9999-12-30", None),
        (None, "2026-03-01", None),
    ],
)
def test_the_range_before_is_as_long_and_ends_where_this_one_begins(
    first: str | None, last: str, before: tuple[str, str] | None
) -> None:
    found = Range(date.fromisoformat(first) if first else None, date.fromisoformat(last)).before
    wanted = before and Range(*map(date.fromisoformat, before))
    assert found == wanted


def test_no_cell_is_a_formula() -> None:
    cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", 'a,"b"', "plain"]
    text = as_csv(["id", "sent"], [{"id": cell, "sent": -3} for cell in cells])
    assert text.splitlines() == [
        *("id,sent", "'=1+1,-3", "'+1,-3", "'-1,-3", "'@SUM(A1),-3", "'\tx,-3"),
        *('"a,""b""",-3', "plain,-3"),
    ]
