"""`replay run` as a process: killed, repeated, doubled, held back; every event arrives once."""

import json
import signal
import time
from random import Random
from typing import Any

import psycopg
import pytest

from replay.generation.figures import Figures
from tests.acceptance.ingester import Ingester
from tests.acceptance.process import Running, wait_for

FIGURES = Figures.scaled(0.01)
EVENTS = FIGURES.headline_values + FIGURES.clicks_only_rows
NAME = "campaign_daily_stat_entries"
SMALL = {"REPLAY_RANGE_EVENTS": "60", "REPLAY_READ_ROWS": "7"}
"""Some fifty ranges, so that there is something between them."""


@pytest.fixture
def legacy(ingester: Ingester) -> Ingester:
    """An ingester with a generated old table in its database."""
    replay(ingester, "generate", "--scale", "0.01", "--seed", "3")
    return ingester


def replay(ingester: Ingester, *arguments: str, **settings: str) -> dict[str, Any]:
    """Run a command to its good end; returns what it printed."""
    running = ingester.run(*arguments, "--json", settings=settings, module="replay")
    assert running.code == 0, running.tail()
    report: dict[str, Any] = json.loads(running.stdout)
    return report


def one(ingester: Ingester, query: str) -> Any:
    """The only row of a query."""
    with psycopg.connect(ingester.database_url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchone() if cursor.description else None


def assert_everything_arrived_once(ingester: Ingester) -> None:
    """The topic is read to its end: events, totals and days are those of the old table."""
    ingester.catch_up()
    ingester.run("refresh", "--once")
    assert one(ingester, "SELECT count(*), sum(event_count) FROM campaign_events") == (
        EVENTS,
        one(
            ingester,
            f"SELECT sum(sent + opened + clicked + replied + positive_replies) FROM {NAME}",
        )[0],
    )
    assert one(ingester, "SELECT count(*) FROM rejected_events") == (0,)
    assert one(ingester, "SELECT sum(sent), sum(opened), sum(replied), sum(positive_replies) "
                         "FROM campaign_daily_stats") == (
        FIGURES.sent, FIGURES.opened, FIGURES.replied, FIGURES.positive_replies,
    )  # fmt: skip
    assert replay(ingester, "verify")["ok"]


def duplicates(ingester: Ingester) -> int:
    """How many records of the topic were repeats."""
    return int(one(ingester, "SELECT sum(duplicates) FROM ingest_offsets")[0])


def test_a_second_run_with_another_batch_size_changes_nothing(legacy: Ingester) -> None:
    first = replay(legacy, "run", **SMALL)
    assert first["complete"]
    assert first["this_run"]["events"] == first["planned_events"] == EVENTS
    second = replay(legacy, "run", REPLAY_RANGE_EVENTS="5000", REPLAY_READ_ROWS="100")
    assert second["this_run"]["events"] == 0
    assert {**second, "this_run": None} == {**first, "this_run": None}
    assert_everything_arrived_once(legacy)
    assert duplicates(legacy) == 0
    status = replay(legacy, "status")
    assert status["complete"]
    assert status["ingested"]


def test_the_summary_is_that_of_the_table(legacy: Ingester) -> None:
    planned, done = replay(legacy, "plan"), replay(legacy, "run")
    assert planned["events"] == done["planned_events"] == done["events"] == EVENTS
    assert planned["sums"] == done["sums"]
    assert planned["rows_to_replay"] == done["rows"]
    assert planned["zero_rows"] == FIGURES.zero_rows
    assert one(legacy, "SELECT count(*) FROM campaign_attributes") == (FIGURES.campaigns,)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_is_killed_again_and_again_loses_and_repeats_nothing(
    legacy: Ingester, seed: int
) -> None:
    random = Random(seed)
    kills = 0
    for _ in range(6):
        running = legacy.start("run", "--rate", "1500", settings=SMALL, module="replay")
        reach(legacy, running, acknowledged(legacy) + random.randint(0, 8))
        kills += running.code is None
        running.kill()
    assert kills == 6
    assert replay(legacy, "run")["complete"]
    assert_everything_arrived_once(legacy)


def reach(ingester: Ingester, running: Running, ranges: int) -> None:
    """Wait until so many ranges are done; whatever happens next falls anywhere in a range."""
    wait_for(
        lambda: acknowledged(ingester) >= ranges,
        30,
        lambda: f"never got to {ranges} ranges:\n{running.tail()}",
        alive=lambda: running.code is None,
    )


def acknowledged(ingester: Ingester) -> int:
    """Ranges that are done."""
    return int(one(ingester, "SELECT count(acknowledged_at) FROM replay_ranges")[0])


def test_two_runs_at_once_share_the_work(legacy: Ingester) -> None:
    both = [legacy.start("run", "--json", settings=SMALL, module="replay") for _ in range(2)]
    reports = []
    for running in both:
        assert running.wait(60) == 0, running.tail()
        reports.append(json.loads(running.stdout))
    assert all(report["complete"] for report in reports)
    assert sum(report["this_run"]["events"] for report in reports) == EVENTS
    assert sum(report["this_run"]["ranges"] for report in reports) == reports[0]["ranges"]
    assert_everything_arrived_once(legacy)
    assert duplicates(legacy) == 0


def test_another_cut_is_refused_and_changes_nothing(legacy: Ingester) -> None:
    first = replay(legacy, "run", "--until", "2026-06-01")
    assert 0 < first["events"] < EVENTS
    refused = legacy.run("run", "--until", "2026-07-01", module="replay")
    assert refused.code == 2
    assert "cut at 2026-06-01" in refused.stderr
    again = replay(legacy, "run")
    assert again["cut_date"] == "2026-06-01"
    assert again["this_run"]["events"] == 0


def test_rows_that_cannot_be_events_stop_the_run_before_anything_is_published(
    legacy: Ingester,
) -> None:
    one(legacy, f"UPDATE {NAME} SET sent = -4 WHERE id = (SELECT max(id) FROM {NAME})")
    planned = replay(legacy, "plan")
    assert not planned["ready"]
    (problem,) = [each for each in planned["problems"] if each["blocking"]]
    assert (problem["kind"], problem["rows"]) == ("negative", 1)
    refused = legacy.run("run", module="replay")
    assert refused.code == 78
    assert problem["examples"][0] in refused.stderr
    assert one(legacy, "SELECT count(*) FROM replay_ranges") == (0,)


def test_the_replay_waits_for_consumers_that_are_behind(legacy: Ingester) -> None:
    simulated = legacy.run("simulate", "--events", "500", "--seed", "1")
    assert simulated.code == 0
    legacy.catch_up()
    running = legacy.start("run", "--lag-max", "200", "--json", settings=SMALL, module="replay")
    wait_for(lambda: acknowledged(legacy) >= 2, 30, running.tail)
    before = settled(legacy, running)
    assert 0 < before < replay(legacy, "status")["ranges"]
    legacy.start("run")
    assert running.wait(60) == 0, running.tail()
    report = json.loads(running.stdout)
    assert report["complete"]
    assert report["this_run"]["paused_seconds"] > 0


def settled(ingester: Ingester, running: Running) -> int:
    """The ranges that are done once none has been added for a second."""
    done, since = acknowledged(ingester), time.monotonic()
    while time.monotonic() - since < 1.0:
        assert running.code is None, running.tail()
        if (now := acknowledged(ingester)) != done:
            done, since = now, time.monotonic()
        time.sleep(0.02)
    return done


def test_a_signal_gives_the_open_range_back(legacy: Ingester) -> None:
    running = legacy.start("run", "--rate", "300", "--json", settings=SMALL, module="replay")
    wait_for(lambda: acknowledged(legacy) >= 2, 30, running.tail)
    running.signal(signal.SIGTERM)
    assert running.wait(15) == 143
    report = json.loads(running.stdout)
    assert report["interrupted"]
    assert not report["complete"]
    assert report["events"] == one(legacy, "SELECT sum(events) FROM replay_ranges")[0]
    assert replay(legacy, "run")["complete"]
    assert_everything_arrived_once(legacy)


def test_generate_leaves_a_table_alone_that_it_did_not_make(ingester: Ingester) -> None:
    one(ingester, f"CREATE TABLE {NAME} AS SELECT 42 AS answer")
    refused = ingester.run("generate", "--scale", "0.01", module="replay")
    assert refused.code == 78
    assert "was not made by replay generate" in refused.stderr
    assert one(ingester, f"SELECT answer FROM {NAME}") == (42,)


def test_generate_makes_its_own_table_again_and_the_same_from_the_same_seed(
    legacy: Ingester,
) -> None:
    contents = f"SELECT md5(string_agg(entry::text, ' ' ORDER BY id)) FROM {NAME} AS entry"
    before = one(legacy, contents)
    replay(legacy, "generate", "--scale", "0.01", "--seed", "3")
    assert one(legacy, contents) == before
    replay(legacy, "generate", "--scale", "0.01", "--seed", "4")
    assert one(legacy, contents) != before
    indexes = f"SELECT count(*) FROM pg_index WHERE indrelid = '{NAME}'::regclass"
    assert one(legacy, indexes) == (9,)
