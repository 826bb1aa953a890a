"""Listens, serves until SIGTERM or SIGINT, and leaves in time."""

import signal
import socket
from types import FrameType
from typing import Final, NoReturn

import structlog
import uvicorn
from fastapi import FastAPI

from ingester.dashboard.access import Gate
from ingester.dashboard.app import create_app
from ingester.errors import SettingsError, TemporaryError
from ingester.repository import LegacyColumns
from ingester.settings import Settings, is_loopback
from ingester.store.connection import connect
from ingester.store.statements import statement

log = structlog.get_logger(__name__)

_STOP_SECONDS_MAX: Final = 3


def serve(settings: Settings, legacy: LegacyColumns) -> None:
    """Serve until told to stop; `legacy` is how the old table calls its columns.

    Raises what keeps it from the database, SettingsError where it cannot listen, TemporaryError
    where the database went away while it started.
    """
    _look_at_login(settings)
    host, port = settings.ingester_dashboard_host, settings.ingester_dashboard_port
    listening = _listen(host, port)
    app = create_app(settings, Gate(settings), legacy)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the peer is who connects, not who a header says
        lifespan="on",
        timeout_graceful_shutdown=_STOP_SECONDS_MAX,
    )
    shown = f"[{host}]" if ":" in host else host
    log.info("dashboard_served", url=f"http://{shown}:{listening.getsockname()[1]}/")
    if not is_loopback(host):
        log.warning(
            "dashboard_in_plain_text", detail="put a reverse proxy with TLS before this port"
        )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    server = _Server(config, app)
    server.run(sockets=[listening])
    if not server.started:
        raise TemporaryError("the dashboard did not start; the lines above say why")


def _leave(*_: object) -> NoReturn:
    """Uvicorn raises the signal again once it has served the last answer: that is a good end."""
    raise SystemExit(0)


class _Server(uvicorn.Server):
    """Lets the open pages go when it is told to stop: a stream of events never ends by itself."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Uvicorn's hook for signals."""
        super().handle_exit(sig, frame)
        hub = getattr(self._app.state, "hub", None)
        if hub is not None:
            hub.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        # With its protocol: asyncio switches Nagle's algorithm off only where it is told to be TCP,
        # and with it each answer but the first of a connection waits 40 ms for an acknowledgement.
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        raise SettingsError(
            f"INGESTER_DASHBOARD_PORT: cannot listen on {host}:{port}: {error.strerror}"
        ) from None
    return listening


def _look_at_login(settings: Settings) -> None:
    """A refused login or a missing schema is told at once, a login that may too much as well."""
    with connect(settings, "ingester-dashboard", reads_only=True) as connection:
        row = connection.execute(statement("login_may_write")).fetchone()
    if row is not None and row[0]:
        log.warning(
            "dashboard_login_may_write",
            detail="use a login with the role ingester_reader; nothing is written here, but a "
            "reader needs no more",
        )
