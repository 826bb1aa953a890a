"""A database that has no connection left is waited for, at the start too."""

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed


@pytest.fixture
def crowded(ingester: Ingester) -> Iterator[tuple[Ingester, psycopg.Connection]]:
    """An ingester whose role may have one connection, and a connection that may change that."""
    publish(ingester.bootstrap, ingester.topic, mixed(61, 4_000, partitions=4))
    role = sql.Identifier(f"crowded_{uuid.uuid4().hex[:8]}")
    with psycopg.connect(ingester.database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 1").format(role))
        owner.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner.info.user), role))
        url = urlsplit(ingester.database_url)
        server = url.netloc.rpartition("@")[2]
        ingester.settings["DATABASE_URL"] = url._replace(
            netloc=f"{role.as_string(None).strip(chr(34))}@{server}"
        ).geturl()
        yield ingester, owner
        ingester.end()
        owner.execute(sql.SQL("DROP OWNED BY {}").format(role))
        owner.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_worker_that_finds_no_free_connection_waits_for_one(
    crowded: tuple[Ingester, psycopg.Connection],
) -> None:
    ingester, _ = crowded
    with psycopg.connect(ingester.settings["DATABASE_URL"]):
        running = ingester.start("run", "--until-caught-up")
        told = running.until("retrying", 30.0, times=2)
        assert "53300" in told["detail"]
    assert running.wait(60.0) == 0, running.tail()
    assert ingester.verdict().ok


def test_a_worker_without_a_connection_ends_no_other(
    crowded: tuple[Ingester, psycopg.Connection],
) -> None:
    ingester, owner = crowded
    running = ingester.start("run", "--workers", "3", "--until-caught-up")
    running.until("retrying", 30.0, times=3)
    role = urlsplit(ingester.settings["DATABASE_URL"]).username or ""
    owner.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 10").format(sql.Identifier(role)))

    assert running.wait(60.0) == 0, running.tail()
    assert running.log.named("worker_died") == []
    assert ingester.verdict().ok


def test_the_refresher_waits_too(crowded: tuple[Ingester, psycopg.Connection]) -> None:
    ingester, _ = crowded
    with psycopg.connect(ingester.settings["DATABASE_URL"]):
        running = ingester.start("refresh", "--interval", "0.1")
        running.until("refresh_failed", 30.0, times=2)
        assert ingester.run("refresh", "--once").code == 75
        assert running.code is None, running.tail()
