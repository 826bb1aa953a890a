"""add_campaign_event(s): the contract, identity and ledger of Kafka's events, without Kafka."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ingester.outcomes import Rejected, Window
from ingester.strict import decode_strictly
from tests.sql.history import Event, History, Row, at, months_ago

ADD: Final = "SELECT inserted, duplicates, conflicting FROM add_campaign_events(%s)"
REPLAYED: Final = "01890a5d-ac96-8ca3-9a17-0123456789ab"


def event(**changes: object) -> dict[str, Any]:
    """A valid event with some fields changed; a field set to ... is left out."""
    fields = {
        "event_id": str(uuid.uuid4()),
        "campaign_id": "c",
        "event_type": "sent",
        "occurred_at": "2025-03-05T10:00:00Z",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def add(history: History, *events: object) -> Row:
    return history.query(ADD, Jsonb(list(events)))[0]


def stored(history: History) -> list[Row]:
    return history.query(
        "SELECT campaign_id, event_id::text, occurred_at, event_type::text, event_count,"
        " email_account_id, metadata FROM campaign_events INNER JOIN campaigns USING (campaign_key)"
        " ORDER BY occurred_at, campaign_id"
    )


def test_events_are_stored_with_all_their_fields_and_counted_after_a_refresh(
    history: History,
) -> None:
    first = event(
        count=3, email_account_id="me@x", metadata={"a": None, "b": [1.50, "é"]}, correction=False
    )
    second = event(
        event_id=REPLAYED, campaign_id="d", occurred_at="2024-12-31T23:30:00.1234569-02:30",
        count=-2, correction=True, event_type="bounced", email_account_id=None, metadata=None,
    )  # fmt: skip
    assert add(history, first, second) == (2, 0, 0)
    assert stored(history) == [
        ("d", REPLAYED, at("2025-01-01 02:00:00.123456"), "bounced", -2, None, None),
        (
            "c",
            first["event_id"],
            at("2025-03-05 10:00"),
            "sent",
            3,
            "me@x",
            {"a": None, "b": [1.5, "é"]},
        ),
    ]
    assert history.query("SELECT sum(sent) FROM campaign_daily_stats") == [(None,)]
    history.refresh()
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_the_ledger_gets_one_row_without_a_topic(history: History) -> None:
    add(
        history,
        event(occurred_at="2025-03-05T10:00:00Z"),
        event(occurred_at="2025-05-05T10:00:00Z"),
    )
    assert history.query(
        "SELECT topic, partition, first_offset, records, inserted, duplicates, rejected,"
        " min_occurred_at, max_occurred_at, folded_at,"
        " (SELECT array_agg(DISTINCT batch_id) = ARRAY[ledger.batch_id] FROM campaign_events)"
        " FROM ingest_batches AS ledger"
    ) == [
        (None, None, None, 2, 2, 0, 0, at("2025-03-05 10:00"), at("2025-05-05 10:00"), None, True)
    ]  # fmt: skip


def test_repeats_change_nothing_and_those_that_tell_another_story_are_counted(
    history: History,
) -> None:
    one = event()
    assert add(history, one, one, {**one, "count": 2}) == (1, 2, 1)
    # To the microsecond it is the same instant; the campaign and the id are the same.
    again = {**one, "occurred_at": "2025-03-05T11:00:00.0000009+01:00"}
    assert add(history, again, {**again, "event_type": "opened"}) == (0, 2, 1)
    others = [
        {**one, "campaign_id": "d"},
        {**one, "occurred_at": "2025-03-05T10:00:00.000001Z"},
        event(),
    ]
    assert add(history, *others) == (3, 0, 0)
    assert len(stored(history)) == 4
    assert {row[4] for row in stored(history)} == {1}
    # A batch that brought nothing has nothing to fold.
    assert history.query("SELECT folded_at IS NULL FROM ingest_batches ORDER BY batch_id") == [
        (True,), (False,), (True,),
    ]  # fmt: skip
    history.refresh()
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_an_event_that_came_through_kafka_is_a_duplicate(history: History) -> None:
    known = Event("c", at("2025-03-05 10:00"))
    history.ingest([known])
    assert add(history, event(event_id=str(known.event_id))) == (0, 1, 0)
    assert add(history, event(event_id=str(known.event_id), count=5)) == (0, 1, 1)
    history.assert_books_balance()


def test_an_empty_array_leaves_no_trace(history: History) -> None:
    assert add(history) == (0, 0, 0)
    assert history.query("SELECT * FROM ingest_batches") == []


FAULTS: Final[list[tuple[object, str]]] = [
    (event(event_id=...), ".event_id: is missing"),
    (event(campaign_id=...), ".campaign_id: is missing"),
    (event(event_type=...), ".event_type: is missing"),
    (event(occurred_at=...), ".occurred_at: is missing"),
    (event(colour="red"), ".colour: is an unknown field"),
    (event(event_id=None), ".event_id: "),
    (event(event_id=7), ".event_id: "),
    (event(event_id="01890a5dac967ca39a170123456789ab"), ".event_id: "),
    (event(event_id="{01890a5d-ac96-7ca3-9a17-0123456789ab}"), ".event_id: "),
    (event(event_id="01890a5d-ac96-7ca3-9a17-0123456789ag"), ".event_id: "),
    (event(event_id="01890a5d-ac96-7ca3-9a17-0123456789ab\n"), ".event_id: "),
    (event(campaign_id=None), ".campaign_id: "),
    (event(campaign_id=7), ".campaign_id: "),
    (event(campaign_id=""), ".campaign_id: "),
    (event(campaign_id="é" * 256), ".campaign_id: "),
    (event(event_type=None), ".event_type: "),
    (event(event_type="Sent"), ".event_type: "),
    (event(event_type=["sent"]), ".event_type: "),
    (event(occurred_at=None), ".occurred_at: "),
    (event(occurred_at=1741168800), ".occurred_at: "),
    (event(occurred_at="2025-03-05T10:00:00"), ".occurred_at: "),
    (event(occurred_at="2025-03-05 10:00:00Z"), ".occurred_at: "),
    (event(occurred_at="2025-03-05"), ".occurred_at: "),
    (event(occurred_at="now"), ".occurred_at: "),
    (event(occurred_at="infinity"), ".occurred_at: "),
    (event(occurred_at="2025-02-29T10:00:00Z"), ".occurred_at: "),
    (event(occurred_at="2025-13-01T10:00:00Z"), ".occurred_at: "),
    (event(occurred_at="2025-03-00T10:00:00Z"), ".occurred_at: "),
    (event(occurred_at="2025-03-05T24:00:00Z"), ".occurred_at: "),
    (event(occurred_at="2025-03-05T23:59:60Z"), ".occurred_at: "),
    (event(occurred_at="2025-03-05T10:00:00+24:00"), ".occurred_at: "),
    (event(occurred_at="2025-03-05T10:00:00+0100"), ".occurred_at: "),
    (event(occurred_at="2025-03-05T10:00:00.Z"), ".occurred_at: "),
    (event(occurred_at="0000-03-05T10:00:00Z"), ".occurred_at: "),
    (event(occurred_at="٢٠٢٥-03-05T10:00:00Z"), ".occurred_at: "),
    (event(occurred_at="1999-12-31T23:59:59Z"), ".occurred_at: "),
    (event(occurred_at="0001-01-01T00:00:00+23:59"), ".occurred_at: "),
    (event(occurred_at="9999-12-31T23:59:59-23:59"), ".occurred_at: "),
    (event(count=None), ".count: "),
    (event(count="1"), ".count: "),
    (event(count=True), ".count: "),
    (event(count=1.0), ".count: "),
    (event(count=1.5), ".count: "),
    (event(count=0), ".count: "),
    (event(count=-1), ".count: "),
    (event(count=2**31), ".count: "),
    (event(count=10**400), ".count: "),
    (event(count=-(2**31), correction=True, event_id=REPLAYED), ".count: "),
    (event(count=0, correction=True, event_id=REPLAYED), ".count: "),
    (event(count=-1, correction=False, event_id=REPLAYED), ".count: "),
    (event(correction=None), ".correction: "),
    (event(correction="true"), ".correction: "),
    (event(correction=True), ".correction: "),
    (event(correction=True, count=-1), ".correction: "),
    (event(email_account_id=""), ".email_account_id: "),
    (event(email_account_id=1), ".email_account_id: "),
    (event(email_account_id="x" * 256), ".email_account_id: "),
    (event(metadata=[]), ".metadata: "),
    (event(metadata="{}"), ".metadata: "),
    (event(metadata={"k": "x" * 16_384}), ".metadata: "),
    (event(metadata=json.loads('{"a":' * 64 + "1" + "}" * 64)), ".metadata: "),
    (None, ": is not a JSON object"),
    ([], ": is not a JSON object"),
    ("event", ": is not a JSON object"),
]

VALID: Final[list[dict[str, Any]]] = [
    event(),
    event(event_id="01890A5D-AC96-7CA3-9A17-0123456789AB"),
    event(campaign_id="é" * 255),
    event(campaign_id=" "),
    event(occurred_at="2025-03-05t10:00:00z"),
    event(occurred_at="2024-02-29T10:00:00-00:00"),
    event(occurred_at="2025-03-05T10:00:00.1234567890123+23:59"),
    event(occurred_at="2025-03-05T00:00:00.9999999-15:59"),
    event(occurred_at="2025-12-31T23:59:59.5-23:59"),
    event(count=2**31 - 1),
    event(count=-(2**31) + 1, correction=True, event_id=REPLAYED.upper()),
    event(count=1, correction=True, event_id=REPLAYED),
    event(email_account_id=None, metadata=None),
    event(email_account_id="é" * 255),
    event(metadata={}),
    event(metadata={"k": "x" * 16_375}),
    event(metadata=json.loads('{"a":' * 63 + "1" + "}" * 63)),
]
# Test names must be the same in every process that collects them, and the events' ids are not.
FAULT_NAMES: Final = [f"{number} {told[:50]}" for number, (_, told) in enumerate(FAULTS)]
VALID_NAMES: Final = [str(number) for number in range(len(VALID))]


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize(("fault", "told"), FAULTS, ids=FAULT_NAMES)
def test_a_fault_is_told_with_index_field_and_reason_and_nothing_is_written(
    rejecting: History, index: int, fault: object, told: str
) -> None:
    events: list[object] = [event(), event(campaign_id="new"), event()]
    events[index] = fault
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        add(rejecting, *events)
    assert str(caught.value.diag.message_primary).startswith(f"events[{index}]{told}")
    assert rejecting.query("SELECT 1 FROM campaigns UNION ALL SELECT 1 FROM ingest_batches") == []


@pytest.fixture(scope="module")
def rejecting(databases: Any) -> Any:
    """One database for all events that are refused: nothing is ever written to it."""
    with History(databases.url_of(databases.migrated())) as history:
        yield history


@pytest.mark.parametrize("value", VALID, ids=VALID_NAMES)
def test_what_the_contract_allows_is_stored_as_the_decoder_reads_it(
    history: History, value: dict[str, Any]
) -> None:
    assert add(history, value) == (1, 0, 0)
    wide = Window(-(10**18), 10**18)
    decoded = decode_strictly(json.dumps(value).encode(), [], wide)
    assert not isinstance(decoded, Rejected)
    campaign_id, event_id, occurred_us, _, count, email, metadata = decoded
    assert stored(history) == [
        (
            campaign_id, str(uuid.UUID(bytes=event_id)),
            datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=occurred_us),
            value["event_type"], count, email, json.loads(metadata) if metadata else None,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(("fault", "_told"), FAULTS, ids=FAULT_NAMES)
def test_what_is_refused_here_the_decoder_refuses_too(fault: object, _told: str) -> None:
    now = datetime.now(UTC)
    window = Window.around(
        now, timedelta(days=3653), timedelta(days=1), datetime(2000, 1, 1, tzinfo=UTC)
    )
    assert isinstance(decode_strictly(json.dumps(fault).encode(), [], window), Rejected)


def test_the_window_is_ten_years_back_and_a_day_ahead_and_never_below_the_floor(
    history: History,
) -> None:
    now = datetime.now(UTC)
    inside = [now - timedelta(days=3652, hours=23), now + timedelta(hours=23)]
    assert add(history, *(event(occurred_at=time.isoformat()) for time in inside)) == (2, 0, 0)
    for time in (now - timedelta(days=3653, hours=1), now + timedelta(hours=25)):
        with pytest.raises(
            psycopg.errors.InvalidParameterValue, match=r"\.occurred_at: .* not between"
        ):
            add(history, event(occurred_at=time.isoformat()))
    floor = months_ago(2)
    history.connection.execute("UPDATE retention_floor SET floor_date = %s", [floor])
    midnight = datetime(floor.year, floor.month, 1, tzinfo=UTC)
    assert add(history, event(occurred_at=midnight.isoformat())) == (1, 0, 0)
    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match=r"\.occurred_at: .* not between"
    ):
        add(history, event(occurred_at=(midnight - timedelta(microseconds=1)).isoformat()))


@pytest.mark.parametrize("argument", [None, Jsonb({}), Jsonb(None), Jsonb("x")])
def test_anything_but_an_array_is_refused(history: History, argument: object) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="must be a JSON array"):
        history.query(ADD, argument)


def test_one_event_can_be_added_with_named_parameters(history: History) -> None:
    arguments = (REPLAYED, at("2025-03-05 10:00"), Jsonb({"k": None}))
    one = (
        "SELECT inserted, duplicates, conflicting FROM add_campaign_event(event_id => %s,"
        " campaign_id => 'c', event_type => 'replied', occurred_at => %s, count => -2,"
        " correction => true, email_account_id => 'me', metadata => %s)"
    )
    assert history.query(one, *arguments) == [(1, 0, 0)]
    assert history.query(one, *arguments) == [(0, 1, 0)]
    assert stored(history) == [
        ("c", REPLAYED, at("2025-03-05 10:00"), "replied", -2, "me", {"k": None})
    ]
    assert history.query(
        "SELECT inserted, duplicates, conflicting"
        " FROM add_campaign_event(gen_random_uuid(), 'c', 'sent', '2025-03-05 10:00:00.5+05:30')"
    ) == [(1, 0, 0)]
    assert stored(history)[0][2:5] == (at("2025-03-05 04:30:00.500000"), "sent", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        "NULL, 'c', 'sent', now()",
        "gen_random_uuid(), NULL, 'sent', now()",
        "gen_random_uuid(), 'c', 'send', now()",
        "gen_random_uuid(), 'c', 'sent', 'infinity'",
        "gen_random_uuid(), 'c', 'sent', '0044-03-15 BC'",
        "gen_random_uuid(), 'c', 'sent', now(), 0",
        "gen_random_uuid(), 'c', 'sent', now(), -1, true",
        "gen_random_uuid(), 'c', 'sent', now(), 1, false, ''",
        "gen_random_uuid(), 'c', 'sent', now(), 1, false, NULL, '[]'",
    ],
)
def test_one_event_is_held_to_the_same_contract(history: History, arguments: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"^events\[0\]\."):
        history.query(f"SELECT add_campaign_event({arguments})")


def test_callers_at_the_same_time_lose_and_repeat_nothing(
    history: History, database_url: str
) -> None:
    """The same events in other orders, new campaigns and a new month: no deadlock, each once."""
    events = [
        event(campaign_id=f"c{number % 7}", occurred_at=f"2025-0{1 + number % 6}-05T10:00:00Z")
        for number in range(60)
    ]
    barrier = threading.Barrier(4)

    def write(turn: int) -> Row:
        mine = events[turn * 15 :] + events[: turn * 15]
        with psycopg.connect(database_url, autocommit=True) as session:
            barrier.wait()
            return session.execute(ADD, [Jsonb(mine)]).fetchall()[0]

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(write, range(4)))
    assert sum(inserted for inserted, _, _ in outcomes) == 60
    assert sum(duplicates for _, duplicates, _ in outcomes) == 180
    history.refresh()
    history.assert_statistics_are_true()
    history.assert_books_balance()


def test_the_cost_follows_the_events_given_not_those_stored(history: History) -> None:
    for month in range(1, 13):
        history.query("SELECT create_campaign_events_partition(%s)", f"2024-{month:02}-01")
    history.connection.execute(
        "INSERT INTO campaign_events"
        " (event_id, occurred_at, batch_id, campaign_key, event_count, event_type)"
        " SELECT gen_random_uuid(), '2024-01-01Z'::timestamptz + n * interval '5 minutes',"
        " 1, 1, 1, 'sent'"
        " FROM generate_series(0, 99999) AS n"
    )
    again = [event(occurred_at=f"2024-{month:02}-05T10:00:00Z") for month in range(1, 13)]
    assert add(history, *again) == (12, 0, 0)
    with history.connection.transaction():
        assert add(history, *again) == (0, 12, 0)
        assert add(history, *again[:6], event()) == (1, 6, 0)
        ((scanned,),) = history.query(
            "SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables"
            " WHERE relname LIKE 'campaign_events_%%'"
        )
    assert scanned == 0
