"""Each role can do its work and nothing else; the real commands run under them."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr

from ingester.errors import NotPermitted
from ingester.repository import PostgresRepository
from ingester.settings import Settings
from tests.acceptance.ingester import Ingester
from tests.acceptance.page import SETTINGS as PAGE
from tests.acceptance.page import Page
from tests.acceptance.process import wait_for
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed

ROLES = ("writer", "refresher", "reader")
MAY = {
    "writer": {
        *("campaigns SELECT", "campaigns INSERT"),
        *("campaign_events SELECT", "campaign_events INSERT", "leaf SELECT", "leaf INSERT"),
        *("ingest_offsets SELECT", "ingest_offsets INSERT", "ingest_offsets UPDATE"),
        *("ingest_batches SELECT", "ingest_batches INSERT", "ingest_batch_ids USAGE"),
        *("rejected_events INSERT", "retention_floor SELECT", "stats_refreshes SELECT"),
        *("create_campaign_events_partition()", "campaign_events_partition_name()"),
        *("ingest_lock_key()", "database TEMPORARY"),
    },
    "refresher": {
        *("ingest_batches SELECT", "retention_floor SELECT", "dropped_partitions SELECT"),
        *("rejected_events SELECT", "rejected_events.forwarded_at UPDATE"),
        *("stats_refreshes SELECT", "stats_refreshes INSERT", "stats_refreshes DELETE"),
        *("refresh_campaign_stats()", "rebuild_campaign_stats()", "summarize_campaign_events()"),
        *("merge_ingest_batches()", "create_campaign_events_partition()"),
        *("campaign_events_partition_name()", "drop_old_campaign_events_partitions()"),
        *("raise_retention_floor()", "campaign_events_partition_contents()"),
        *("retire_campaign_events_partition()", "drop_retired_campaign_events_partition()"),
    },
    "reader": {
        *("campaigns SELECT", "ingest_batches SELECT", "ingest_offsets SELECT"),
        *("retention_floor SELECT", "replay_state SELECT", "replay_ranges SELECT"),
        *("stats_refreshes SELECT", "get_campaign_stats()", "campaign_stats_as_of()"),
        *(f"campaign_{period}_{of} SELECT" for period in ("daily", "weekly", "monthly")
          for of in ("rollup", "stats")),
        *(f"campaign_events.{column} SELECT" for column in
          ("event_id", "occurred_at", "batch_id", "campaign_key", "event_count", "event_type")),
        *("rejected_events.reason_code SELECT", "rejected_events.state SELECT"),
        *("migration_audit.step SELECT", "migration_audit.taken_at SELECT"),
    },
}  # fmt: skip
"""All that each role may do with what is ours; with CONNECT, USAGE of the schema, and its group."""
GRANTED = """
SELECT DISTINCT
    CASE WHEN relispartition THEN 'leaf' ELSE relname::text END || ' ' || privilege
FROM pg_class CROSS JOIN unnest(ARRAY[
    'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'
]) AS privilege
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
    AND has_table_privilege(%(login)s, pg_class.oid, privilege)
UNION ALL SELECT relname || '.' || attname || ' ' || privilege
FROM pg_class INNER JOIN pg_attribute ON attrelid = pg_class.oid
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS privilege
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
    AND NOT attisdropped AND has_column_privilege(%(login)s, attrelid, attname, privilege)
    AND NOT has_table_privilege(%(login)s, attrelid, privilege)
UNION ALL SELECT relname || ' ' || privilege
FROM pg_class CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS privilege
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S'
    AND has_sequence_privilege(%(login)s, pg_class.oid, privilege)
UNION ALL SELECT proname || '()' FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND prorettype <> 'trigger'::regtype
    AND has_function_privilege(%(login)s, oid, 'EXECUTE')
UNION ALL SELECT 'schema ' || privilege FROM unnest(ARRAY['USAGE', 'CREATE']) AS privilege
WHERE has_schema_privilege(%(login)s, current_schema(), privilege)
UNION ALL SELECT 'database ' || privilege
FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS privilege
WHERE has_database_privilege(%(login)s, current_database(), privilege)
UNION ALL SELECT 'role ' || rolname FROM pg_roles
WHERE rolname <> %(login)s AND pg_has_role(%(login)s, oid, 'MEMBER')
"""
ATTEMPTS = """
WITH relations AS (
    SELECT oid, CASE WHEN relispartition THEN 'leaf' ELSE relname::text END AS name FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
)
SELECT name || ' ' || privilege, format(attempt, oid::regclass)
FROM relations CROSS JOIN (VALUES
    ('SELECT', 'SELECT * FROM %s'),
    ('INSERT', 'INSERT INTO %s DEFAULT VALUES'),
    ('DELETE', 'DELETE FROM %s'),
    ('TRUNCATE', 'TRUNCATE %s')
) AS attempts (privilege, attempt)
UNION ALL SELECT name || '.' || attname || ' UPDATE',
    format('UPDATE %s SET %I = DEFAULT', oid::regclass, attname)
FROM relations INNER JOIN pg_attribute ON attrelid = oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT relname || ' SELECT', format('SELECT * FROM %I', relname) FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v'
UNION ALL SELECT relname || ' USAGE', format('SELECT nextval(%L)', relname) FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S'
UNION ALL SELECT relname || ' UPDATE', format('SELECT setval(%L, 1)', relname) FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S'
UNION ALL SELECT proname || '()', format(
    '%s %I(%s)', CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, proname,
    (SELECT string_agg('NULL::' || format_type(type, NULL), ', ') FROM unnest(proargtypes) AS type)
)
FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND prorettype <> 'trigger'::regtype
    AND NOT proisstrict -- which is not called for nulls, by whomever
UNION ALL SELECT 'role ' || rolname, format('SET ROLE %I', rolname) FROM pg_roles
WHERE rolname IN (current_user, 'ingester_writer', 'ingester_refresher', 'ingester_reader')
"""
"""What there is to try, also what somebody added yesterday: the privilege needed, a statement."""
DDL = (
    "CREATE TABLE mine (a int)",
    "ALTER TABLE campaign_events ADD COLUMN a int",
    "ALTER TABLE campaign_events DETACH PARTITION {leaf}",
    "DROP TABLE {leaf}",
    "DROP TABLE campaigns",
    "TRUNCATE campaign_events",
    "TRUNCATE {leaf}",
    "CREATE INDEX ON {leaf} (batch_id)",
    "ALTER TABLE ingest_offsets DISABLE TRIGGER ALL",
    "CREATE OR REPLACE FUNCTION ingest_lock_key(text) RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
)
FUNCTIONS = {
    "SELECT refresh_campaign_stats()": {"refresher"},
    "SELECT rebuild_campaign_stats('2026-01-01', '2026-01-01')": {"refresher"},
    "SELECT summarize_campaign_events()": {"refresher"},
    "SELECT merge_ingest_batches(now())": {"refresher"},
    "SELECT raise_retention_floor('2000-01-01')": {"refresher"},
    "SELECT campaign_events_partition_contents('2000-01-01')": {"refresher"},
    "SELECT retire_campaign_events_partition('2000-01-01', '{}')": {"refresher"},
    "SELECT drop_retired_campaign_events_partition('2000-01-01')": {"refresher"},
    "SELECT create_campaign_events_partition('2026-01-01')": {"writer", "refresher"},
    "SELECT add_campaign_events('[]')": set[str](),
    "SELECT * FROM get_campaign_stats(NULL, '2026-01-01', '2026-01-01')": {"reader"},
    "SELECT campaign_stats_as_of()": {"reader"},
    "SELECT event_id, occurred_at, event_count, event_type FROM campaign_events": {
        *("reader", "writer")
    },
    "SELECT email_account_id FROM campaign_events": {"writer"},
    "SELECT metadata FROM campaign_events": {"writer"},
    "SELECT reason_code, state FROM rejected_events": {"reader", "refresher"},
    "SELECT value FROM rejected_events": {"refresher"},
    "SELECT detail FROM rejected_events": {"refresher"},
    "SELECT step, taken_at FROM migration_audit": {"reader"},
    "SELECT evidence FROM migration_audit": set[str](),
    "SELECT * FROM campaign_daily_stats": {"reader"},
    "SELECT * FROM campaign_weekly_stats": {"reader"},
    "SELECT * FROM campaign_monthly_stats": {"reader"},
    "CREATE TEMPORARY TABLE mine (a int)": {"writer"},
}


@dataclass
class Logins:
    """The URL of a login of each role, all in one database that was migrated with --roles."""

    ingester: Ingester
    owner: psycopg.Connection
    urls: dict[str, str] = field(default_factory=dict)

    def run(self, role: str, statement: str) -> None:
        """Carry out a statement as this role, leaving nothing behind."""
        with psycopg.connect(self.urls[role]) as connection:
            connection.execute(statement.replace("{leaf}", self.leaf()).encode())
            connection.rollback()

    def not_refused(self, role: str, statements: Iterable[str]) -> list[str]:
        """Those that this role may carry out; nothing is left behind."""
        done = []
        with psycopg.connect(self.urls[role]) as connection:
            for statement in statements:
                try:
                    connection.execute(statement.replace("{leaf}", self.leaf()).encode())
                    done.append(statement)
                except InsufficientPrivilege:
                    pass
                finally:
                    connection.rollback()
        return done

    def granted(self, role: str) -> set[str]:
        """All that PostgreSQL says this role may do with what is in the schema."""
        login = urlsplit(self.urls[role]).username
        return {name for (name,) in self.owner.execute(GRANTED.encode(), {"login": login})}

    def attempts(self) -> list[tuple[str, str]]:
        """The privilege that is needed, and a statement that needs it."""
        return self.owner.execute(ATTEMPTS.encode()).fetchall()

    def leaf(self) -> str:
        """A leaf that exists."""
        found = self.owner.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'campaign_events'::regclass LIMIT 1"
        ).fetchone()
        return str(found[0]) if found else "campaign_events_0000_00"


@pytest.fixture
def logins(ingester: Ingester) -> Iterator[Logins]:
    """Roles as an operator would set them up, with events in the tables."""
    made = []
    publish(ingester.bootstrap, ingester.topic, mixed(81, 2_000, partitions=4))
    ingester.catch_up()
    migrated = ingester.run("migrate", "--roles")
    assert migrated.code == 0, migrated.tail()
    url = urlsplit(ingester.database_url)
    server = url.netloc.rpartition("@")[2]
    with psycopg.connect(ingester.database_url, autocommit=True) as owner:
        found = Logins(ingester, owner)
        for role in ROLES:
            login = f"test_{role}_{uuid.uuid4().hex[:8]}"
            made.append(login)
            owner.execute(
                sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(
                    sql.Identifier(login), sql.Identifier(f"ingester_{role}")
                )
            )
            found.urls[role] = url._replace(netloc=f"{login}@{server}").geturl()
        yield found
        ingester.end()
        for login in made:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(login)))
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def test_each_role_does_its_work(logins: Logins) -> None:
    ingester = logins.ingester
    # Old months, repeats and rejects: leaves are made, staged, refused.
    publish(ingester.bootstrap, ingester.topic, mixed(81, 3_000, repeated=0.2, partitions=4))
    written = ingester.run(
        "run", "--until-caught-up", "--workers", "2",
        settings={"DATABASE_URL": logins.urls["writer"]},
    )  # fmt: skip
    assert written.code == 0, written.tail()
    refreshed = ingester.run(
        "refresh", "--once",
        settings={"DATABASE_URL": logins.urls["refresher"], "INGESTER_MONTHS_TO_KEEP": "120",
                  "INGESTER_LEDGER_DAYS_WHOLE": "0"},
    )  # fmt: skip
    assert refreshed.code == 0, refreshed.tail()
    assert refreshed.log.named("maintenance_failed") == []
    read = ingester.run(
        "stats", "--by", "month", "--json", settings={"DATABASE_URL": logins.urls["reader"]}
    )
    assert read.code == 0, read.tail()
    assert "campaign-1" in read.stdout
    reader = Settings(database_url=SecretStr(logins.urls["reader"]))
    with PostgresRepository.connect(reader) as repository:
        last = repository.get_aggregated_totals_for_campaigns(["campaign-1"]).campaigns[0].last_date
        assert last is not None
        assert repository.explain("campaign-1", last).events_total > 0
        history = repository.get_event_history("campaign-1")
        assert history.events
        with pytest.raises(NotPermitted):
            repository.get_event_history("campaign-1", details=True)
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences


@pytest.mark.parametrize(("role", "command"), [("writer", "run"), ("refresher", "refresh")])
def test_each_role_may_look_at_what_its_page_shows(logins: Logins, role: str, command: str) -> None:
    settings = {"DATABASE_URL": logins.urls[role], **PAGE}
    page = Page(logins.ingester.start(command, settings=settings))
    up = "ingester_database_up"
    wait_for(lambda: page.total(up) == 1, 30.0, lambda: f"{page.reasons('/readyz')}")


def test_a_leaf_that_the_writer_makes_can_be_written(logins: Logins) -> None:
    with psycopg.connect(logins.urls["writer"], autocommit=True) as writer:
        writer.execute("SELECT create_campaign_events_partition('2019-03-01')")
        writer.execute("SELECT count(*) FROM campaign_events_2019_03")
        with writer.cursor().copy("COPY campaign_events_2019_03 FROM STDIN"):
            pass
        for month in ("1999-12-01", "2099-01-01", "infinity"):
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                writer.execute("SELECT create_campaign_events_partition(%s)", [month])


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_granted_what_is_listed_and_nothing_else(logins: Logins, role: str) -> None:
    usual = {"database CONNECT", "schema USAGE", f"role ingester_{role}"}
    assert logins.granted(role) == MAY[role] | usual


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_refused_everything_else(logins: Logins, role: str) -> None:
    may = {*MAY[role], f"role ingester_{role}"}
    forbidden = [
        statement
        for privilege, statement in logins.attempts()
        if not {privilege, _of_table(privilege)} & may
    ]
    forbidden += [*DDL, *(text for text, allowed in FUNCTIONS.items() if role not in allowed)]
    assert logins.not_refused(role, forbidden) == [], f"{role} may do what it must not"


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_allowed_what_is_listed(logins: Logins, role: str) -> None:
    """So that the refusals above are refusals and no misspellings."""
    for statement, allowed in FUNCTIONS.items():
        if role in allowed and "retire" not in statement:
            logins.run(role, statement)
    for privilege, statement in logins.attempts():
        if privilege in MAY[role] and privilege.endswith(" SELECT"):
            logins.run(role, statement)


def test_granting_again_takes_away_what_was_granted_by_hand(logins: Logins) -> None:
    logins.owner.execute("GRANT DELETE ON campaign_events TO ingester_writer")
    logins.run("writer", "DELETE FROM campaign_events WHERE false")
    assert logins.ingester.run("migrate", "--roles").code == 0
    with pytest.raises(InsufficientPrivilege):
        logins.run("writer", "DELETE FROM campaign_events WHERE false")


def _of_table(privilege: str) -> str:
    """`campaigns UPDATE` for `campaigns.campaign_id UPDATE`: it holds for every column."""
    name, _, kind = privilege.partition(" ")
    return f"{name.partition('.')[0]} {kind}"
