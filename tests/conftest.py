"""Fixtures for every suite: a real Kafka, a real PostgreSQL, and a clean place in each per test.

Nothing is started until a test asks: `pytest tests/unit` runs without any service. Where there is
nothing to start one with, the session ends with exit code 78; no test is ever skipped for that.

    services             the session's servers (tests/session_services.py)
    kafka, topic         bootstrap.servers; topic(partitions=4) → the name of a new topic
    database_url         a migrated database of this test's own
    empty_database_url   the same with nothing in it
    own_kafka, own_postgres   a server that this test may stop, kill and restart; being the
                         session's, it is left running. own_database_url: a migrated database there
"""

from collections.abc import Callable, Iterator

import pytest

from tests.databases import Databases
from tests.services import NoServices
from tests.session_services import Choice, ControlledKafka, ControlledPostgres, SessionServices
from tests.suite_minutes import SuiteMinutes
from tests.topics import Topics


def pytest_configure(config: pytest.Config) -> None:
    """Print the minutes of each suite at the end."""
    config.pluginmanager.register(SuiteMinutes())


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where workers share the tests out, look before they start: they cannot say why they end."""
    if session.config.getoption("numprocesses", None):
        try:
            Choice.made()
        except NoServices as error:
            pytest.exit(str(error), returncode=error.exit_code)


def pytest_report_header() -> list[str]:
    """Which services the session will use, so that a result can be judged."""
    try:
        choice = Choice.made()
    except NoServices as error:
        return [f"services: NONE, tests that need one will end the session. {error}"]
    return [f"services: Kafka {choice.kafka.value}; PostgreSQL {choice.postgres.value}"]


@pytest.fixture(scope="session")
def services() -> Iterator[SessionServices]:
    """The session's servers, each started when first used."""
    try:
        choice = Choice.made()
    except NoServices as error:
        pytest.exit(str(error), returncode=error.exit_code)
    session = SessionServices(choice)
    yield session
    session.end()


@pytest.fixture
def kafka(services: SessionServices) -> str:
    """bootstrap.servers."""
    return services.bootstrap


@pytest.fixture
def topic(kafka: str) -> Iterator[Callable[..., str]]:
    """Makes topics that go when the test ends. See Topics.create for the arguments."""
    topics = Topics(kafka)
    yield topics.create
    topics.end()


@pytest.fixture(scope="session")
def databases(services: SessionServices) -> Iterator[Databases]:
    """Makes and drops databases on the session's server."""
    made = Databases(services.url)
    yield made
    made.end()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated database of this test's own."""
    name = databases.migrated()
    yield databases.url_of(name)
    databases.drop(name)


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A database of this test's own, with nothing in it."""
    name = databases.empty()
    yield databases.url_of(name)
    databases.drop(name)


@pytest.fixture
def own_kafka(services: SessionServices) -> ControlledKafka:
    """A broker that may be stopped, killed and restarted; running when the test begins."""
    return services.own_kafka()


@pytest.fixture
def own_postgres(services: SessionServices) -> ControlledPostgres:
    """A PostgreSQL that may be stopped, killed and restarted; running when the test begins."""
    return services.own_postgres()


@pytest.fixture
def own_database_url(own_postgres: ControlledPostgres) -> Iterator[str]:
    """A migrated database on that PostgreSQL."""
    databases = Databases(own_postgres.url)
    yield databases.url_of(databases.migrated())
    databases.end()
