"""The API: the numbers of the SQL functions, whatever is asked; and never a 500."""

import csv
import io
import random
import re
import signal
from contextlib import ExitStack
from dataclasses import astuple
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
from pydantic import SecretStr

from ingester.dashboard.question import HOURS_DAYS_MAX
from ingester.repository import PostgresRepository
from ingester.settings import Settings
from tests.acceptance.process import wait_for
from tests.dashboard.conftest import HOSTILE
from tests.dashboard.site import Dashboard, Site
from tests.repository.queries import FIRST, LAST, Query, as_one, as_series, random_query

METRICS: Final = ("sent", "opened", "clicked", "replied", "positive_replies", "bounced")


def of(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[metric] for metric in METRICS)


def started(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["period_start"])


def answerable(query: Query) -> Query:
    """What the API takes: hours within a month, and no list of campaigns without one."""
    campaigns, start, end, by = query
    if by == "hour":
        start = start or (end or LAST) - timedelta(days=HOURS_DAYS_MAX - 1)
        end = min(end or LAST, start + timedelta(days=HOURS_DAYS_MAX - 1))
        start = min(start, end)
    return campaigns or None, start, end, by


@pytest.mark.timeout(300)
def test_300_random_questions_are_answered_alike_by_repository_api_and_functions(
    site: Site,
) -> None:
    rng = random.Random("api")
    answers = 0
    reader = Settings(database_url=SecretStr(site.reader_url))
    with PostgresRepository.connect(reader) as repository:
        for number in range(300):
            query = answerable(random_query(rng, number))
            campaigns, start, end, by = query
            truth = site.history.query("SELECT * FROM get_campaign_stats(%s, %s, %s, %s)", *query)
            series, one = as_series(truth, campaigns), as_one(truth, by)

            stats = repository.get_stats_for_campaigns(campaigns, start, end, by)
            assert {each.campaign_id: list(each.periods) for each in stats.campaigns} == series
            as_rows = repository.get_aggregated_stats(start, end, campaigns, by).periods
            assert [(each.period_start, *astuple(each.metrics)) for each in as_rows] == one, query

            asked = {"campaign": campaigns, "from": start, "to": end, "by": by}
            told = site.dashboard.ask("/api/stats", asked).json["rows"]
            found = [(row["campaign_id"], started(row), *of(row)) for row in told]
            assert as_series(found, campaigns) == series, query
            trend = site.dashboard.ask("/api/trend", asked).json["periods"]
            assert [(started(row), *of(row)) for row in trend] == one, query
            totals = site.dashboard.ask("/api/totals", asked).json["totals"]
            assert of(totals) == tuple(sum(row[at] for row in one) for at in range(1, 7)), query
            answers += len(truth) > 0
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
