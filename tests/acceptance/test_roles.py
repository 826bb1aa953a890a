"""Each role can do its work and nothing else; the real commands run under them."""

import uuid
from collections.abc import Iterator
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
MAY_READ = {
    "writer": {
        *("campaigns", "campaign_events", "ingest_offsets", "ingest_batches", "retention_floor"),
        "stats_refreshes",
    },
    "refresher": {
        *("ingest_batches", "retention_floor", "dropped_partitions", "stats_refreshes"),
        "rejected_events",
    },
    "reader": {
        *("campaigns", "ingest_batches", "ingest_offsets", "retention_floor"),
        *("replay_state", "replay_ranges", "stats_refreshes"),
        *("campaign_daily_rollup", "campaign_weekly_rollup", "campaign_monthly_rollup"),
    },
}
MAY_DELETE = {"writer": set[str](), "refresher": {"stats_refreshes"}, "reader": set[str]()}
MAY_UPDATE = {"writer": {"ingest_offsets"}, "refresher": set[str](), "reader": set[str]()}
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

    def tables(self) -> list[str]:
        """Every table but the leaves, also those that somebody added yesterday."""
        found = self.owner.execute(
            "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relnamespace = current_schema()::regnamespace AND NOT relispartition"
        ).fetchall()
        return [name for (name,) in found]

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
def test_each_role_is_refused_everything_else(logins: Logins, role: str) -> None:
    forbidden = [*DDL, *(text for text, allowed in FUNCTIONS.items() if role not in allowed)]
    for table in logins.tables():
        if table not in MAY_READ[role]:
            forbidden.append(f"SELECT * FROM {table}")
        if table not in MAY_DELETE[role]:
            forbidden.append(f"DELETE FROM {table}")
        if table not in MAY_UPDATE[role]:
            forbidden.append(f"UPDATE {table} SET {_first_column(logins, table)} = NULL")
    if role != "writer":
        forbidden += ["SELECT * FROM {leaf}", "INSERT INTO {leaf} SELECT * FROM {leaf}",
                      "SELECT nextval('ingest_batch_ids')"]  # fmt: skip
    forbidden += ["DELETE FROM {leaf}", "UPDATE {leaf} SET event_count = 0"]
    done = []
    for statement in forbidden:
        try:
            logins.run(role, statement)
        except InsufficientPrivilege:
            continue
        done.append(statement)
    assert done == [], f"{role} may do what it must not"


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_allowed_what_is_listed(logins: Logins, role: str) -> None:
    """So that the refusals above are refusals and no misspellings."""
    for statement, allowed in FUNCTIONS.items():
        if role in allowed and "retire" not in statement:
            logins.run(role, statement)
    for table in MAY_READ[role]:
        logins.run(role, f"SELECT * FROM {table}")


def test_granting_again_takes_away_what_was_granted_by_hand(logins: Logins) -> None:
    logins.owner.execute("GRANT DELETE ON campaign_events TO ingester_writer")
    logins.run("writer", "DELETE FROM campaign_events WHERE false")
    assert logins.ingester.run("migrate", "--roles").code == 0
    with pytest.raises(InsufficientPrivilege):
        logins.run("writer", "DELETE FROM campaign_events WHERE false")


def _first_column(logins: Logins, table: str) -> str:
    found = logins.owner.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND attidentity = '' LIMIT 1",
        [table],
    ).fetchone()
    assert found is not None
    return f'"{found[0]}"'
