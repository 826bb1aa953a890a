"""Refreshes as server-sent events: what LISTEN hears goes to every page that is open.

Pages are told that something changed, never what: each asks again for what it shows, and finds
that answer ready (`shared`). Several refreshes within `QUIET_SECONDS` are one, so that a refresher
that catches up floods nobody.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ingester.dashboard.shared import Shared

QUIET_SECONDS: Final = 0.25
HEARTBEAT_SECONDS: Final = 15.0
"""A beat that often: proxies keep the connection, dead ones are found, and a page that hears none
knows that it hangs (a comment would not reach it)."""

router = APIRouter()


class Hub:
    """The open pages. Belongs to the event loop it is made in; `tell` may come from any thread."""

    def __init__(self, pages_max: int, shared: Shared) -> None:
        self._loop = asyncio.get_running_loop()
        self._shared = shared
        self._heard = "lost"
        self._has_news = asyncio.Event()
        self._pages: set[asyncio.Event] = set()
        self._pages_max = pages_max
        self._state = "lost"
        self._is_closed = False

    def tell(self, state: str) -> None:
        """`refresh`: there are new statistics; `lost`: the database does not answer."""
        self._loop.call_soon_threadsafe(self._hear, state)

    async def run(self) -> None:
        """Pass on what is heard, until cancelled; of what comes meanwhile the last counts."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            state = self._heard
            if state == "refresh":
                await self._shared.renew()
            else:
                self._shared.forget()
            self._spread(state)

    def close(self) -> None:
        """Let every page go, so that the server can leave; from the loop's own thread."""
        self._is_closed = True
        self._spread(self._state)

    def enter(self) -> asyncio.Event:
        """One page more; raises 503 where there are too many. `leave` with what is returned."""
        if len(self._pages) >= self._pages_max:
            raise HTTPException(
                503,
                f"{self._pages_max} pages are open already (INGESTER_DASHBOARD_LIVE_MAX)",
                headers={"Retry-After": "10"},
            )
        changed = asyncio.Event()
        changed.set()
        self._pages.add(changed)
        return changed

    def leave(self, changed: asyncio.Event) -> None:
        """The page has gone."""
        self._pages.discard(changed)

    async def events(self, changed: asyncio.Event) -> AsyncIterator[str]:
        """The stream of one page: the state now, then every change of it."""
        yield "retry: 1000\n"
        while not self._is_closed:
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield "event: beat\ndata: {}\n\n"
                continue
            changed.clear()
            yield f"event: {self._state}\ndata: {{}}\n\n"
            await asyncio.sleep(QUIET_SECONDS)

    def _hear(self, state: str) -> None:
        self._heard = state
        self._has_news.set()

    def _spread(self, state: str) -> None:
        self._state = state
        for changed in self._pages:
            changed.set()


class _Live(StreamingResponse):
    """Frees the page's place however the connection ends, also before the first byte."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._changed = hub.enter()
        super().__init__(
            hub.events(self._changed),
            media_type="text/event-stream",
            # Nginx holds streams back unless told otherwise.
            headers={"X-Accel-Buffering": "no"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(self._changed)


@router.get("/live", response_class=StreamingResponse, responses={503: {"description": "Full"}})
async def live(request: Request) -> StreamingResponse:
    """Server-sent events.

    `refresh` when the statistics changed, `lost` while nobody would know, `beat` every 15 seconds.
    """
    return _Live(request.app.state.hub)
