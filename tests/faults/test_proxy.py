"""The proxy does to a connection what it says, and nothing else."""

import time

import psycopg
import pytest

from tests.faults.proxy import Proxy

TABLE = "CREATE TABLE IF NOT EXISTS kept (number int)"


def numbers(database_url: str) -> list[int]:
    with psycopg.connect(database_url) as connection:
        connection.execute(TABLE)
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY 1")]


def test_what_nobody_disturbs_arrives(empty_database_url: str) -> None:
    with Proxy(empty_database_url) as proxy:
        with psycopg.connect(proxy.url) as connection:
            connection.execute(TABLE)
            connection.execute("INSERT INTO kept SELECT generate_series(1, 3)")
        assert numbers(empty_database_url) == [1, 2, 3]
        assert proxy.replies_swallowed == 0


def test_a_swallowed_reply_is_one_to_a_commit_that_was_carried_out(empty_database_url: str) -> None:
    numbers(empty_database_url)
    with Proxy(empty_database_url) as proxy:
        proxy.swallow_replies(1)
        connection = psycopg.connect(proxy.url)
        connection.execute("INSERT INTO kept VALUES (1)")
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
        assert numbers(empty_database_url) == [1]
        assert proxy.replies_swallowed == 1
        with psycopg.connect(proxy.url) as again:
            again.execute("INSERT INTO kept VALUES (2)")
    assert numbers(empty_database_url) == [1, 2]


def test_a_cut_connection_is_an_error_and_a_new_one_works(empty_database_url: str) -> None:
    with Proxy(empty_database_url) as proxy:
        connection = psycopg.connect(proxy.url)
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        with psycopg.connect(proxy.url) as again:
            assert again.execute("SELECT 1").fetchone() == (1,)


def test_a_stalled_connection_goes_on_when_it_is_healed(empty_database_url: str) -> None:
    with Proxy(empty_database_url) as proxy, psycopg.connect(proxy.url) as connection:
        connection.execute("SELECT 1")
        proxy.slow(2_000)
        began = time.monotonic()
        connection.execute("SELECT repeat('x', 2000)")
        assert time.monotonic() - began > 0.9
        proxy.heal()
        began = time.monotonic()
        connection.execute("SELECT repeat('x', 100000)")
        assert time.monotonic() - began < 25, "as slow as it would take twice as long"
