"""A writer that stopped in the middle of COPY holds more than its offsets: the keys it wrote."""

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from ingester.batch import Written
from ingester.errors import TemporaryError
from ingester.retry import Retry
from tests.contract.postgres_backend import PostgresBackend, backend_on
from tests.contract.slices import TOPIC, slice_of
from tests.record import event_id, value_of

ROWS = 3_000
"""More than COPY keeps in memory before it writes to the leaf."""


@pytest.fixture
def backend(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresBackend]:
    yield from backend_on(database_url, monkeypatch, ingester_takeover_seconds=0.5)


def stopped_in_copy(url: str, application_name: str) -> psycopg.Connection:
    """A writer that has copied the event 1 and others, and says no more."""
    writer = psycopg.connect(url, application_name=application_name)
    writer.execute("BEGIN")
    columns = "event_id, occurred_at, batch_id, campaign_key, event_count, event_type"
    (key,) = writer.execute(
        "SELECT campaign_key FROM campaigns WHERE campaign_id = 'campaign-1'"
    ).fetchone() or (0,)
    pgconn = writer.pgconn
    pgconn.exec_(f"COPY campaign_events_2024_05 ({columns}) FROM STDIN".encode())
    for number in range(1, ROWS):
        row = f"{event_id(number)}\t2024-05-06T07:08:09.123456Z\t999\t{key}\t1\tsent\n"
        pgconn.put_copy_data(row.encode())
    pgconn.flush()
    return writer


def begun(backend: PostgresBackend) -> str:
    """The campaign and its leaf are there before anybody stops; returns the URL."""
    store = backend.open()
    store.positions(TOPIC, {0: 0})
    store.write(TOPIC, [slice_of(0, 0, [value_of(4_000, campaign_id="campaign-1")])])
    assert backend.settings.database_url is not None
    return backend.settings.database_url.get_secret_value()


def test_a_writer_that_stopped_in_copy_with_our_key_is_ended(backend: PostgresBackend) -> None:
    url = begun(backend)
    with closing(stopped_in_copy(url, "ingester-writer-stopped")) as stopped:
        outcome = backend.open().write(TOPIC, [slice_of(0, 1, [value_of(1)])])

        assert (outcome.inserted, outcome.duplicates) == (1, 0)
        assert backend.stored().positions == {0: 2}
        assert len(backend.stored().events) == 2, "what the stopped one had copied is gone"
        pid = stopped.info.backend_pid
        assert backend.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}") == []


def test_somebody_else_who_holds_our_key_is_waited_for_again_and_again(
    backend: PostgresBackend,
) -> None:
    url = begun(backend)
    with closing(stopped_in_copy(url, "psql")) as other:
        store = backend.open()
        timed_out = threading.Event()
        refusals: list[str] = []
        outcomes: list[Written] = []

        def attempt() -> Written:
            try:
                return store.write(TOPIC, [slice_of(0, 1, [value_of(1)])])
            except TemporaryError as error:
                refusals.append(str(error))
                timed_out.set()
                raise

        def write() -> None:
            outcomes.append(Retry(threading.Event())(attempt))

        writing = threading.Thread(target=write, daemon=True)
        writing.start()
        assert timed_out.wait(60.0), "no wait for a lock lasts for ever"
        assert "55P03" in refusals[0]
        assert backend.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {other.info.backend_pid}")
        other.close()
        writing.join(60.0)
        assert [outcome.inserted for outcome in outcomes] == [1]
