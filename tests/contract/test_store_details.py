"""What only the real store can show: its tables, its connections, its campaign keys."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import psycopg
import pytest

from ingester.batch import Slice, Topic
from ingester.errors import (
    IngesterError,
    NeedsAPerson,
    NotPermitted,
    SettingsError,
    TemporaryError,
)
from ingester.event import VALUE_BYTES_MAX
from ingester.outcomes import Outcomes, Reason, Rejected
from ingester.settings import Settings
from ingester.store.campaigns import CampaignKeys
from ingester.store.connection import Connection, connect
from ingester.store.session import Session
from tests.contract.postgres_backend import PostgresBackend, backend_on
from tests.contract.slices import TOPIC, slice_of
from tests.record import FakeRecord, value_of
from tests.session_services import SessionServices

CANARY = "canary-7f3a"


@pytest.fixture
def backend(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresBackend]:
    yield from backend_on(database_url, monkeypatch)


@pytest.fixture
def connection(backend: PostgresBackend) -> Iterator[Connection]:
    with connect(backend.settings, "test") as opened:
        yield opened


# -- rejects


def test_a_reject_keeps_everything_of_its_record(backend: PostgresBackend) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    large = b"\xff" * (VALUE_BYTES_MAX + 1)
    records = [
        FakeRecord(0, b"\0{", b"\0\xff", [("a\0\ud800", b"\0"), ("a\0\ud800", None), ("", "é")]),
        FakeRecord(1, None),
        FakeRecord(2, large, b"k", [("h", b"x")] * 1_000),
    ]
    rejected = Rejected(Reason.INVALID_JSON, "\0\ud800 'quoted' \\ %s")
    store.write(TOPIC, [Slice(0, 0, 3, list(records), Outcomes.of([rejected] * 3))])
    rows = backend.rows("""
        SELECT "offset", key, value, value_bytes, value_sha256, headers, topic, topic_id, partition,
            reason_code, state, detail = E'\\\\x00\\\\ud800 \\'quoted\\' \\\\\\\\ %s'
        FROM rejected_events ORDER BY "offset" """)
    same = ("campaign-events", "topic-id", 0, "invalid_json", "new", True)

    def digest(value: bytes) -> bytes:
        return hashlib.sha256(value).digest()

    named = [["a\\u0000\\ud800", "AA=="], ["a\\u0000\\ud800", None], ["", "w6k="]]
    assert rows == [
        (0, b"\0\xff", b"\0{", 2, digest(b"\0{"), named, *same),
        (1, None, None, 0, digest(b""), [], *same),
        (2, b"k", large[:65536], len(large), digest(large), [["h", "eA=="]] * 1_000, *same),
    ]


def test_the_offset_of_a_topic_made_again_may_repeat_in_the_rejects(
    backend: PostgresBackend,
) -> None:
    again = replace(TOPIC, name="campaign-events-2", topic_id="made-again")
    for topic in (TOPIC, again):
        store = backend.open()
        store.positions(topic, {0: 0})
        store.write(topic, [slice_of(0, 0, [b""])])
    assert backend.rows('SELECT count(*) FROM rejected_events WHERE "offset" = 0') == [(2,)]


# -- topics


def test_every_topic_keeps_offsets_of_its_own(backend: PostgresBackend) -> None:
    other = Topic("another-topic", "its-id", TOPIC.cluster_id)
    store = backend.open()
    store.positions(TOPIC, {0: 4})
    assert store.positions(other, {0: 9}) == {0: 9}
    assert (store.offsets(TOPIC.name), store.offsets(other.name)) == ({0: 4}, {0: 9})
    store.write(other, [slice_of(0, 9, [value_of(1)])])
    assert (store.offsets(TOPIC.name), store.offsets(other.name)) == ({0: 4}, {0: 10})


# -- campaigns


def test_the_campaign_cache_is_bounded(connection: Connection) -> None:
    keys = CampaignKeys(size_max=100)
    known: dict[str, int] = {}
    for first in range(0, 1_000, 40):
        wanted = [f"c{number}" for number in range(first, first + 60)]
        found = keys.resolve(connection, wanted)
        assert len(found) <= 100
        for name in wanted:
            assert known.setdefault(name, found[name]) == found[name]
    assert len(set(known.values())) == len(known), "every campaign has a key of its own"


def test_a_batch_with_more_campaigns_than_the_cache_holds_gets_them_all(
    connection: Connection,
) -> None:
    keys = CampaignKeys(size_max=10)
    wanted = [f"c{number}" for number in range(50)]
    assert set(wanted) <= keys.resolve(connection, wanted).keys()
    assert keys.resolve(connection, ["c3", "new"]).keys() == {"c3", "new"}


def test_looking_up_burns_no_keys(connection: Connection) -> None:
    for _ in range(20):
        CampaignKeys(100).resolve(connection, ["a", "b", "c"])
    CampaignKeys(100).resolve(connection, ["a", "d"])
    rows = connection.execute("SELECT campaign_key FROM campaigns ORDER BY 1").fetchall()
    assert [key for (key,) in rows] == [1, 2, 3, 4]


def test_workers_that_add_the_same_campaigns_at_once_agree(backend: PostgresBackend) -> None:
    names = [f"c{number}" for number in range(300)]

    def add(number: int) -> dict[str, int]:
        with connect(backend.settings, f"test-{number}") as opened:
            wanted = names if number % 2 else names[::-1]
            return dict(CampaignKeys(1_000).resolve(opened, wanted))

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(add, range(4))
    assert all(other == first for other in others)
    assert first.keys() == set(names)


def test_forgotten_keys_are_looked_up_again(connection: Connection) -> None:
    keys = CampaignKeys(100)
    keys.resolve(connection, ["a"])
    connection.execute("DELETE FROM campaigns")
    keys.forget()
    assert keys.resolve(connection, ["a"]) == {"a": 2}


def test_campaigns_looked_up_ahead_are_known_when_their_events_are_encoded(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    store.write(TOPIC, [slice_of(0, 0, [value_of(1, campaign_id="old")])])
    part = slice_of(0, 1, [value_of(2, campaign_id="old"), value_of(3, campaign_id="new")])
    look_up = store.look_up_ahead([part.outcomes])
    assert look_up is not None
    before = store.encode_ahead([part])
    assert before is not None
    assert before.unknown_campaigns() == {"new"}
    look_up()
    assert store.look_up_ahead([part.outcomes]) is None
    encoded = store.encode_ahead([part])
    assert encoded is not None
    assert encoded.unknown_campaigns() == set()
    assert store.write(TOPIC, [part], encoded).inserted == 2


# -- leaves


def test_a_leaf_that_was_dropped_since_is_made_again(backend: PostgresBackend) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    store.write(TOPIC, [slice_of(0, 0, [value_of(1)])])
    backend.run("ALTER TABLE campaign_events DETACH PARTITION campaign_events_2024_05")
    backend.run("DROP TABLE campaign_events_2024_05")
    assert store.write(TOPIC, [slice_of(0, 1, [value_of(2)])]).inserted == 1
    assert backend.rows("SELECT count(*) FROM campaign_events") == [(1,)]


@pytest.mark.parametrize("is_known", [True, False], ids=["of a leaf known here", "of no leaf"])
def test_events_of_a_month_that_was_dropped_since_become_rejects(
    backend: PostgresBackend, is_known: bool
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    first = store.write(TOPIC, [slice_of(0, 0, [value_of(1)] if is_known else [b""])])
    assert first.inserted == is_known
    backend.raise_floor(date(2024, 6, 1))
    backend.run("DROP TABLE IF EXISTS campaign_events_2024_05")
    above = value_of(3, occurred_at="2024-06-01T00:00:00Z")
    written = store.write(TOPIC, [slice_of(0, 1, [value_of(2), above])])
    assert (written.inserted, written.rejected) == (1, 1)
    assert store.offsets(TOPIC.name) == {0: 3}


def test_a_leaf_that_was_put_aside_under_another_name_is_not_written_to(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    store.write(TOPIC, [slice_of(0, 0, [value_of(1)])])
    backend.run("ALTER TABLE campaign_events DETACH PARTITION campaign_events_2024_05")
    backend.run("ALTER TABLE campaign_events_2024_05 RENAME TO put_aside")
    assert store.write(TOPIC, [slice_of(0, 1, [value_of(2)])]).inserted == 1
    assert backend.rows("SELECT count(*) FROM put_aside") == [(1,)]


def test_a_leaf_that_was_detached_by_hand_stops_the_writer_and_is_not_written_to(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    store.write(TOPIC, [slice_of(0, 0, [value_of(1)])])
    backend.run("ALTER TABLE campaign_events DETACH PARTITION campaign_events_2024_05")
    with pytest.raises(IngesterError, match="campaign_events_2024_05"):
        store.write(TOPIC, [slice_of(0, 1, [value_of(2)])])
    assert backend.rows("SELECT count(*) FROM campaign_events_2024_05") == [(1,)]
    assert store.offsets(TOPIC.name) == {0: 1}


# -- connections


def test_a_lost_connection_is_temporary_and_the_next_write_has_a_new_one(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    backend.run("""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'ingester-writer-test-0'""")
    part = slice_of(0, 0, [value_of(1)])
    with pytest.raises(TemporaryError):
        store.write(TOPIC, [part])
    assert store.write(TOPIC, [part]).inserted == 1


def test_after_a_lost_connection_nothing_is_remembered_of_the_old_server(
    backend: PostgresBackend,
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    store.write(TOPIC, [slice_of(0, 0, [value_of(1, campaign_id="a")])])
    store.close()
    backend.run("TRUNCATE campaign_events, ingest_batches, campaigns RESTART IDENTITY")
    backend.run("INSERT INTO campaigns (campaign_id) VALUES ('b')")
    store.write(TOPIC, [slice_of(0, 1, [value_of(2, campaign_id="a")])])
    assert [identity[0] for identity in backend.stored().events] == ["a"]


def test_a_transaction_that_was_left_open_costs_the_connection(backend: PostgresBackend) -> None:
    lost: list[bool] = []
    session = Session(backend.settings, "test", lambda: lost.append(True))
    pids = []
    for command in ("BEGIN", "SELECT 1", "SELECT 1"):
        with session.use("a test") as connection:
            connection.execute(command)
            pids.append(connection.info.backend_pid)
    session.close()
    assert (pids[0] != pids[1], pids[1] == pids[2]) == (True, True)
    assert len(lost) == 2, "when it was given up, and at the end"


def test_a_server_that_let_us_in_once_and_refuses_us_now_is_asked_again(
    backend: PostgresBackend, services: SessionServices
) -> None:
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    ((name,),) = backend.rows("SELECT current_database()")
    with psycopg.connect(services.url, autocommit=True) as elsewhere:
        elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    store.close()
    with pytest.raises(TemporaryError):
        store.offsets(TOPIC.name)
    with pytest.raises(NotPermitted):
        backend.open().offsets(TOPIC.name)


def test_a_database_without_the_schema_is_told_with_what_to_do(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = PostgresBackend(empty_database_url, monkeypatch)
    with pytest.raises(NeedsAPerson, match="ingester migrate"):
        backend.open().positions(TOPIC, {0: 0})
    backend.close()


def test_a_url_that_is_none_is_a_wrong_setting_and_is_not_shown() -> None:
    settings = Settings(database_url=f"{CANARY} {CANARY}", _env_file=None)
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        connect(settings, "test")
    assert CANARY not in str(refused.value)


def test_a_server_that_is_not_there_is_temporary_and_the_password_is_not_shown() -> None:
    url = f"postgresql://nobody:{CANARY}@127.0.0.1:1/nothing"
    with pytest.raises(TemporaryError) as refused:
        connect(Settings(database_url=url, _env_file=None), "test")
    assert CANARY not in str(refused.value)


def test_a_role_or_database_that_is_not_there_is_not_permitted(backend: PostgresBackend) -> None:
    url = backend.settings.database_url
    assert url is not None
    wrong = Settings(
        database_url=url.get_secret_value().rpartition("/")[0] + "/no_such_database", _env_file=None
    )
    with pytest.raises(NotPermitted, match="no_such_database"):
        connect(wrong, "test")


def test_a_session_is_in_utc_with_bounded_waits(backend: PostgresBackend) -> None:
    with connect(backend.settings, "test", statement_seconds_max=7.5) as opened:
        names = ("TimeZone", "statement_timeout", "idle_in_transaction_session_timeout")
        values = [opened.execute(f"SHOW {name}").fetchone() for name in (*names, "lock_timeout")]
    assert values == [("UTC",), ("7500ms",), ("7500ms",), ("1min",)], "a takeover is tried first"
