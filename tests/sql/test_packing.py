"""Sparse keys are packed by the upkeep, beside readers and writers; what is left is cleared."""

from datetime import UTC, datetime

import psycopg
import pytest

from ingester import maintenance
from ingester.errors import TemporaryError
from ingester.settings import load_settings
from ingester.store.connection import connect
from ingester.store.packing import pack_indexes
from ingester.store.refreshing import RefreshStore
from tests.sql.history import History
from tests.sql.sparse import LEAF, ROWS, make_sparse

KEY = f"{LEAF}_pkey"


@pytest.fixture(params=["ANALYZE", "SELECT pg_stat_force_next_flush()"])
def sparse(history: History, request: pytest.FixtureRequest) -> History:
    """Its rows were counted, or only reported by who wrote them, as right after a replay."""
    make_sparse(history.connection)
    history.connection.execute(request.param)
    return history


def store(database_url: str) -> RefreshStore:
    return RefreshStore(load_settings(database_url=database_url))


def size(history: History) -> int:
    ((found,),) = history.query("SELECT pg_relation_size(%s::regclass)", KEY)
    return int(found)


def unfinished(history: History) -> list[tuple[str]]:
    return history.query(
        "SELECT relname FROM pg_index INNER JOIN pg_class ON oid = indexrelid WHERE NOT indisvalid"
    )


def test_the_upkeep_packs_the_key_of_a_month_that_is_over_once(
    sparse: History, database_url: str
) -> None:
    before = size(sparse)
    refreshing = store(database_url)
    try:
        maintenance.maintain(
            refreshing, load_settings(database_url=database_url), datetime.now(UTC)
        )
        assert size(sparse) < 0.85 * before
        assert refreshing.pack_indexes() == 0, "dense: left alone"
    finally:
        refreshing.close()
    assert sparse.query("SELECT count(*) FROM campaign_events") == [(ROWS,)]


def test_a_transaction_in_the_way_puts_packing_off_and_its_remains_are_dropped(
    sparse: History, database_url: str
) -> None:
    refreshing = store(database_url)
    try:
        with psycopg.connect(database_url) as writer:
            writer.execute(f"UPDATE {LEAF} SET event_count = 2 WHERE campaign_key = 1")
            with pytest.raises(TemporaryError, match="lock timeout"):
                refreshing.pack_indexes()
            assert unfinished(sparse), "this test needs an attempt that was cut short"
            # Nobody is held up meanwhile.
            assert sparse.query(f"SELECT count(*) FROM {LEAF}") == [(ROWS,)]
        assert refreshing.pack_indexes() == 1
    finally:
        refreshing.close()
    assert unfinished(sparse) == []


def test_packing_leaves_the_lock_timeout_as_it_was(sparse: History, database_url: str) -> None:
    assert size(sparse)
    with connect(load_settings(database_url=database_url), "test") as session:
        before = session.execute("SHOW lock_timeout").fetchone()
        assert pack_indexes(session) == 1
        assert session.execute("SHOW lock_timeout").fetchone() == before != ("0",)


def test_a_role_that_does_not_own_the_index_leaves_it_alone(
    sparse: History, database_url: str
) -> None:
    before = size(sparse)
    sparse.connection.execute("CREATE ROLE packing_stranger")
    try:
        with psycopg.connect(
            database_url, autocommit=True, options="-c role=packing_stranger"
        ) as stranger:
            assert pack_indexes(stranger) == 0
    finally:
        sparse.connection.execute("DROP ROLE packing_stranger")
    assert size(sparse) == before
