"""Who is let in, and what every answer carries."""

import http.client
from typing import Final
from urllib.parse import urlencode, urlsplit

import pytest

from tests.dashboard.site import Dashboard, Reply, Site

TOKEN: Final = "correct-horse-battery-staple"  # noqa: S105 - of this test alone
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - what must not be without a token
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
PATHS: Final = ("/", "/operations", "/api/operations", "/api/live", "/api/openapi.json",
                "/static/app.js")  # fmt: skip


@pytest.fixture(scope="module")
def closed(site: Site) -> Dashboard:
    """A dashboard for the whole network, with a token, and a proxy on this machine."""
    return Dashboard(
        site.ingester, "--host", EVERYWHERE,
        DATABASE_URL=site.reader_url,
        INGESTER_DASHBOARD_TOKEN=TOKEN,
        INGESTER_DASHBOARD_PROXY_HEADER="X-Forwarded-User",
        INGESTER_DASHBOARD_PROXY_PEERS="127.0.0.2",
    )  # fmt: skip


def test_without_token_or_proxy_it_does_not_listen_elsewhere(site: Site) -> None:
    refused = site.ingester.run("dashboard", "--host", EVERYWHERE, "--port", "0")
    assert refused.code == 78
    assert "INGESTER_DASHBOARD_TOKEN" in refused.stderr
    guessable = site.ingester.run(
        "dashboard", "--port", "0", settings={"INGESTER_DASHBOARD_TOKEN": "secret"}
    )
    assert guessable.code == 78
    assert "at least 16 characters" in guessable.stderr


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_told(closed: Dashboard, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong-wrong-wrong-wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Cookie": "ingester_session=99999999999.0000"},
        {"Cookie": f"ingester_session={TOKEN}"},
        # Anybody can send the proxy's header; only from the proxy's address is it believed.
        {"X-Forwarded-User": "mallory"},
    ):
        refused = closed.ask(path, headers=headers)
        assert refused.code == 401, headers
        assert refused.headers["www-authenticate"] == "Bearer"
    assert closed.ask("/", headers={"Accept": "text/html"}).headers["location"] == "/login"
    assert closed.ask("/livez").code == 200  # for whoever starts and restarts it


def test_the_token_lets_in_by_header_and_by_login(closed: Dashboard) -> None:
    by_header = closed.ask("/api/campaigns", headers={"Authorization": f"Bearer {TOKEN}"})
    assert by_header.code == 200
    assert log_in(closed, "wrong").code == 401
    assert log_in(closed, "x" * 10_000).code == 413
    entered = log_in(closed, TOKEN)
    assert (entered.code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    session = cookie.partition(";")[0]
    assert closed.ask("/api/campaigns", headers={"Cookie": session}).code == 200
    later = session.replace("=1", "=2", 1)  # a later end, under the same seal
    assert closed.ask("/api/campaigns", headers={"Cookie": later}).code == 401


def test_a_proxy_lets_in_whom_it_names(closed: Dashboard) -> None:
    port = urlsplit(closed.url).port
    for user, code in (("alice", 200), (" ", 401)):
        connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=60, source_address=("127.0.0.2", 0)
        )
        connection.request("GET", "/api/campaigns", headers={"X-Forwarded-User": user})
        assert connection.getresponse().status == code
        connection.close()


def test_where_only_a_proxy_lets_in_others_are_refused_without_a_login(site: Site) -> None:
    dashboard = Dashboard(
        site.ingester, "--host", EVERYWHERE,
        DATABASE_URL=site.reader_url,
        INGESTER_DASHBOARD_PROXY_HEADER="X-Forwarded-User",
        INGESTER_DASHBOARD_PROXY_PEERS="127.0.0.2",
    )  # fmt: skip
    mallory = {"X-Forwarded-User": "mallory", "Accept": "text/html"}
    for path in PATHS:
        refused = dashboard.ask(path, headers=mallory)
        assert refused.code == 403, path
        assert "www-authenticate" not in refused.headers
    assert log_in(dashboard, "").code == 401
    dashboard.running.end()


def test_a_name_that_merely_points_here_is_refused(site: Site) -> None:
    rebound = site.dashboard.ask("/api/campaigns", headers={"Host": "evil.example:80"})
    assert rebound.code == 403
    for host in ("localhost:1234", "127.0.0.1", "[::1]:80"):
        assert site.dashboard.ask("/api/campaigns", headers={"Host": host}).code == 200


@pytest.mark.parametrize("path", [*PATHS[:3], "/static/app.js", "/nothing", "/api/top?limit=0"])
def test_every_answer_carries_the_strict_policy(site: Site, path: str) -> None:
    headers = site.dashboard.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in policy
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"] in {"no-store", "no-cache"}


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/access.py", "/static//etc/passwd"]
)
def test_only_the_page_is_served_as_files(site: Site, path: str) -> None:
    assert site.dashboard.ask(path).code in {404, 405}


def test_it_reads_and_never_writes(site: Site) -> None:
    described = site.dashboard.ask("/api/openapi.json").json
    assert {method for methods in described["paths"].values() for method in methods} == {"get"}
    assert site.dashboard.ask("/api/campaigns", body="").code == 405


def log_in(dashboard: Dashboard, token: str) -> Reply:
    return dashboard.ask("/login", headers=FORM, body=urlencode({"token": token}))
