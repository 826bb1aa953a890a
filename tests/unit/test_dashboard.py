"""What the dashboard decides by itself: which answers are shared, which range came before, CSV."""

import asyncio
import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from ingester import dashboard
from ingester.dashboard import live as stream
from ingester.dashboard.live import QUIET_SECONDS, Hub
from ingester.dashboard.question import Range
from ingester.dashboard.shared import Shared
from ingester.dashboard.spreadsheet import as_csv

VENDORED: Final = Path(dashboard.__path__[0]) / "static" / "vendor" / "uplot"
UPLOT: Final = (VENDORED / "README.md").read_text(encoding="utf-8")


class Repository:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, campaign: str) -> str:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self.is_broken:
            raise RuntimeError("away")
        return f"{campaign} {number}"


def test_between_two_refreshes_the_same_question_is_asked_once() -> None:
    async def live() -> None:
        shared, repository = Shared(), Repository()
        await shared.renew()
        both = await asyncio.gather(*(shared.ask(repository.read, "a") for _ in range(50)))
        assert set(both) == {"a 1"}
        assert await shared.ask(repository.read, "b") == "b 2"
        # What was asked lately is ready when the pages are told of a refresh.
        await shared.renew()
        assert repository.asked == 4
        assert await shared.ask(repository.read, "a") == "a 3"
        # While nobody listens, nobody knows how long an answer stays true.
        shared.forget()
        assert await shared.ask(repository.read, "a") == "a 5"
        assert await shared.ask(repository.read, "a") == "a 6"

    asyncio.run(live())


def test_while_a_refresh_is_read_the_answer_before_it_is_told_and_a_new_question_waits() -> None:
    async def live() -> None:
        shared, repository = Shared(), Repository()
        await shared.renew()
        assert await shared.ask(repository.read, "a") == "a 1"
        repository.gate.clear()
        renewal = asyncio.ensure_future(shared.renew())
        await asyncio.sleep(0)
        assert await shared.ask(repository.read, "a") == "a 1"
        other = asyncio.ensure_future(shared.ask(repository.read, "b"))
        await asyncio.sleep(0)
        repository.gate.set()
        await renewal
        assert await shared.ask(repository.read, "a") == "a 2"
        assert await other == await shared.ask(repository.read, "b") == "b 3"

    asyncio.run(live())


def test_a_refresh_that_takes_long_to_read_is_waited_for_by_who_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingester.dashboard.shared.RENEWAL_SECONDS_MAX", 0.01)

    async def live() -> None:
        shared, repository = Shared(), Repository()
        await shared.renew()
        assert await shared.ask(repository.read, "a") == "a 1"
        repository.gate.clear()
        await shared.renew()
        asked = asyncio.ensure_future(shared.ask(repository.read, "a"))
        await asyncio.sleep(0)
        assert not asked.done()
        repository.gate.set()
        assert await asked == "a 2"

    asyncio.run(live())


def test_what_nobody_asks_any_more_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingester.dashboard.shared.KEPT_SECONDS", 0.0)

    async def live() -> None:
        shared, repository = Shared(), Repository()
        await shared.renew()
        await shared.ask(repository.read, "a")
        await shared.renew()
        assert repository.asked == 1

    asyncio.run(live())


def test_pages_are_told_of_a_refresh_once_its_answers_are_there() -> None:
    async def live() -> None:
        shared, repository = Shared(), Repository()
        hub = Hub(1, shared)
        running = asyncio.ensure_future(hub.run())
        events = hub.events(hub.enter())
        assert (await anext(events)).startswith("retry")
        assert "event: lost" in await anext(events)
        hub.tell("refresh")
        assert "event: refresh" in await anext(events)
        assert await shared.ask(repository.read, "a") == "a 1"
        repository.gate.clear()
        hub.tell("refresh")
        told = asyncio.ensure_future(anext(events))
        await asyncio.sleep(QUIET_SECONDS + 0.1)
        assert not told.done()
        repository.gate.set()
        assert "event: refresh" in await told
        assert await shared.ask(repository.read, "a") == "a 2"
        running.cancel()

    asyncio.run(live())


def test_a_failure_and_one_who_goes_away_spoil_nothing_for_others() -> None:
    async def live() -> None:
        shared, repository = Shared(), Repository()
        await shared.renew()
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


def test_a_quiet_stream_beats_so_that_a_page_knows_that_it_does_not_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.001)
    monkeypatch.setattr(stream, "QUIET_SECONDS", 0.0)

    async def listen() -> list[str]:
        hub = Hub(1, Shared())
        told = hub.events(hub.enter())
        return [await anext(told) for _ in range(4)]

    said = asyncio.run(listen())
    assert said == [
        "retry: 1000\n",
        "event: lost\ndata: {}\n\n",
        *["event: beat\ndata: {}\n\n"] * 2,
    ]


@pytest.mark.parametrize(
    "line", re.findall(r"^\| `dist/(.+)` \| `(\w{64})` \|$", UPLOT, flags=re.MULTILINE)
)
def test_the_charts_library_is_the_one_that_was_taken(line: tuple[str, str]) -> None:
    name, digest = line
    assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest


def test_nothing_but_what_is_noted_was_taken_along() -> None:
    noted = set(re.findall(r"`dist/(.+?)`", UPLOT))
    assert {file.name for file in VENDORED.iterdir()} == {"LICENSE", "README.md", *noted}
    assert len(noted) == 2


def test_no_cell_is_a_formula() -> None:
    cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", 'a,"b"', "plain"]
    text = as_csv(["id", "sent"], [{"id": cell, "sent": -3} for cell in cells])
    assert text.splitlines() == [
        *("id,sent", "'=1+1,-3", "'+1,-3", "'-1,-3", "'@SUM(A1),-3", "'\tx,-3"),
        *('"a,""b""",-3', "plain,-3"),
    ]
