"""`python -m bench.browsing`: the dashboard over the full migrated history, cold and under load.

First chart: a browser that has cached nothing opens the overview; from navigation to the frame
that shows the chart. API: 32 open pages, each asking once a second what a page asks after every
refresh (overviews, campaigns, half of these with a day explained, operations), without and with
ingestion at full rate; answers are timed until their last byte. The dashboard is a reader.
"""

import contextlib
import math
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

import typer
from playwright.sync_api import sync_playwright

from bench import report
from bench.conditions import conditions, contents
from bench.database import Database
from bench.report import Spread
from bench.servers import forget_group, servers, unique_name
from tests.acceptance.ingester import Ingester
from tests.acceptance.process import wait_for
from tests.dashboard.site import Dashboard
from tests.services.browser import chromium
from tests.topics import Topics

_READERS: Final = 32
_PAUSE_SECONDS: Final = 1.0
_QUICK: Final = (0.05, 3, 5.0)
_MIGRATION_SECONDS: Final = 1800.0
_WARM_UP_SECONDS: Final = 3.0
_PARTITIONS: Final = 4
_VIEWS: Final = {"30 days by day": "/", "all months": "/?range=all"}
# The canvas is there, and the frame that shows it has been drawn.
_FIRST_CHART: Final = """
new MutationObserver((_, observer) => {
  if (!document.querySelector('.canvas canvas')) return;
  observer.disconnect();
  const note = () => { window.firstChart = performance.now(); };
  requestAnimationFrame(() => requestAnimationFrame(note));
}).observe(document, { childList: true, subtree: true });
"""
Times = dict[str, list[float]]


def main(
    *,
    scale: Annotated[float, typer.Option(min=0.001, help="Of the legacy system.")] = 1.0,
    repeat: Annotated[int, typer.Option(min=1, help="Cold starts of each view.")] = 15,
    seconds: Annotated[float, typer.Option(min=1, help="Of each load.")] = 30.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A twentieth, 5 seconds: to try the bench.")
    ] = False,
) -> None:
    """Cold page to first chart, and what 32 open pages wait for while events come in."""
    if quick:
        scale, repeat, seconds = _QUICK
    where = servers()
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(Database(where.database_url, "browsing"))
        found = conditions(database, where.bootstrap)
        topics = Topics(where.bootstrap)
        stack.callback(topics.end)
        topic = topics.create(_PARTITIONS)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        group = unique_name("group")
        stack.callback(forget_group, where.bootstrap, group)
        ingester = Ingester(
            directory, where.bootstrap, database.url, topic,
            {"KAFKA_GROUP_ID": group, "INGESTER_LOG_LEVEL": "info",
             "INGESTER_BATCH_ROWS_MAX": "40000"},
        )  # fmt: skip
        stack.callback(ingester.end)
        _migrate(database, ingester, topic, scale)
        tables = contents(database)
        dashboard = Dashboard(
            ingester, DATABASE_URL=database.url_of_reader(), INGESTER_LOG_LEVEL="info"
        )
        cold = _cold(dashboard, repeat)
        quiet = _load(dashboard, seconds)
        report.say("the same while events come in at full rate")
        ingester.start("refresh")
        traffic = ingester.start("simulate", "--events", "100000000", "--campaigns", "3000")
        time.sleep(_WARM_UP_SECONDS)
        before = _records(database, topic)
        busy = _load(dashboard, seconds)
        rate = (_records(database, topic) - before) / seconds
        traffic.end()
    results = {
        "first_chart_ms": {view: spread.as_json() for view, spread in cold.items()},
        "api_ms": {"quiet": _told(quiet), "ingesting": _told(busy)},
        "records_per_second": round(rate),
        "readers": _READERS,
        "tables": tables,
    }
    _show(cold, results)
    report.write("browsing", found, results)


def _migrate(database: Database, ingester: Ingester, topic: str, scale: float) -> None:
    """The legacy history as events, as an operator would have brought it; a worker stays."""
    until = str(datetime.now(UTC).date())
    report.say(f"migrating the legacy table at scale {scale:g}")
    for arguments in (
        ("generate", "--seed", "1", "--scale", str(scale), "--until", until),
        ("run", "--until", until),
    ):
        if arguments[0] == "run":
            ingester.start("run")
        done = ingester.run(*arguments, module="replay", seconds=_MIGRATION_SECONDS)
        if done.code:
            raise RuntimeError(done.tail())
    wait_for(
        lambda: bool(database.value("migration_ingested", topic=topic)),
        _MIGRATION_SECONDS,
        lambda: "the replay was not ingested",
    )
    refreshed = ingester.run("refresh", "--once", seconds=_MIGRATION_SECONDS)
    if refreshed.code:
        raise RuntimeError(refreshed.tail())


def _cold(dashboard: Dashboard, repeat: int) -> dict[str, Spread]:
    """Milliseconds to the first chart, by view; a context knows nothing of the one before."""
    found: dict[str, list[float]] = defaultdict(list)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for _ in range(repeat):
            for view, address in _VIEWS.items():
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                page = context.new_page()
                page.add_init_script(_FIRST_CHART)
                page.goto(dashboard.url + address)
                page.locator(".canvas canvas").wait_for()
                # Not wait_for_function: the page's policy forbids to evaluate text.
                while (drawn := page.evaluate("window.firstChart")) is None:
                    page.wait_for_timeout(1)
                found[view].append(float(drawn))
                context.close()
        browser.close()
    return {view: Spread.of(values) for view, values in found.items()}


def _load(dashboard: Dashboard, seconds: float) -> Times:
    """Milliseconds of every answer, by question, of so many open pages."""
    top = dashboard.ask("/api/top", {"limit": 200}).json["campaigns"]
    campaigns = [row["campaign_id"] for row in top]
    found: Times = defaultdict(list)
    failures: list[Exception] = []
    stopping = threading.Event()

    def page(number: int) -> None:
        random = Random(number)  # noqa: S311 - repeatable
        address = urlsplit(dashboard.url)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
        questions = _questions(number, random.choice(campaigns))
        stopping.wait(random.random() * _PAUSE_SECONDS)
        try:
            while not stopping.is_set():
                for name, path in questions.items():
                    began = time.perf_counter()
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answer.read()
                    found[name].append((time.perf_counter() - began) * 1000)
                    if answer.status != 200:  # noqa: PLR2004 - HTTP
                        raise RuntimeError(f"{path}: {answer.status}")
                stopping.wait(_PAUSE_SECONDS)
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            failures.append(error)
        finally:
            connection.close()

    pages = [threading.Thread(target=page, args=(number,)) for number in range(_READERS)]
    for each in pages:
        each.start()
    time.sleep(seconds)
    stopping.set()
    for each in pages:
        each.join()
    if failures:
        raise failures[0]
    return found


def _questions(number: int, campaign_id: str) -> dict[str, str]:
    """What a page asks after a refresh: of eight, three overviews, four campaigns, operations."""
    if number % 8 == 0:
        return {"operations": "/api/operations"}
    today = datetime.now(UTC).date()
    days = f"from={today - timedelta(days=29)}&to={today}"
    if number % 2 == 0:
        return {
            "totals of all": f"/api/totals?{days}",
            "trend of all": f"/api/trend?{days}&by=day",
            "top 20": f"/api/top?{days}&metric=sent&limit=20",
        }
    of = f"campaign={quote(campaign_id, safe='')}"
    questions = {
        "a campaign": f"/api/campaign?{of}",
        "its totals": f"/api/totals?{of}&{days}",
        "its trend": f"/api/trend?{of}&{days}&by=day",
        "its events": f"/api/events?{of}&{days}&limit=15",
    }
    if number % 4 == 1:
        questions["why a day"] = f"/api/why?{of}&day={today - timedelta(days=1)}&limit=10"
    return questions


def _records(database: Database, topic: str) -> int:
    return int(database.value("browsing_records", topic=topic))


def _told(times: Times) -> dict[str, dict[str, float]]:
    every = [value for values in times.values() for value in values]
    return {
        name: {
            "answers": len(values),
            "p50": round(_share(values, 0.5), 2),
            "p99": round(_share(values, 0.99), 2),
        }
        for name, values in {**times, "all": every}.items()
    }


def _share(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share does not exceed (nearest rank)."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]


def _show(cold: dict[str, Spread], results: dict[str, Any]) -> None:
    report.table(
        "cold page to first chart (goal: under 1,000 ms)",
        ["view", "median ms", "min", "max"],
        [[view, *spread.shown(0)] for view, spread in cold.items()],
    )
    quiet, busy = results["api_ms"]["quiet"], results["api_ms"]["ingesting"]
    report.table(
        f"{_READERS} open pages (goal: p99 under 50 ms); "
        f"{results['records_per_second']:,} records a second come in",
        ["question", "p50 quiet", "p99 quiet", "p50 ingesting", "p99 ingesting"],
        [
            [name, *(f"{side[name][key]:.1f}" for side in (quiet, busy) for key in ("p50", "p99"))]
            for name in busy
        ],
    )


if __name__ == "__main__":
    os.environ.setdefault("INGESTER_LOG_FORMAT", "json")
    typer.run(main)
