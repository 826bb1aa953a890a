"""The same events published again, by a producer that retries or a topic that is written twice."""

import json
from dataclasses import replace

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Publication, mixed

EVENTS = 5_000
CONTRADICTED = 700


def contradicting(record: Publication) -> Publication:
    """The same event, told with another count."""
    fields = json.loads(record.value or b"")
    fields["count"] = fields.get("count", 1) + 1
    return replace(record, value=json.dumps(fields).encode())


def test_records_published_again_after_a_restart_change_nothing_and_are_counted(
    ingester: Ingester,
) -> None:
    events = list(mixed(6, EVENTS, repeated=0, invalid=0))
    publish(ingester.bootstrap, ingester.topic, events)
    ingester.catch_up()
    publish(ingester.bootstrap, ingester.topic, events)
    publish(ingester.bootstrap, ingester.topic, map(contradicting, events[:CONTRADICTED]))

    ingester.catch_up()

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.inserted == EVENTS
    assert verdict.duplicates == EVENTS + CONTRADICTED
    assert verdict.conflicting == CONTRADICTED


def test_a_contradiction_repeated_within_one_batch_counts_each_time(ingester: Ingester) -> None:
    events = list(mixed(7, 100, repeated=0, invalid=0))
    publish(ingester.bootstrap, ingester.topic, events)
    ingester.catch_up()
    wrong = [contradicting(each) for each in events]
    publish(ingester.bootstrap, ingester.topic, [*wrong, *wrong])

    ingester.catch_up(settings={"INGESTER_BATCH_AGE_SECONDS_MAX": "1"})

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
