"""Puts the parts together: pages, API, live events, access; and errors as answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

from ingester.dashboard import campaigns, live, operations
from ingester.dashboard.access import COOKIE, SESSION_SECONDS, Access, Gate
from ingester.dashboard.live import Hub
from ingester.dashboard.operations import Watch
from ingester.dashboard.shared import Shared
from ingester.errors import IngesterError, TemporaryError, UsageError
from ingester.repository import AsyncPostgresRepository, LegacyColumns
from ingester.settings import Settings
from ingester.store.listening import RefreshListener

log = structlog.get_logger(__name__)

_STATIC: Final = Path(__file__).with_name("static")
_PAGES: Final = ("/", "/campaign", "/operations")
_FORM_BYTES_MAX: Final = 4096


def create_app(settings: Settings, gate: Gate, legacy: LegacyColumns) -> FastAPI:
    """The ASGI application; it connects when it is started."""
    app = FastAPI(
        title="Campaign statistics",
        version=version("campaign-event-ingester"),
        description="Reads what `get_campaign_stats` and the views say; writes nothing.",
        openapi_url="/api/openapi.json",
        # Both would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.gate = gate
    app.state.legacy = legacy
    api = APIRouter(prefix="/api", responses={503: {"description": "The database is away or busy"}})
    for part in (campaigns, operations, live):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(_pages())
    app.mount("/static", _Static(directory=_STATIC))
    app.add_exception_handler(IngesterError, _as_answer)
    app.add_middleware(Access, gate=gate)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    app.state.shared = shared = Shared()
    app.state.hub = hub = Hub(settings.ingester_dashboard_live_max, shared)
    async with await AsyncPostgresRepository.connect(
        settings,
        connections_max=settings.ingester_dashboard_connections_max,
        statement_seconds_max=settings.ingester_dashboard_statement_seconds_max,
        reads_only=True,
    ) as repository:
        app.state.repository = repository
        app.state.watch = Watch(settings)
        listener = RefreshListener(settings, lambda: hub.tell("refresh"), lambda: hub.tell("lost"))
        listener.start()
        telling = asyncio.ensure_future(hub.run())
        try:
            yield
        finally:
            listener.stop()
            telling.cancel()


class _Static(StaticFiles):
    """Asked again each time (it costs a 304), so that an upgrade is seen at once."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _as_answer(request: Request, error: Exception) -> JSONResponse:
    """Our errors by what the caller can do about them; the words are ours and name no secret."""
    if isinstance(error, UsageError):
        return JSONResponse({"detail": str(error)}, 422)
    if isinstance(error, TemporaryError):
        log.warning("not_answered", path=request.url.path, detail=str(error))
        again = {"Retry-After": "2"}
        return JSONResponse(
            {"detail": "the database is away, or needed too long: narrow the range, or try again"},
            503,
            again,
        )
    log.error("not_answered", path=request.url.path, detail=str(error))
    return JSONResponse({"detail": "that went wrong here, and will again: see the log"}, 500)


def _pages() -> APIRouter:
    """The page itself, whichever view its address names; the login; a sign of life."""
    router = APIRouter(include_in_schema=False)

    def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    for path in _PAGES:
        router.add_api_route(path, page, methods=["GET", "HEAD"])

    @router.get("/livez")
    async def livez() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @router.get("/login")
    async def login() -> FileResponse:
        return FileResponse(_STATIC / "login.html")

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        gate: Gate = request.app.state.gate
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _FORM_BYTES_MAX:
                return PlainTextResponse("too long\n", 413)
        given = parse_qs(body.decode(errors="replace")).get("token", [""])[0]
        cookie = gate.session(given.strip())
        if cookie is None:
            return FileResponse(_STATIC / "login-failed.html", 401)
        answer = RedirectResponse(_own(request.query_params.get("next", "/")), 303)
        answer.set_cookie(
            COOKIE,
            cookie,
            SESSION_SECONDS,
            httponly=True,
            # A link from elsewhere opens what it names; nothing but this login is ever posted.
            samesite="lax",
            secure=gate.is_encrypted(request),
        )
        return answer

    return router


def _own(address: str) -> str:
    """The address, where it is one of our pages; else the first of them: nobody is sent away."""
    return address if address.partition("?")[0] in _PAGES else "/"
