"""Whatever is asked, by the API's own description or against it: an answer, never a 500."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from tests.dashboard.site import Dashboard, Site

CASES: Final = 300
TOKEN: Final = "correct-horse-battery-staple"  # noqa: S105 - of this test alone
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE")
PATHS: Final = ("/", "/login", "/api/campaign", "/api/operations", "/api/%ff", "/%00",
                "/static/%ff", "/static/app.js", "/livez")  # fmt: skip
HEADERS: Final = ("Accept", "Authorization", "Cookie", "Content-Type", "Host", "Range",
                  "If-None-Match", "If-Modified-Since", "X-Forwarded-For")  # fmt: skip
_HEADER: Final = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"),
            max_size=60),
    st.sampled_from(["bytes=9-1", "bytes=0-,0-,0-", "ingester_session=9.é", "Bearer é",
                     "multipart/form-data; boundary=", "[::1", "*/*;q=x"]),
)  # fmt: skip
_HOSTILE: Final = st.sampled_from(
    ["", " ", "\0", "%00", "' OR 1=1 --", "\ud7ff", "9" * 40, "-1", "NaN", "1e9", "true", "null",
     "0001-01-01", "9999-12-31", "2026-02-30", "infinity", "[]", "{}", "../..", "🦄" * 70]
)  # fmt: skip
_LIKELY: Final = {
    "campaign": st.sampled_from(["alpha", "Beta", "unknown", "ß-delta"]),
    "from": st.dates().map(str),
    "to": st.dates().map(str),
    "day": st.dates().map(str),
    "limit": st.integers(-5, 1_100).map(str),
    "before": st.just("2025-01-01T00:00:00.000000Z_0198c3f2-7a4e-7c55-9d1b-2f6a1c0e9b11"),
}


def _value(parameter: dict[str, Any]) -> st.SearchStrategy[str]:
    schema = str(parameter)
    words = [
        word
        for word in ("hour", "day", "week", "month", "all", "csv", "json", "sent", "replied")
        if word in schema
    ]
    usual = [st.sampled_from(words)] if words else []
    likely = _LIKELY.get(parameter["name"])
    return st.one_of(
        _HOSTILE, st.text(max_size=300), *([likely] * 3 if likely is not None else []), *usual
    )


def answer_of(described: dict[str, Any], path: str) -> Draft202012Validator:
    """Judges an answer by its description."""
    content = described["paths"][path]["get"]["responses"]["200"]["content"]
    schema = content["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": described["components"]})


def test_whatever_is_asked_there_is_no_500(site: Site) -> None:
    described = site.dashboard.ask("/api/openapi.json").json
    operations = {
        path: methods["get"].get("parameters", [])
        for path, methods in described["paths"].items()
        if path != "/api/live"  # never ends
    }
    assert len(operations) >= 8
    answers = {path: answer_of(described, path) for path in operations}
    codes = set()

    @settings(
        max_examples=CASES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(operations)))
        asked = {}
        for parameter in operations[path]:
            if data.draw(st.integers(0, 9)) < (9 if parameter["required"] else 4):
                values = st.lists(_value(parameter), min_size=1, max_size=2)
                asked[parameter["name"]] = [
                    # An address is bytes: half a character cannot be sent at all.
                    value.encode("utf-8", "replace").decode()
                    for value in data.draw(values)
                ]
        reply = site.dashboard.ask(path, asked)
        # 503 only with a time to try again: the database was busy, nobody gave up.
        assert reply.code in {200, 422} or (reply.code == 503 and "retry-after" in reply.headers), (
            path,
            asked,
            reply.text,
        )
        codes.add(reply.code)
        if reply.code != 200:
            assert reply.json["detail"]
        elif reply.headers["content-type"] == "application/json":
            answers[path].validate(reply.json)

    ask()
    assert {200, 422} <= codes


@pytest.fixture(scope="module")
def closed(site: Site) -> Iterator[Dashboard]:
    """One that asks for a token: whatever it is sent, it has to judge."""
    dashboard = Dashboard(
        site.ingester, DATABASE_URL=site.reader_url, INGESTER_DASHBOARD_TOKEN=TOKEN
    )
    yield dashboard
    dashboard.running.end()


def test_whatever_is_sent_with_whichever_method_there_is_no_500(closed: Dashboard) -> None:
    codes = set()

    @settings(
        max_examples=CASES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        target=st.one_of(
            st.just(("POST", "/login")),
            st.just(("GET", "/api/campaign")),
            st.tuples(st.sampled_from(METHODS), st.sampled_from(PATHS)),
        ),
        query=st.binary(max_size=30).map(quote_from_bytes),
        headers=st.dictionaries(st.sampled_from(HEADERS), _HEADER, max_size=3),
        knows=st.booleans(),
        body=st.one_of(st.none(), st.binary(max_size=100), st.just(b"token=%ff%00&" * 500)),
    )
    def send(
        target: tuple[str, str], query: str, headers: dict[str, str], knows: bool,
        body: bytes | None,
    ) -> None:  # fmt: skip
        method, path = target
        if knows:
            headers = {**headers, "Authorization": f"Bearer {TOKEN}"}
        reply = closed.ask(f"{path}?campaign={query}", headers=headers, body=body, method=method)
        assert reply.code < 500 or "retry-after" in reply.headers, (method, path, reply.text)
        codes.add(reply.code)
        if path.startswith("/api") and method not in {"GET", "HEAD"}:
            assert reply.code in {401, 404, 405}

    send()
    assert {200, 401, 404, 405, 413, 422} <= codes
