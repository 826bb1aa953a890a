"""SIGKILL at random moments, while a batch is open."""

from tests.acceptance.ingester import Ingester
from tests.acceptance.killing import kill_until_caught_up, short_session, table
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Kind, mixed

KILLS = 20
RECORDS = 40_000


def test_workers_killed_twenty_times_lose_and_repeat_nothing(ingester: Ingester) -> None:
    published = publish(ingester.bootstrap, ingester.topic, mixed(2, RECORDS, partitions=4))
    ingester.settings |= short_session(ingester.bootstrap) | {"INGESTER_BATCH_ROWS_MAX": "500"}

    kills = kill_until_caught_up(ingester, kills=KILLS, records=RECORDS, seed=3, seconds=480)

    verdict = ingester.verdict()
    assert verdict.ok, (verdict.differences, table(kills))
    assert verdict.inserted == published[Kind.VALID]
    assert verdict.inserted + verdict.duplicates + verdict.rejected == RECORDS
    assert sum(kill.stage != "committed" for kill in kills) >= KILLS
