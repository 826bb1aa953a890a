"""`ingester why` leads from a number to the records of the topic that it was counted from."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.acceptance.ingester import Ingester
from tests.checker.client import KafkaProducer
from tests.checker.topic import read_topic
from tests.sql.history import replay_id

DAY = datetime.now(UTC).date() - timedelta(days=2)
RANDOM = Random("why")


def event(number: int, campaign_id: str = "c", **fields: Any) -> dict[str, Any]:
    return {
        "event_id": str(UUID(bytes=RANDOM.randbytes(16))),
        "campaign_id": campaign_id,
        "event_type": "opened",
        "occurred_at": f"{DAY}T{number // 60:02}:{number % 60:02}:00Z",
        **fields,
    }


@pytest.fixture
def known(ingester: Ingester) -> Ingester:
    """120 live events and a replayed one, among duplicates, rejects and another campaign's."""
    events = [event(number) for number in range(120)]
    replayed = event(0, event_id=str(replay_id(RANDOM)), count=40, event_type="sent")
    values = [json.dumps(each).encode() for each in [*events, replayed, *events[:10]]]
    values += [json.dumps(event(number, "d")).encode() for number in range(30)]
    values += [b"poison"] * 5
    producer = KafkaProducer(bootstrap_servers=ingester.bootstrap.split(","))
    try:
        for number, value in enumerate(values):
            producer.send(ingester.topic, value, partition=number % 4)
        producer.flush(30)
    finally:
        producer.close()
    ingester.catch_up(settings={"INGESTER_BATCH_ROWS_MAX": "40"})
    assert ingester.run("refresh", "--once").code == 0
    return ingester


def why(ingester: Ingester, *arguments: str) -> Any:
    told = ingester.run("why", "c", str(DAY), "--json", *arguments)
    assert told.code == 0, told.tail()
    return json.loads(told.stdout)


def test_every_event_is_found_in_the_offsets_that_are_told_page_by_page(known: Ingester) -> None:
    offsets: dict[str, set[tuple[int, int]]] = {}
    for partition, log in read_topic(known.bootstrap, known.topic).items():
        for record in log.records:
            if record.value and record.value.startswith(b"{"):
                name = json.loads(record.value)["event_id"]
                offsets.setdefault(name, set()).add((partition, record.offset))

    told = why(known, "--limit", "1000")

    assert told["shown"] == told["metrics"]
    assert (told["shown"]["opened"], told["shown"]["sent"]) == (120, 40)
    assert told["events_total"] == len(told["events"]) == 121
    ranges = {each["batch_id"]: each for each in told["ranges"]}
    for each in told["events"]:
        source = ranges[each["batch_id"]]
        assert source["topic"] == known.topic
        assert any(
            partition == source["partition"]
            and source["first_offset"] <= offset < source["next_offset"]
            for partition, offset in offsets[each["event_id"]]
        ), each
    assert told["totals"]["ranges"] == len(ranges) >= 4
    for name in ("records", "duplicates", "rejected"):
        assert told["totals"][name] == sum(each[name] for each in ranges.values())

    first = why(known, "--limit", "70")
    second = why(known, "--limit", "70", "--after", first["next_after"])
    assert first["events"] + second["events"] == told["events"]
    assert second["next_after"] is None
    assert first["metrics"] == second["metrics"] == told["metrics"]
    assert first["totals"] == second["totals"] == told["totals"]

    with psycopg.connect(known.database_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO replay_state (cut_date, legacy_table, topic, cluster_id, topic_id)"
            " VALUES (current_date, 'old_stats', 't', 'c', 'i')"
        )
        owner.execute("CREATE TABLE old_stats (campaign_id text, day date, note text)")
        owner.execute("INSERT INTO old_stats VALUES ('c', %s, 'from the old system')", [DAY])
    shown = known.run("why", "c", str(DAY), settings={"REPLAY_COLUMN_STAT_DATE": "day"})
    assert shown.code == 0, shown.tail()
    assert f"c on {DAY}: sent 40, opened 120" in shown.stdout
    assert f"{known.topic}[" in shown.stdout
    assert "sent (legacy)" in shown.stdout
    assert "100 of 121 events shown" in shown.stdout
    assert "from the old system" in shown.stdout
    assert "more: --after " in shown.stdout
    assert known.run("why", "[bold]c", "2020-01-01", "--after", "x").code == 2
