"""The main job, with nothing going wrong but the input."""

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Kind, mixed


def test_every_record_becomes_one_row_one_counted_duplicate_or_one_reject(
    ingester: Ingester,
) -> None:
    published = publish(ingester.bootstrap, ingester.topic, mixed(1, 30_000, partitions=4))

    running = ingester.catch_up(workers=2)

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.inserted == published[Kind.VALID]
    assert verdict.duplicates == published[Kind.DUPLICATE] + published[Kind.CONFLICTING]
    assert verdict.rejected == published[Kind.INVALID]
    assert running.log.noise == []
