"""Who is let in, and what every answer carries."""

import http.client
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

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
    assert "SameSite=lax" in cookie  # a link in a mail opens what it names
    assert "Secure" not in cookie  # nobody came through TLS
    assert TOKEN not in cookie
    session = cookie.partition(";")[0]
    assert closed.ask("/api/campaigns", headers={"Cookie": session}).code == 200
    later = session.replace("=1", "=2", 1)  # a later end, under the same seal
    assert closed.ask("/api/campaigns", headers={"Cookie": later}).code == 401


def test_after_the_login_that_is_shown_which_was_asked_for(closed: Dashboard) -> None:
    address = "/campaign?id=a%26b%3D%C3%9F&range=7"
    sent = closed.ask(address, headers={"Accept": "text/html"}).headers["location"]
    assert parse_qs(urlsplit(sent).query) == {"next": [address]}
    assert closed.ask(sent).code == 200
    assert log_in(closed, TOKEN, sent).headers["location"] == address


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "\t//evil.example", "//[", "",
     "evil.example", "javascript:alert(1)", "/login", "/api/campaigns", "/campaign/../../x"],
)  # fmt: skip
def test_the_login_sends_nobody_elsewhere(closed: Dashboard, elsewhere: str) -> None:
    entered = log_in(closed, TOKEN, f"/login?{urlencode({'next': elsewhere})}")
    assert (entered.code, entered.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    ("peer", "scheme", "is_secure"),
    [("127.0.0.2", "https", True), ("127.0.0.2", "http", False), ("127.0.0.1", "https", False)],
)
def test_behind_tls_the_cookie_never_travels_in_plain_text(
    closed: Dashboard, peer: str, scheme: str, is_secure: bool
) -> None:
    connection = http.client.HTTPConnection(
        "127.0.0.1", urlsplit(closed.url).port, timeout=60, source_address=(peer, 0)
    )
    connection.request(
        "POST", "/login", urlencode({"token": TOKEN}), {**FORM, "X-Forwarded-Proto": scheme}
    )
    cookie = connection.getresponse().getheader("set-cookie") or ""
    connection.close()
    assert cookie.startswith("ingester_session=")
    assert ("Secure" in cookie) == is_secure


def test_a_shared_link_and_an_ended_session_lead_back_through_the_login(
    closed: Dashboard, page: Page
) -> None:
    def log_in_with(token: str) -> None:
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()

    # Without news the page asks nothing by itself: it is the click that finds the session ended.
    page.route("**/api/live", lambda route: route.abort())
    page.goto(f"{closed.url}/campaign?id=alpha&range=all")
    log_in_with("wrong")
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    log_in_with(TOKEN)
    expect(page.locator("h1")).to_have_text("alpha")
    expect(page.locator("main")).to_have_attribute("data-loaded", "campaign")
    page.context.clear_cookies()
    page.get_by_role("link", name="Week", exact=True).click()
    log_in_with(TOKEN)
    expect(page.get_by_role("heading", name="Sent by week")).to_be_visible()
    expect(page).to_have_url(f"{closed.url}/campaign?id=alpha&range=all&by=week")


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


def log_in(dashboard: Dashboard, token: str, address: str = "/login") -> Reply:
    return dashboard.ask(address, headers=FORM, body=urlencode({"token": token}))
