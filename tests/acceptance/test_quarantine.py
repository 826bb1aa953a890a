"""Rejects are listed, shown, published again and discarded; every change is audited."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ingester.errors import TemporaryError
from ingester.kafka import Publisher
from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Publication, event, mixed, publication

WHY = "the window was widened"
OLD = timedelta(days=500)
NARROW = {"INGESTER_WINDOW_DAYS_BACK": "400"}


def old_events(count: int) -> list[Publication]:
    """Events that a narrow window refuses and the default one accepts."""
    random = Random(51)
    long_ago = (datetime.now(UTC) - OLD).isoformat()
    return [
        publication(event(random, occurred_at=long_ago), headers=(("trace", b"1"),))
        for _ in range(count)
    ]


def rejected(ingester: Ingester, *arguments: str, code: int = 0) -> Any:
    """What `ingester rejected` says as JSON."""
    running = ingester.run("rejected", *arguments, "--json")
    assert running.code == code, running.tail()
    return json.loads(running.stdout)


def query(ingester: Ingester, text: str) -> Sequence[dict[str, Any]]:
    with psycopg.connect(ingester.database_url, row_factory=dict_row) as connection:
        return connection.execute(text.encode()).fetchall()


def balances(ingester: Ingester) -> None:
    """The product's own proof: the independent judge knows one window only, the default one."""
    running = ingester.run("verify", "--against-topic")
    assert running.code == 0, running.stdout


@pytest.fixture
def with_rejects(ingester: Ingester) -> Ingester:
    """50 events that a narrow window refused, 100 good ones and 30 that can never be events."""
    publish(ingester.bootstrap, ingester.topic, old_events(50))
    publish(ingester.bootstrap, ingester.topic, mixed(52, 100, invalid=0, repeated=0))
    publish(ingester.bootstrap, ingester.topic, mixed(53, 30, invalid=1))
    ingester.catch_up(settings=NARROW)
    return ingester


def test_requeued_rejects_become_events_once(with_rejects: Ingester) -> None:
    ingester = with_rejects
    before = query(ingester, "SELECT reject_id, state FROM rejected_events ORDER BY 1")
    told = rejected(ingester, "requeue")
    assert (told["done"], told["requeued"], sum(told["still_refused"].values())) == (False, 50, 30)
    assert query(ingester, "SELECT reject_id, state FROM rejected_events ORDER BY 1") == before
    assert ingester.run("rejected", "requeue", "--yes").code == 2, "without a reason"

    done = rejected(ingester, "requeue", "--yes", "--why", WHY)

    assert (done["done"], done["requeued"]) == (True, 50)
    ingester.catch_up()
    balances(ingester)
    ((totals,),) = [query(ingester, "SELECT count(*) AS events FROM campaign_events")]
    assert totals["events"] == 150
    assert query(ingester, "SELECT state, attempts, count(*) FROM rejected_events"
                           " GROUP BY 1, 2 ORDER BY 1") == [
        {"state": "new", "attempts": 0, "count": 30},
        {"state": "requeued", "attempts": 1, "count": 50},
    ]  # fmt: skip
    (audit,) = query(ingester, "SELECT * FROM operator_actions")
    assert (audit["action"], audit["topic"], audit["why"]) == ("requeue", ingester.topic, WHY)
    assert audit["detail"]["rejects"] == 50
    assert "@" in audit["operator"]
    headers = query(ingester, "SELECT headers FROM rejected_events WHERE state = 'requeued'")
    assert headers[0]["headers"] == [["trace", "MQ=="]]


def test_a_crash_after_publishing_doubles_nothing(with_rejects: Ingester) -> None:
    ingester = with_rejects
    # What a crash between the delivery and the mark leaves behind: published, and still new.
    with psycopg.connect(ingester.database_url) as connection:
        rejected(ingester, "requeue", "--yes", "--why", WHY)
        connection.execute("UPDATE rejected_events SET state = 'new' WHERE state = 'requeued'")

    assert rejected(ingester, "requeue", "--yes", "--why", WHY)["requeued"] == 50

    ingester.catch_up()
    balances(ingester)
    (row,) = query(ingester, "SELECT sum(inserted) AS inserted, sum(duplicates) AS duplicates,"
                             " sum(rejected) AS rejected FROM ingest_offsets")  # fmt: skip
    assert (row["inserted"], row["duplicates"], row["rejected"]) == (150, 50, 80)


def test_what_could_not_be_delivered_is_not_marked(
    with_rejects: Ingester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingester.commands.rejected import requeue  # noqa: PLC0415  # with this test's settings

    def fail(_: Publisher, timeout_seconds: float) -> None:
        raise TemporaryError(f"not delivered after {timeout_seconds:g} s")

    for name, value in with_rejects.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Publisher, "flush", fail)
    with pytest.raises(TemporaryError):
        requeue(why=WHY, yes=True)
    assert query(with_rejects, "SELECT count(*) FROM rejected_events WHERE state <> 'new'") == [
        {"count": 0}
    ]
    assert query(with_rejects, "SELECT * FROM operator_actions") == []


def test_discarded_rejects_keep_their_bytes_and_are_settled(with_rejects: Ingester) -> None:
    ingester = with_rejects
    assert rejected(ingester, "discard", "--reason", "outside_window")["discarded"] == 50
    done = rejected(
        ingester, "discard", "--reason", "outside_window", "--yes", "--why", "not wanted"
    )
    assert done == {"done": True, "discarded": 50, "still_refused": {}}
    assert len(rejected(ingester, "list", "--limit", "1000")) == 30
    assert len(rejected(ingester, "list", "--state", "discarded", "--limit", "1000")) == 50
    (row,) = query(ingester, "SELECT count(value) AS kept FROM rejected_events"
                             " WHERE state = 'discarded'")  # fmt: skip
    assert row["kept"] == 50
    balances(ingester)
    (audit,) = query(ingester, "SELECT * FROM operator_actions")
    assert (audit["action"], audit["detail"]["rejects"]) == ("discard", 50)


def test_filters_choose(with_rejects: Ingester) -> None:
    ingester = with_rejects
    everything = rejected(ingester, "list", "--state", "all", "--limit", "1000")
    assert len(everything) == 80
    one = everything[0]["reject_id"]
    assert [each["reject_id"] for each in rejected(ingester, "list", "--id", str(one))] == [one]
    assert rejected(ingester, "list", "--topic", "another") == []
    assert rejected(ingester, "list", "--since", "2100-01-01") == []
    assert rejected(ingester, "list", "--until", "2020-01-01") == []
    old = rejected(ingester, "list", "--reason", "outside_window", "--limit", "1000")
    assert len(old) == 50
    assert {each["reason_code"] for each in old} == {"outside_window"}
    assert rejected(ingester, "requeue", "--id", str(old[0]["reject_id"]))["requeued"] == 1


def test_a_reject_is_shown_with_its_bytes_and_without_control_characters(
    ingester: Ingester,
) -> None:
    evil = b"\x1b[31mred\x07 [bold]"
    publish(ingester.bootstrap, ingester.topic, [Publication(b"key", evil)])
    ingester.catch_up()
    (row,) = rejected(ingester, "list")
    number = str(row["reject_id"])

    shown = ingester.run("rejected", "show", number)
    raw = ingester.run("rejected", "show", number, "--raw")

    assert shown.code == 0
    assert "invalid_json" in shown.stdout
    assert "red\N{REPLACEMENT CHARACTER} [bold]" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert raw.out.read_bytes() == evil
    assert ingester.run("rejected", "show", "999999").code == 2
    assert "invalid_json" in ingester.run("rejected", "list").stdout
