"""Schema, roles and the write path on every major version that is promised."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import psycopg
import pytest

from ingester.batch import Slice, Topic
from ingester.decoder import decode
from ingester.outcomes import EPOCH, Window
from ingester.settings import load_settings
from ingester.store.connection import connect
from ingester.store.events import EventStore
from ingester.store.migrator import grant_roles, migrate
from ingester.store.reading import campaign_stats
from ingester.store.refreshing import RefreshStore
from ingester.store.verification import CHECKS, snapshot
from tests.services.artifacts import POSTGRES_VERSIONS
from tests.services.errors import ServiceError
from tests.services.postgres import LocalPostgres

TOPIC = Topic("versions", "topic-id", "cluster-id")


class Published:
    """A record of a topic that exists only here."""

    def __init__(self, offset: int, value: bytes) -> None:
        self._offset = offset
        self._value = value

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self._value

    def leader_epoch(self) -> int | None:
        return 0

    def headers(self) -> list[tuple[str, str | bytes | None]] | None:
        return None


def published(offset: int, occurred_at: datetime) -> Published:
    event = {
        "event_id": str(uuid4()),
        "campaign_id": f"campaign {offset % 3}",
        "event_type": "opened",
        "occurred_at": occurred_at.isoformat(),
        "metadata": {"n": offset},
    }
    return Published(offset, orjson.dumps(event))


def sliced(records: list[Published], start: int) -> Slice:
    now = datetime.now(UTC)
    window = Window.around(now, timedelta(days=3653), timedelta(days=1), EPOCH)
    values = [record.value() for record in records]
    return Slice(
        partition=0,
        start=start,
        end=start + len(records),
        records=list(records),
        outcomes=decode(values, lambda _: (), window),
    )


@pytest.mark.parametrize("version", POSTGRES_VERSIONS)
def test_everything_works_on(version: str, tmp_path: Path) -> None:
    server = LocalPostgres(tmp_path, version=version)
    try:
        server.start()
    except ServiceError as error:
        pytest.skip(f"PostgreSQL {version} cannot be had here: {error}")
    try:
        exercise(member_of_owner(server.url))
    finally:
        server.stop("immediate")


def member_of_owner(url: str) -> str:
    """A login that only is a member of ingester_owner, where no superuser ever migrated."""
    with psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE operator LOGIN CREATEROLE")
        superuser.execute("ALTER DATABASE ingester OWNER TO operator")
    with connect(load_settings(database_url=_as("operator", url)), "ingester-migrate") as operator:
        assert migrate(operator).applied
        for _ in range(2):
            grant_roles(operator)
            assert not migrate(operator).applied
        operator.execute("CREATE ROLE member LOGIN IN ROLE ingester_owner")
        owners = operator.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace UNION"
            " SELECT proowner::regrole::text FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
        assert owners == [("ingester_owner",)]
    return _as("member", url)


def _as(login: str, url: str) -> str:
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{login}@{server}").geturl()


def exercise(url: str) -> None:
    settings = load_settings(database_url=url)
    now = datetime.now(UTC)
    with connect(settings, "ingester-versions") as connection:
        connection.execute("UPDATE schema_functions SET checksum = 'x'")
        assert migrate(connection).applied
        grant_roles(connection)
        assert not migrate(connection).applied
        store = EventStore(settings, "versions", lambda _: ())
        refresher = RefreshStore(settings)
        try:
            assert store.positions(TOPIC, {0: 0}) == {0: 0}
            old = [published(offset, now - timedelta(days=3 * offset)) for offset in range(60)]
            first = store.write(TOPIC, [sliced(old, 0)])
            assert (first.inserted, first.duplicates, first.rejected) == (60, 0, 0)
            # Again under new offsets, with one that is new and one that is none.
            again = [Published(60 + n, record.value() or b"") for n, record in enumerate(old)]
            again += [published(120, now), Published(121, b"{")]
            second = store.write(TOPIC, [sliced(again, 60)])
            assert (second.inserted, second.duplicates, second.rejected) == (1, 60, 1)
            assert refresher.fold(100) == (2, 61)
            refresher.summarize()
            assert refresher.rebuild(date(2020, 1, 1), now.date())["changed"] == 0
            refresher.drop_old_leaves(2)
            refresher.merge_ledger(0)
            connection.execute("ANALYZE")
            assert refresher.pack_indexes() == 0, "nothing is large enough"
        finally:
            store.close()
            refresher.close()
        rows = campaign_stats(connection, None, date(2020, 1, 1), now.date(), "month")
        assert sum(row["opened"] for row in rows) == 61
        with snapshot(connection) as frozen:
            assert {name: frozen.check(name) for name in CHECKS} == {name: [] for name in CHECKS}
            assert frozen.counts()["dropped"] > 0
