"""What each role may do, by name and by statement, and logins that try it."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed

ROLES = ("owner", "writer", "refresher", "reader")
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
"""All that each role may do with what is ours; with CONNECT, USAGE of the schema, and its group.
Of the owner: see `Logins.may`."""
STRANGER = "campaign_daily_stat_entries"
"""What begins so is none of ours: as after a cutover, and a function and a sequence beside it."""
STRANGERS = f"""
CREATE TABLE {STRANGER}_legacy (id serial, sent integer);
CREATE VIEW {STRANGER} AS SELECT * FROM {STRANGER}_legacy;
CREATE FUNCTION {STRANGER}_total() RETURNS bigint LANGUAGE sql
    AS 'SELECT sum(sent) FROM {STRANGER}_legacy';
REVOKE ALL ON FUNCTION {STRANGER}_total() FROM public;
"""
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
WHERE rolname = current_user OR rolname ~ '^(ingester|test)_'
"""
"""What there is to try, also what somebody added yesterday: the privilege needed, a statement."""
DDL = (
    "CREATE TABLE mine (a int)",
    "ALTER TABLE campaign_events ADD COLUMN a int",
    "ALTER TABLE campaign_events DETACH PARTITION {leaf}",
    "DROP TABLE {leaf}",
    "DROP TABLE campaigns CASCADE",
    "TRUNCATE campaign_events",
    "TRUNCATE {leaf}",
    "CREATE INDEX ON {leaf} (batch_id)",
    "ALTER TABLE ingest_offsets DISABLE TRIGGER ALL",
    (
        "CREATE OR REPLACE FUNCTION ingest_lock_key(purpose text) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 1'"
    ),
    "ALTER TYPE campaign_event_type RENAME VALUE 'sent' TO 'mailed'",
)
OUTSIDE = (
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER ROLE ingester_writer LOGIN",
    "GRANT pg_read_all_data TO CURRENT_USER",
    "ALTER SYSTEM SET work_mem = '1GB'",
    f"DROP TABLE {STRANGER}_legacy",
    f"ALTER VIEW {STRANGER} RENAME TO mine",
    f"ALTER FUNCTION {STRANGER}_total() RENAME TO mine",
    f"DROP FUNCTION {STRANGER}_total()",
    f"COPY {STRANGER}_legacy TO STDOUT",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/hostname')",
    "CREATE TEMPORARY TABLE lines ON COMMIT DROP AS SELECT pg_ls_dir('.')",
    "COPY campaigns FROM PROGRAM 'true'",
    "COPY campaigns TO PROGRAM 'true'",
    "COPY campaigns FROM '/etc/hostname'",
    "COPY campaigns TO '/tmp/mine'",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE c AS 'mine', 'mine'",
)
"""What no role of ours may do, the owner included."""
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
    """A superuser's."""
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

    def outside(self, role: str) -> list[str]:
        """Those of `OUTSIDE` that this role may carry out; none belongs into a transaction."""
        done = []
        with psycopg.connect(self.urls[role], autocommit=True) as connection:
            for statement in OUTSIDE:
                try:
                    connection.execute(statement.encode())
                    done.append(statement)
                except InsufficientPrivilege:
                    pass
        return done

    def may(self, role: str) -> set[str]:
        """What this role is to be granted: the owner everything but what is a stranger's."""
        usual = {"database CONNECT", "schema USAGE", f"role ingester_{role}"}
        if role != "owner":
            return MAY[role] | usual
        login = self.owner.info.user
        everything = {name for (name,) in self.owner.execute(GRANTED.encode(), {"login": login})}
        ours = {name for name in everything if not name.startswith((STRANGER, "role "))}
        return (ours | usual) - {"database CREATE"}

    def granted(self, role: str) -> set[str]:
        """All that PostgreSQL says this role may do with what is in the schema."""
        login = self.login(role)
        return {name for (name,) in self.owner.execute(GRANTED.encode(), {"login": login})}

    def attempts(self) -> list[tuple[str, str]]:
        """The privilege that is needed, and a statement that needs it."""
        return self.owner.execute(ATTEMPTS.encode()).fetchall()

    def login(self, role: str) -> str:
        """The name of the login."""
        return str(urlsplit(self.urls[role]).username)

    def leaf(self) -> str:
        """A leaf that exists."""
        found = self.owner.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'campaign_events'::regclass LIMIT 1"
        ).fetchone()
        return str(found[0]) if found else "campaign_events_0000_00"


@contextmanager
def roles_granted(ingester: Ingester) -> Iterator[Logins]:
    """Roles as an operator would set them up, with events and a stranger's things in the schema."""
    publish(ingester.bootstrap, ingester.topic, mixed(81, 2_000, partitions=4))
    ingester.catch_up()
    url = urlsplit(ingester.database_url)
    server = url.netloc.rpartition("@")[2]
    with psycopg.connect(ingester.database_url, autocommit=True) as owner:
        found = Logins(ingester, owner)
        for role in ("stranger", *ROLES):
            login = f"test_{role}_{uuid.uuid4().hex[:8]}"
            owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(login)))
            found.urls[role] = url._replace(netloc=f"{login}@{server}").geturl()
        stranger = sql.Identifier(found.login("stranger"))
        owner.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(stranger))
        with psycopg.connect(found.urls["stranger"]) as connection:
            connection.execute(STRANGERS.encode())
        migrated = ingester.run("migrate", "--roles")
        assert migrated.code == 0, migrated.tail()
        for role in ROLES:
            names = sql.Identifier(f"ingester_{role}"), sql.Identifier(found.login(role))
            owner.execute(sql.SQL("GRANT {} TO {}").format(*names))
        yield found
        ingester.end()
        for role in found.urls:
            name = sql.Identifier(found.login(role))
            owner.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
            owner.execute(sql.SQL("DROP ROLE {}").format(name))
