"""Who may ask, and the headers of every answer. Knows nothing of what is asked.

Three ways in: the loopback, where nothing else is set; a bearer token, in a header or, for
browsers, in the cookie that the login page sets; a reverse proxy that names the user it let in.
On the loopback without any of them the Host header must be the loopback's too, so that a page from
elsewhere cannot read through a name that it points here (DNS rebinding).
"""

import hashlib
import hmac
import ipaddress
import time
from typing import Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingester.settings import Settings, is_loopback

COOKIE: Final = "ingester_session"
SESSION_SECONDS: Final = 12 * 3600
_OPEN_PATHS: Final = ("/livez", "/login", "/static/style.css")
_HEADERS: Final = {
    # All there is comes from here; nothing inline runs, nothing may frame the page.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Gate:
    """Decides for one request whether it may go on."""

    def __init__(self, settings: Settings) -> None:
        token = settings.ingester_dashboard_token
        self._token = token.get_secret_value() if token else None
        self._header = settings.ingester_dashboard_proxy_header
        self._peers = [
            ipaddress.ip_network(peer.strip())
            for peer in settings.ingester_dashboard_proxy_peers.split(",")
            if peer.strip()
        ]

    @property
    def has_login(self) -> bool:
        """Whether a browser can log in with the token."""
        return self._token is not None

    def refusal(self, request: Request) -> str | None:
        """Why this request is refused; None: it may go on."""
        if self._token is None and self._header is None:
            host = request.url.hostname or ""
            return None if is_loopback(host) else "this is not one of my names"
        if self._is_named_by_proxy(request) or self._has_token(request):
            return None
        return "log in, or send the token: Authorization: Bearer …"

    def session(self, given: str) -> str | None:
        """The cookie for whoever gives the right token, None for others."""
        if self._token is None or not _equal(given, self._token):
            return None
        return self._sealed(int(time.time()) + SESSION_SECONDS)

    def is_encrypted(self, request: Request) -> bool:
        """Whether the browser came through TLS; a proxy's word on it is taken, nobody else's."""
        scheme = request.url.scheme
        if self._is_from_proxy(request):
            scheme = request.headers.get("x-forwarded-proto", scheme)
        return scheme.partition(",")[0].strip().lower() == "https"

    def _has_token(self, request: Request) -> bool:
        if self._token is None:
            return False
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(given.strip(), self._token):
            return True
        cookie = request.cookies.get(COOKIE, "")
        until = cookie.partition(".")[0]
        # The seal first: what it does not cover is not looked at.
        return (
            until.isdecimal()
            and len(until) < len(cookie) <= 100  # noqa: PLR2004 - ours have 75 characters
            and _equal(cookie, self._sealed(int(until)))
            and int(until) > time.time()
        )

    def _sealed(self, until: int) -> str:
        """The cookie holds no secret: a time, and a seal that only the token makes."""
        seal = hmac.digest(
            (self._token or "").encode(), f"session {until}".encode(), hashlib.sha256
        )
        return f"{until}.{seal.hex()}"

    def _is_named_by_proxy(self, request: Request) -> bool:
        if self._header is None or not self._is_from_proxy(request):
            return False
        return bool(request.headers.get(self._header, "").strip())

    def _is_from_proxy(self, request: Request) -> bool:
        try:
            peer = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        return any(peer in network for network in self._peers)


class Access:
    """The middleware: refuses what the gate refuses, and puts the headers on everything."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        refused = None if scope["path"] in _OPEN_PATHS else self._gate.refusal(request)
        answer: ASGIApp = self._app
        if refused is not None:
            answer = self._refused(request, refused)
        await answer(scope, receive, send_with_headers)

    def _refused(self, request: Request, why: str) -> Response:
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
        wants_page = "text/html" in request.headers.get("accept", "")
        if wants_page and not path.startswith("/api") and self._gate.has_login:
            asked = f"{path}?{query}" if query else path
            # What was asked for is shown after the login.
            after = "" if asked == "/" else f"?{urlencode({'next': asked})}"
            return RedirectResponse(f"/login{after}", 303)
        code = 401 if self._gate.has_login else 403
        challenge = {"WWW-Authenticate": "Bearer"} if code == 401 else None  # noqa: PLR2004
        return JSONResponse({"detail": why}, code, challenge)


def _equal(given: str, wanted: str) -> bool:
    """Compared in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), wanted.encode())
