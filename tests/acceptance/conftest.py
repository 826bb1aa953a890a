"""Fixtures of the acceptance suite: processes that are always ended, judged by the checker."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.roles import Logins, roles_granted
from tests.session_services import ControlledKafka
from tests.topics import Topics


@pytest.fixture
def ingesters(tmp_path: Path) -> Iterator[Callable[..., Ingester]]:
    """Makes `Ingester`s; whatever they started is ended with the test."""
    made: list[Ingester] = []

    def make(bootstrap: str, database_url: str, topic: str, **settings: str) -> Ingester:
        directory = tmp_path / f"ingester-{len(made)}"
        directory.mkdir()
        made.append(Ingester(directory, bootstrap, database_url, topic, settings))
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.fixture
def ingester(
    ingesters: Callable[..., Ingester], kafka: str, database_url: str, topic: Callable[..., str]
) -> Ingester:
    """An ingester with a new topic of four partitions and a database of its own."""
    return ingesters(kafka, database_url, topic(partitions=4))


@pytest.fixture
def own_ingester(
    ingesters: Callable[..., Ingester], own_kafka: ControlledKafka, own_database_url: str
) -> Iterator[Ingester]:
    """The same on servers that the test may stop and restart."""
    topics = Topics(own_kafka.bootstrap)
    yield ingesters(own_kafka.bootstrap, own_database_url, topics.create(partitions=4))
    topics.end()


@pytest.fixture
def logins(ingester: Ingester) -> Iterator[Logins]:
    """A login of each role, and things of somebody else in the same schema."""
    with roles_granted(ingester) as found:
        yield found
