"""What the metrics and health pages say is true, also after workers were killed."""

import os
import signal
import time

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.page import SETTINGS, Page
from tests.acceptance.process import wait_for
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Kind, mixed
from tests.session_services import ControlledPostgres

RECORDS = 8_000


def told(page: Page) -> tuple[float, ...]:
    return tuple(
        page.total(f"ingester_{name}_total")
        for name in ("records", "events_inserted", "duplicates", "rejected")
    )


def lags(page: Page) -> list[float | None]:
    """Of the four partitions; they are looked at every few seconds."""
    figures = page.figures()
    return [figures.get(("ingester_lag", str(partition))) for partition in range(4)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_figures_are_those_of_the_database(ingester: Ingester, workers: str) -> None:
    ingester.run("refresh", "--once")  # makes the partitions of the next months
    published = publish(ingester.bootstrap, ingester.topic, mixed(21, RECORDS, partitions=4))
    page = Page(ingester.start("run", "--workers", workers, settings=SETTINGS))

    wait_for(lambda: told(page)[0] >= RECORDS, 60.0, lambda: f"{told(page)}")
    wait_for(lambda: page.reasons("/readyz") is None, 30.0, lambda: f"{page.reasons('/readyz')}")

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert told(page) == (RECORDS, verdict.inserted, verdict.duplicates, verdict.rejected)
    assert verdict.inserted == published[Kind.VALID]
    assert page.reasons("/livez") is None
    wait_for(lambda: set(lags(page)) == {0}, 30.0, lambda: f"{lags(page)}")
    figures = page.figures()
    assert figures["ingester_batch_stage_seconds_count", "commit"] == page.total(
        "ingester_batches_total"
    )
    last = [
        at for (name, _), at in figures.items() if name == "ingester_last_commit_timestamp_seconds"
    ]
    assert abs(max(last) - time.time()) < 90


def test_a_killed_worker_takes_none_of_its_counts_along(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(22, RECORDS, partitions=4))
    running = ingester.start("run", "--workers", "2", settings=SETTINGS)
    page = Page(running)
    wait_for(lambda: told(page)[0] >= RECORDS, 60.0, lambda: f"{told(page)}")
    victim = running.log.named("worker_started")[0]["pid"]

    os.kill(victim, signal.SIGKILL)
    running.until("worker_died", 10.0)
    publish(ingester.bootstrap, ingester.topic, mixed(23, RECORDS, partitions=4))

    wait_for(lambda: told(page)[0] >= 2 * RECORDS, 60.0, lambda: f"{told(page)}")
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert told(page) == (2 * RECORDS, verdict.inserted, verdict.duplicates, verdict.rejected)


def test_an_outage_shows_and_ends(own_ingester: Ingester, own_postgres: ControlledPostgres) -> None:
    own_ingester.run("refresh", "--once")
    publish(own_ingester.bootstrap, own_ingester.topic, mixed(24, RECORDS, partitions=4))
    page = Page(own_ingester.start("run", settings=SETTINGS))
    wait_for(lambda: page.reasons("/readyz") is None, 60.0, lambda: f"{page.reasons('/readyz')}")
    own_postgres.stop()
    try:
        publish(own_ingester.bootstrap, own_ingester.topic, mixed(25, RECORDS, partitions=4))
        wait_for(lambda: len(page.reasons("/readyz") or ()) >= 2, 30.0, lambda: "not noticed")
        reasons = " ".join(page.reasons("/readyz") or ())
        assert "the database does not answer" in reasons
        assert "it has tried to write for" in reasons
        assert page.reasons("/livez") is None, "an outage is no reason to restart it"
        assert page.total("ingester_retries_total") > 0
    finally:
        own_postgres.start()
    wait_for(lambda: page.reasons("/readyz") is None, 60.0, lambda: f"{page.reasons('/readyz')}")
    wait_for(lambda: told(page)[0] >= 2 * RECORDS, 60.0, lambda: f"{told(page)}")
    assert page.figures()["ingester_outage_age_seconds", "1"] == 0
    assert page.total("ingester_outage_seconds_total") > 0


def test_the_refresher_has_a_page_too(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(26, 1_000, partitions=4))
    ingester.catch_up()
    page = Page(ingester.start("refresh", settings=SETTINGS))
    wait_for(lambda: page.total("ingester_batches_folded_total") > 0, 30.0, lambda: "none folded")
    wait_for(lambda: page.reasons("/readyz") is None, 30.0, lambda: f"{page.reasons('/readyz')}")
    wait_for(
        lambda: page.total("ingester_last_refresh_timestamp_seconds") > time.time() - 60,
        30.0,
        lambda: "no refresh is told of",
    )
    assert page.total("ingester_partition_months_ahead") == 3
    assert page.total("ingester_freshness_seconds") == 0


def test_a_port_that_is_taken_is_said_in_one_line(ingester: Ingester) -> None:
    first = ingester.start("run", settings=SETTINGS)
    port = str(first.until("metrics_served", 30.0)["port"])
    second = ingester.run("run", settings={"INGESTER_METRICS_PORT": port})
    assert second.code == 78
    assert f"INGESTER_METRICS_PORT: cannot listen on 127.0.0.1:{port}" in second.stderr
