"""One site for the whole suite: what its tests change, none of the others looks at."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright
from psycopg import sql

from ingester.store.migrator import grant_roles
from tests.acceptance.ingester import Ingester
from tests.acceptance.process import wait_for
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Publication, event, mixed, publication
from tests.dashboard.site import START_SECONDS, Dashboard, Site
from tests.databases import Databases
from tests.repository.queries import CAMPAIGNS, FIRST, LAST
from tests.services.browser import chromium
from tests.session_services import SessionServices
from tests.sql.history import History, random_events
from tests.topics import Topics

HOSTILE: Final = ["<script>alert(1)</script>", "=1+1", "../../etc/passwd?#&", "a\"b'c<img src=x>"]


@pytest.fixture(scope="session")
def site(
    services: SessionServices, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Events of every kind in the tables, workers running, the dashboard logged in as a reader."""
    name = databases.migrated()
    owner_url = databases.url_of(name)
    topics = Topics(services.bootstrap)
    directory = tmp_path_factory.mktemp("site")
    topic = topics.create(partitions=4)
    ingester = Ingester(directory, services.bootstrap, owner_url, topic)
    login = f"test_reader_{uuid.uuid4().hex[:8]}"
    with History(owner_url) as history:
        rng = random.Random("dashboard")
        for _ in range(6):
            history.ingest(random_events(rng, CAMPAIGNS, FIRST, LAST, 60))
        publish(ingester.bootstrap, topic, [*mixed(7, 3_000, partitions=4), *_hostile(rng)])
        with psycopg.connect(owner_url, autocommit=True) as owner:
            grant_roles(owner)
            owner.execute(
                sql.SQL("CREATE ROLE {} LOGIN IN ROLE ingester_reader").format(
                    sql.Identifier(login)
                )
            )
        url = urlsplit(owner_url)
        reader_url = url._replace(netloc=f"{login}@{url.netloc.rpartition('@')[2]}").geturl()
        try:
            ingester.start("run")
            ingester.start("refresh")
            dashboard = Dashboard(
                ingester,
                DATABASE_URL=reader_url,
                INGESTER_DASHBOARD_LIVE_MAX="4",
                INGESTER_DASHBOARD_STATEMENT_SECONDS_MAX="3",
            )
            wait_for(
                lambda: _has_folded(history, topic, 3_000 + len(HOSTILE)),
                START_SECONDS,
                ingester.processes[0].tail,
            )
            yield Site(dashboard, ingester, history, reader_url)
        finally:
            ingester.end()
            topics.end()
            with psycopg.connect(owner_url, autocommit=True) as owner:
                owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(login)))
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
    databases.drop(name)


def _has_folded(history: History, topic: str, records: int) -> bool:
    return history.query(
        "SELECT (SELECT sum(records) FROM ingest_offsets WHERE topic = %s),"
        " (SELECT count(*) FROM ingest_batches WHERE folded_at IS NULL)", topic,
    ) == [(records, 0)]  # fmt: skip


def _hostile(rng: random.Random) -> Iterator[Publication]:
    noon = datetime.now(UTC) - timedelta(days=2)
    for campaign_id in HOSTILE:
        yield publication(
            event(rng, campaign_id=campaign_id, event_type="sent", count=9_000,
                  occurred_at=noon.isoformat())
        )  # fmt: skip


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Its driver.

    As long as it lives an event loop runs in this thread: tests with one of their own must wait.
    """
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium, headless."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: `make test` installs it as root on Debian; or set CHROMIUM")
    # Root has no sandbox, and a container's /dev/shm is small.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    started = playwright.chromium.launch(executable_path=path, args=arguments)
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """An empty page; the test fails where the browser complained, as of the security policy."""
    context = browser.new_context(
        base_url=site.dashboard.url, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # An answer that fails on purpose is no complaint; a policy that is violated is one.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    yield page
    context.close()
    assert complaints == []
