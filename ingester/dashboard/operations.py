"""The route that operators need: how the whole stands, looked at once for all who ask."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request

from ingester.dashboard import answer
from ingester.dashboard.lag import Ends
from ingester.settings import Settings
from ingester.standing import standing
from ingester.store.reading import activity, state
from ingester.store.session import Session

_PAUSE_SECONDS: Final = 1.0
"""A look counts all rejects: however many pages are open, it is taken once a second at most."""
_REST_MIN: Final = 9.0
"""Times as long as a look took: where there are millions of rejects, a tenth of the time goes."""
_WATCHED_SECONDS: Final = 10.0
"""So long after somebody asked looks go on: an open page asks every three seconds."""
_MINUTE: Final = timedelta(minutes=1)

router = APIRouter()


class Watch:
    """Takes the looks, one after the other, on one connection, while pages are open.

    So that nobody waits for one but the first who asks.
    """

    def __init__(self, settings: Settings) -> None:
        limit = settings.ingester_dashboard_statement_seconds_max
        limited = settings.model_copy(update={"ingester_statement_seconds_max": limit})
        self._topic = settings.kafka_topic
        self._session = Session(limited, "ingester-dashboard-operations", reads_only=True)
        self._ends = Ends(settings)
        self._ends.start()
        self._asked_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._has_looked = asyncio.Event()
        self._last: answer.Operations | Exception | None = None

    async def look(self) -> answer.Operations:
        """What was seen, or what went wrong, a moment ago."""
        self._asked_at = time.monotonic()
        if self._looking is None or self._looking.done():
            self._has_looked.clear()
            self._looking = asyncio.ensure_future(self._keep_looking())
        await self._has_looked.wait()
        if not isinstance(self._last, answer.Operations):
            raise (self._last or RuntimeError("no look was taken")).with_traceback(None)
        return self._last

    async def _keep_looking(self) -> None:
        while time.monotonic() - self._asked_at <= _WATCHED_SECONDS:
            began = time.monotonic()
            try:
                self._last = await asyncio.to_thread(self._look)
            except Exception as error:  # noqa: BLE001 - raised by whoever asks
                self._last = error
            self._has_looked.set()
            took_seconds = time.monotonic() - began
            await asyncio.sleep(max(_PAUSE_SECONDS, _REST_MIN * took_seconds))

    def _look(self) -> answer.Operations:
        with self._session.use("looking at the whole") as connection:
            known = state(connection)
            active = activity(connection)
        now = datetime.now(UTC)
        ours = [row["partition"] for row in known["partitions"] if row["topic"] == self._topic]
        report = standing(known, self._topic, self._ends.of(ours), now)
        return answer.Operations(
            at=now,
            records_per_second=per_second(active["rate"], now),
            lag_problem=self._ends.problem,
            **report,
            **active,
        )


def per_second(rate: list[dict[str, Any]], now: datetime) -> float:
    """Over the last minute of whole tenths: the one under way would pull the number down."""
    step = timedelta(seconds=10)
    end = datetime.fromtimestamp(now.timestamp() // 10 * 10, UTC)
    whole = (row for row in rate if end - _MINUTE <= row["since"] <= end - step)
    records: int = sum(row["records"] for row in whole)
    return round(records / _MINUTE.total_seconds(), 1)


@router.get("/operations")
async def operations(request: Request) -> answer.Operations:
    """Ingestion, lag, freshness, months, rejects, storage and migration."""
    watch: Watch = request.app.state.watch
    return await watch.look()
