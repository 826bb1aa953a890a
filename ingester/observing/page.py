"""/metrics for Prometheus, /livez and /readyz for whoever starts and restarts the process.

The standard library's server on threads of its own: a scrape never touches the main loop. It must
not know how a figure comes about.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Self

import structlog

from ingester.errors import SettingsError
from ingester.observing.health import Health
from ingester.observing.meter import Figures
from ingester.settings import Settings

log = structlog.get_logger(__name__)


class Page:
    """Serves while the block runs; with INGESTER_METRICS_PORT unset, nothing happens."""

    def __init__(self, settings: Settings, figures: Figures, health: Health) -> None:
        self._server: ThreadingHTTPServer | None = None
        if settings.ingester_metrics_port is None:
            return
        address = (settings.ingester_metrics_host, settings.ingester_metrics_port)
        handler = type("Handler", (_Handler,), {"figures": figures, "health": health})
        try:
            self._server = ThreadingHTTPServer(address, handler)
        except OSError as error:
            raise SettingsError(
                f"INGESTER_METRICS_PORT: cannot listen on {address[0]}:{address[1]}: "
                f"{error.strerror}"
            ) from None
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        if self._server is not None:
            threading.Thread(target=self._server.serve_forever, daemon=True, name="metrics").start()
            log.info("metrics_served", port=self._server.server_address[1])
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    figures: ClassVar[Figures]
    health: ClassVar[Health]
    timeout = 10.0  # a client that says nothing does not hold a thread for ever

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            kind = "text/plain; version=0.0.4; charset=utf-8"
            self._answer(200, kind, self.figures.text())
        elif path == "/livez":
            self._judge(self.health.not_alive)
        elif path == "/readyz":
            self._judge(self.health.not_ready)
        else:
            self._answer(404, "text/plain", b"/metrics, /livez, /readyz\n")

    def _judge(self, reasons_of: Callable[..., list[str]]) -> None:
        reasons = reasons_of(self.figures.samples(), time.time())
        body = json.dumps({"ok": not reasons, "reasons": reasons}) + "\n"
        self._answer(503 if reasons else 200, "application/json", body.encode())

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "ingester"  # neither Python's nor our version is anybody's business

    def log_message(self, *_: object) -> None:
        """Say nothing: scrapes are no news."""
