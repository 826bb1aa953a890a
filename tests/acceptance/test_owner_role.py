"""ingester_owner owns what is ours and no more; its members do the owner's work."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from ingester.errors import NotPermitted
from ingester.store import migrator
from ingester.store.migrator import grant_roles, migrate
from ingester.store.statements import sql_directory
from tests.acceptance.publish import publish
from tests.acceptance.roles import STRANGER, Logins
from tests.acceptance.traffic import mixed
from tests.sql.sparse import LEAF, make_sparse

OWNERS = """
SELECT relname::text, relowner::regrole::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
UNION ALL SELECT proname || '()', proowner::regrole::text FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace
UNION ALL SELECT 'type ' || typname, typowner::regrole::text FROM pg_type
WHERE typnamespace = current_schema()::regnamespace AND typrelid = 0 AND typelem = 0
"""
WHY = ("--yes", "--why", "the test wants it so")


def owners(connection: psycopg.Connection) -> dict[str, str]:
    """Who owns each thing in the schema."""
    return dict(connection.execute(OWNERS.encode()).fetchall())


def member(logins: Logins, *arguments: str, module: str = "ingester") -> Any:
    """What a command says as JSON under the login of a member of ingester_owner."""
    settings = {"DATABASE_URL": logins.urls["owner"], "REPLAY_WAITING_DAYS": "0"}
    running = logins.ingester.run(*arguments, "--json", settings=settings, module=module)
    assert running.code == 0, f"{arguments}: {running.tail()}"
    return json.loads(running.stdout)


def test_it_owns_what_is_ours_and_nothing_of_others(logins: Logins) -> None:
    leaf = logins.leaf()
    superuser = sql.Identifier(logins.owner.info.user)
    # A leaf that retention has detached and not dropped yet, and a later addition.
    logins.owner.execute(
        f"ALTER TABLE campaign_events DETACH PARTITION {leaf};"
        "INSERT INTO dropped_partitions"
        f" SELECT to_date(right('{leaf}', 7), 'YYYY_MM'), 0, 0, 0, 0, 0, 0, 0".encode()
    )
    for what in ("TABLE campaigns", "FUNCTION campaign_stats_as_of()", f"TABLE {leaf}"):
        logins.owner.execute(sql.SQL(f"ALTER {what} OWNER TO {{}}").format(superuser))

    assert logins.ingester.run("migrate", "--roles").code == 0

    found = owners(logins.owner)
    ours = {name for name, owner in found.items() if owner == "ingester_owner"}
    assert {leaf, "campaigns", "ingest_batch_ids", "type campaign_event_type"} <= ours
    others = {name: owner for name, owner in found.items() if name not in ours}
    strangers = {name for name in found if name.startswith(STRANGER)}
    assert others == dict.fromkeys(strangers, logins.login("stranger"))


def test_functions_with_the_rights_of_their_owner_run_as_it(logins: Logins) -> None:
    definers = logins.owner.execute(
        "SELECT DISTINCT proowner::regrole::text, rolsuper FROM pg_proc"
        " INNER JOIN pg_roles ON proowner = pg_roles.oid"
        " WHERE prosecdef AND pronamespace = current_schema()::regnamespace"
    ).fetchall()
    assert definers == [("ingester_owner", False)]
    with psycopg.connect(logins.urls["writer"]) as writer:
        writer.execute("SELECT create_campaign_events_partition('2019-03-01')")
    assert owners(logins.owner)["campaign_events_2019_03"] == "ingester_owner"


def test_a_member_does_the_owners_work(logins: Logins) -> None:
    ingester = logins.ingester
    logins.owner.execute("UPDATE schema_functions SET checksum = 'x'")
    assert "functions/refresh_campaign_stats.sql" in member(logins, "migrate")["applied"]
    assert member(logins, "migrate", "--roles")["applied"] == []

    publish(ingester.bootstrap, ingester.topic, mixed(81, 3_000, repeated=0.2, partitions=4))
    settings = {"DATABASE_URL": logins.urls["owner"], "INGESTER_MONTHS_TO_KEEP": "120"}
    written = ingester.run("run", "--until-caught-up", "--workers", "2", settings=settings)
    assert written.code == 0, written.tail()
    refreshed = ingester.run("refresh", "--once", settings=settings)
    assert refreshed.code == 0, refreshed.tail()
    assert refreshed.log.named("maintenance_failed") == []

    assert member(logins, "status")["lag"] == 0
    assert member(logins, "offsets", "show")["partitions"]
    assert member(logins, "offsets", "adopt", "--partition", "0", *WHY)["done"]
    assert "done" in member(logins, "offsets", "accept-gap", *WHY)
    rejects = member(logins, "rejected", "list")
    (first, *_) = rejects["rejects"] if isinstance(rejects, dict) else rejects
    assert member(logins, "rejected", "show", str(first["reject_id"]))
    assert member(logins, "rejected", "requeue", *WHY)["done"]
    assert member(logins, "rejected", "discard", *WHY)["done"]
    again = ingester.run("run", "--until-caught-up", settings=settings)
    assert again.code == 0, again.tail()
    verified = ingester.run("verify", "--against-topic", settings=settings)
    assert verified.code == 0, verified.stdout


def test_the_refresher_packs_as_a_member(logins: Logins) -> None:
    make_sparse(logins.owner)
    logins.owner.execute("ANALYZE campaign_events")

    def size() -> int:
        found = logins.owner.execute(f"SELECT pg_relation_size('{LEAF}_pkey')".encode())
        return int((found.fetchone() or (0,))[0])

    before = size()
    settings = {"DATABASE_URL": logins.urls["owner"]}
    refreshed = logins.ingester.run("refresh", "--once", settings=settings)
    assert refreshed.code == 0, refreshed.tail()
    assert size() < 0.85 * before


def test_a_member_migrates_its_own_old_table(logins: Logins) -> None:
    logins.owner.execute(f"DROP TABLE {STRANGER}_legacy CASCADE".encode())
    settings = {"DATABASE_URL": logins.urls["owner"]}
    generated = logins.ingester.run(
        "generate", "--scale", "0.001", "--seed", "5", settings=settings, module="replay"
    )
    assert generated.code == 0, generated.tail()
    member(logins, "run", module="replay")
    caught_up = logins.ingester.run("run", "--until-caught-up", settings=settings)
    assert caught_up.code == 0, caught_up.tail()
    assert logins.ingester.run("refresh", "--once", settings=settings).code == 0
    for arguments in (["sync"], ["verify"], ["cutover", "--yes"]):
        member(logins, *arguments, module="replay")
    assert logins.ingester.run("migrate", "--roles").code == 0
    found = owners(logins.owner)
    assert {found[STRANGER], found[f"{STRANGER}_legacy"]} == {logins.login("owner")}
    for step in ("rollback", "cutover", "drop-legacy"):
        member(logins, step, "--yes", module="replay")


@pytest.mark.parametrize("login", ["a member", "a superuser"])
def test_what_is_migrated_later_belongs_to_it(
    logins: Logins, login: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sql_directory(), tmp_path / "sql")
    (tmp_path / "sql" / "migrations" / "0999_later.sql").write_text("CREATE TABLE later (a int);")
    (tmp_path / "sql" / "functions" / "later.sql").write_text(
        "CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    )
    monkeypatch.setattr(migrator, "sql_directory", lambda: tmp_path / "sql")
    url = logins.urls["owner"] if login == "a member" else logins.ingester.database_url
    with psycopg.connect(url, autocommit=True) as connection:
        assert len(migrate(connection).applied) == 2
        assert connection.execute("SELECT current_user = session_user").fetchone() == (True,)
    found = owners(logins.owner)
    assert (found["later"], found["later()"]) == ("ingester_owner", "ingester_owner")


def test_who_owned_it_before_goes_on(logins: Logins, empty_database_url: str) -> None:
    former = logins.login("stranger")
    server = urlsplit(logins.urls["stranger"])
    url = server._replace(path=urlsplit(empty_database_url).path).geturl()
    with psycopg.connect(empty_database_url, autocommit=True) as superuser:
        superuser.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(
            sql.Identifier(former)))  # fmt: skip
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
            grant_roles(superuser)
            assert set(owners(superuser).values()) == {"ingester_owner"}
            assert migrate(connection).applied == ()
            connection.execute("SELECT refresh_campaign_stats()")
            grant_roles(connection)


def test_who_may_not_grant_is_told_who_may(logins: Logins) -> None:
    with (
        psycopg.connect(logins.urls["writer"], autocommit=True) as connection,
        pytest.raises(NotPermitted, match="--roles is for a superuser"),
    ):
        grant_roles(connection)
