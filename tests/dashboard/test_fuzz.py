"""Whatever is asked, by the API's own description or against it: an answer, never a 500."""

from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dashboard.site import Site

CASES: Final = 300
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


def test_whatever_is_asked_there_is_no_500(site: Site) -> None:
    described = site.dashboard.ask("/api/openapi.json").json
    operations = {
        path: methods["get"].get("parameters", [])
        for path, methods in described["paths"].items()
        if path != "/api/live"  # never ends
    }
    assert len(operations) >= 8
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
        assert reply.code in {200, 422, 503}, (path, asked, reply.text)
        codes.add(reply.code)
        if reply.code != 200:
            assert reply.json["detail"]

    ask()
    assert {200, 422} <= codes
