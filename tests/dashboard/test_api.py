"""The API: the numbers of the SQL functions, whatever is asked; and never a 500."""

import csv
import io
import random
import re
import signal
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.acceptance.process import wait_for
from tests.dashboard.conftest import FIRST, HOSTILE, LAST, PAST
from tests.dashboard.site import Dashboard, Site
from tests.sql.history import GRANULARITIES

METRICS: Final = ("sent", "opened", "clicked", "replied", "positive_replies", "bounced")


def of(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[metric] for metric in METRICS)


@pytest.mark.timeout(300)
def test_300_random_questions_are_answered_as_the_functions_answer_them(site: Site) -> None:
    rng = random.Random("api")

    def day() -> date:
        return FIRST + timedelta(days=rng.randrange(-40, (LAST - FIRST).days + 40))

    answers = 0
    for number in range(300):
        by = GRANULARITIES[number % len(GRANULARITIES)]
        first, last = sorted((day(), day()))
        if by == "hour":
            last = min(last, first + timedelta(days=30))
        campaigns = rng.choice([rng.sample([*PAST, "unknown"], k=3), [rng.choice(PAST)], PAST])
        truth = site.history.query(
            "SELECT * FROM get_campaign_stats(%s, %s, %s, %s)", campaigns, first, last, by
        )
        asked = {"campaign": campaigns, "from": first, "to": last, "by": by}
        told = site.dashboard.ask("/api/stats", asked).json["rows"]
        found = {
            (row["campaign_id"], datetime.fromisoformat(row["period_start"])): of(row)
            for row in told
        }
        rows = {(row[0], row[1].replace(tzinfo=UTC)): row[2:] for row in truth}
        assert found == rows, asked
        trend = site.dashboard.ask("/api/trend", asked).json["periods"]
        sums: dict[datetime, list[int]] = defaultdict(lambda: [0] * len(METRICS))
        for (_, start), counts in rows.items():
            sums[start] = [a + b for a, b in zip(sums[start], counts, strict=True)]
        assert {
            datetime.fromisoformat(row["period_start"]): list(of(row)) for row in trend
        } == sums, asked
        answers += len(rows) > 0
    assert answers > 150, "the questions must hit events, or this shows nothing"


def test_totals_rates_and_ranks_are_those_of_the_views(site: Site) -> None:
    asked = {"from": FIRST, "to": LAST}
    told = site.dashboard.ask("/api/totals", asked).json["totals"]
    (truth,) = site.history.query(
        "SELECT sum(sent)::bigint, sum(opened)::bigint, sum(replied)::bigint"
        " FROM campaign_daily_stats WHERE event_date BETWEEN %s AND %s", FIRST, LAST,
    )  # fmt: skip
    assert (told["sent"], told["opened"], told["replied"]) == truth
    assert told["open_rate"] == pytest.approx(truth[1] / truth[0])
    top = site.dashboard.ask("/api/top", {**asked, "metric": "replied", "limit": 3}).json
    ranked = site.history.query(
        "SELECT campaign_id, sum(replied)::bigint AS replied FROM campaign_daily_stats"
        " WHERE event_date BETWEEN %s AND %s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3", FIRST, LAST,
    )  # fmt: skip
    assert [(row["campaign_id"], row["replied"]) for row in top["campaigns"]] == ranked
    nothing = site.dashboard.ask("/api/totals", {"campaign": "unknown"}).json["totals"]
    assert nothing["sent"] == 0
    assert nothing["open_rate"] is None


def test_pages_of_events_tell_each_event_once(site: Site) -> None:
    seen, before = [], None
    while True:
        asked = {"campaign": "alpha", "limit": 37, "before": before}
        page = site.dashboard.ask("/api/events", asked).json
        seen += [row["event_id"] for row in page["events"]]
        before = page["next_before"]
        if before is None:
            break
    truth = site.history.query(
        "SELECT event_id::text FROM campaign_events JOIN campaigns USING (campaign_key)"
        " WHERE campaign_id = 'alpha' ORDER BY occurred_at DESC, event_id DESC"
    )
    assert seen == [row[0] for row in truth]


def test_pages_of_events_as_csv_lead_to_the_next_one(site: Site) -> None:
    address: str | None = "/api/events?campaign=alpha&limit=29&format=csv"
    seen: list[str] = []
    while address:
        page = site.dashboard.ask(address)
        seen += [row["event_id"] for row in csv.DictReader(io.StringIO(page.text))]
        link = re.fullmatch('<(/api/events[?].+)>; rel="next"', page.headers.get("link", ""))
        address = link and link[1]
    truth = site.history.query(
        "SELECT event_id::text FROM campaign_events JOIN campaigns USING (campaign_key)"
        " WHERE campaign_id = 'alpha' ORDER BY occurred_at DESC, event_id DESC"
    )
    assert len(truth) > 2 * 29
    assert seen == [row[0] for row in truth]


@pytest.mark.parametrize("campaign_id", HOSTILE)
def test_any_campaign_id_can_be_asked_for_and_exported(site: Site, campaign_id: str) -> None:
    profile = site.dashboard.ask("/api/campaign", {"campaign": campaign_id}).json
    assert (profile["campaign_id"], profile["sent"]) == (campaign_id, 9_000)
    exported = site.dashboard.ask("/api/top", {"limit": 10, "format": "csv"})
    assert exported.headers["content-disposition"] == 'attachment; filename="top-campaigns.csv"'
    names = [row["campaign_id"] for row in csv.DictReader(io.StringIO(exported.text))]
    # What a spreadsheet would run is text there.
    assert ("'" + campaign_id if campaign_id.startswith("=") else campaign_id) in names


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/trend", {"from": "2025-02-02", "to": "2025-02-01"}),
        ("/api/trend", {"by": "hour"}),
        ("/api/stats", {"by": "hour", "from": "2024-01-01", "to": "2025-01-01"}),
        ("/api/stats", {"by": "decade"}),
        ("/api/top", {"limit": 1_001}),
        ("/api/top", {"metric": "sent; DROP TABLE campaigns"}),
        ("/api/events", {"campaign": "alpha", "before": "nonsense"}),
        ("/api/events", {"campaign": "a\0b"}),
        ("/api/campaign", {"campaign": "x" * 256}),
        ("/api/why", {"campaign": "alpha", "day": "2025-02-30"}),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(
    site: Site, path: str, asked: dict[str, object]
) -> None:
    refused = site.dashboard.ask(path, asked)
    assert refused.code == 422
    assert refused.json["detail"]


def test_a_statement_that_takes_too_long_is_ended_and_told(site: Site) -> None:
    with psycopg.connect(site.ingester.database_url) as other:
        other.execute("LOCK TABLE campaign_daily_rollup IN ACCESS EXCLUSIVE MODE")
        waited = site.dashboard.ask("/api/campaign", {"campaign": "alpha"})
        other.rollback()
    assert waited.code == 503
    assert "narrow the range" in waited.json["detail"]
    assert site.dashboard.ask("/api/campaign", {"campaign": "alpha"}).code == 200


def test_what_went_wrong_for_good_is_no_passing_fault(site: Site) -> None:
    site.history.connection.execute("ALTER FUNCTION campaign_stats_as_of() RENAME TO gone")
    try:
        broken = site.dashboard.ask("/api/events", {"campaign": "alpha", "limit": 3})
    finally:
        site.history.connection.execute("ALTER FUNCTION gone() RENAME TO campaign_stats_as_of")
    assert broken.code == 500
    assert "see the log" in broken.json["detail"]
    assert "retry-after" not in broken.headers
    site.dashboard.running.until("not_answered", 30.0, level="error")


def test_no_more_pages_than_allowed_are_kept_told(site: Site) -> None:
    address = urlsplit(site.dashboard.url)
    with ExitStack() as open_pages:
        for _ in range(4):
            connection = HTTPConnection(str(address.hostname), address.port, timeout=30)
            open_pages.callback(connection.close)
            connection.request("GET", "/api/live")
            answer = connection.getresponse()
            open_pages.callback(answer.close)
            assert answer.status == 200
            assert answer.readline() == b"retry: 1000\n"
        refused = site.dashboard.ask("/api/live")
        assert refused.code == 503
        assert "retry-after" in refused.headers

    def is_let_in() -> bool:
        connection = HTTPConnection(str(address.hostname), address.port, timeout=30)
        connection.request("GET", "/api/live")
        answer = connection.getresponse()
        answer.close()
        connection.close()
        return answer.status == 200

    wait_for(is_let_in, 30.0, lambda: "places of closed pages are not free")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_lets_open_pages_go_and_ends_well(
    site: Site, number: signal.Signals
) -> None:
    dashboard = Dashboard(site.ingester, DATABASE_URL=site.reader_url)
    address = urlsplit(dashboard.url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.request("GET", "/api/live")
    answer = connection.getresponse()
    assert answer.readline() == b"retry: 1000\n"
    dashboard.running.signal(number)
    assert dashboard.running.wait(30.0) == 0
    answer.close()
    connection.close()
