"""Each role can do its work and nothing else; the real commands run under them."""

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr

from ingester.errors import NotPermitted
from ingester.repository import PostgresRepository
from ingester.settings import Settings
from tests.acceptance.page import SETTINGS as PAGE
from tests.acceptance.page import Page
from tests.acceptance.process import wait_for
from tests.acceptance.publish import publish
from tests.acceptance.roles import DDL, FUNCTIONS, ROLES, Logins
from tests.acceptance.traffic import mixed


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
    assert logins.granted(role) == logins.may(role)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_refused_everything_else(logins: Logins, role: str) -> None:
    may = {*logins.may(role), f"role {logins.login(role)}"}
    forbidden = [
        statement
        for privilege, statement in logins.attempts()
        if not {privilege, _of_table(privilege)} & may
    ]
    if role != "owner":
        forbidden += [*DDL, *(text for text, allowed in FUNCTIONS.items() if role not in allowed)]
    done = [*logins.not_refused(role, forbidden), *logins.outside(role)]
    assert done == [], f"{role} may do what it must not"


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_allowed_what_is_listed(logins: Logins, role: str) -> None:
    """So that the refusals above are refusals and no misspellings."""
    for statement, allowed in FUNCTIONS.items():
        if role in {*allowed, "owner"} and "retire" not in statement:
            logins.run(role, statement)
    for privilege, statement in logins.attempts():
        if privilege in logins.may(role) and privilege.endswith(" SELECT"):
            logins.run(role, statement)
    if role == "owner":
        for statement in DDL:
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
