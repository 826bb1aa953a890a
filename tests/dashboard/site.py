"""A running dashboard with everything behind it, and a plain HTTP client to ask it with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.acceptance.ingester import Ingester
from tests.acceptance.process import Running
from tests.sql.history import History

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Dashboard:
    """One `ingester dashboard` process."""

    def __init__(self, ingester: Ingester, *arguments: str, **settings: str) -> None:
        self._ingester, self._settings = ingester, settings
        self.running = self._start("--port", "0", *arguments)
        url = self.running.until("dashboard_served", START_SECONDS)["url"]
        self.url = str(url).rstrip("/").replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        self._address = urlsplit(self.url)

    def start_again(self) -> None:
        """On the same port, after it has ended."""
        self.running = self._start("--port", str(self._address.port))
        self.running.until("dashboard_served", START_SECONDS)

    def ask(
        self,
        path: str,
        parameters: Mapping[str, object] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        method: str | None = None,
        seconds: float = 60.0,
    ) -> Reply:
        """GET, or POST where there is a body, or `method`; redirects are not followed."""
        query = urlencode(
            {name: value for name, value in (parameters or {}).items() if value is not None},
            doseq=True,
        )
        connection = HTTPConnection(
            str(self._address.hostname), self._address.port, timeout=seconds
        )
        try:
            connection.request(
                method or ("GET" if body is None else "POST"),
                f"{path}?{query}" if query else path,
                body,
                dict(headers or {}),
            )
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def _start(self, *arguments: str) -> Running:
        return self._ingester.start("dashboard", *arguments, settings=self._settings)


@dataclass(frozen=True, slots=True)
class Site:
    """A dashboard that reads as `ingester_reader`; ingester and refresher work behind it."""

    dashboard: Dashboard
    ingester: Ingester
    history: History
    reader_url: str
