"""A partition that stands still without an error is noticed and read anew, by itself."""

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.page import SETTINGS
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed

RECORDS = 4_000


@pytest.mark.parametrize(
    ("workers", "page"), [("1", {}), ("2", {}), ("2", SETTINGS)], ids=["one", "two", "with a page"]
)
def test_a_partition_that_goes_silent_is_read_anew(
    ingester: Ingester, workers: str, page: dict[str, str]
) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(131, RECORDS, partitions=4))

    running = ingester.start(
        "run", "--until-caught-up", "--workers", workers,
        settings={"INGESTER_STALL_SECONDS": "1", **page},
        module="tests.acceptance.silent",
    )  # fmt: skip

    assert running.wait(60.0) == 0, running.tail()
    assert [line["partitions"] for line in running.log.named("stalled")] == [[0]]
    assert running.log.named("worker_died") == []
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == RECORDS
