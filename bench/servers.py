"""Where Kafka and PostgreSQL are, and a topic of the bench's own.

The servers are those of `make up`, or whatever the environment names (tests.services decides).
"""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from tests.services import origin, record, standing
from tests.services.artifacts import POSTGRES_VERSIONS
from tests.services.postgres import LocalPostgres
from tests.topics import Topics

PARTITIONS = 4
_ADMIN_SECONDS_MAX = 15.0


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses, as the ingester's settings take them."""

    bootstrap: str
    database_url: str

    @property
    def kafka_pid(self) -> int | None:
        """The broker's process, where it is one that `make up` has started here."""
        entry = record.read(standing.LOCAL / "services.json").get("kafka")
        return entry.pid if entry is not None and entry.url == self.bootstrap else None


def servers() -> Servers:
    """Start what is not there yet."""
    values = standing.up()
    return Servers(values[origin.KAFKA], values[origin.POSTGRES])


@contextlib.contextmanager
def server_of_version(major: int) -> Iterator[str]:
    """A PostgreSQL of an older major version, with nothing in it; yields its URL."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalPostgres(Path(folder), version=_version_of(major)) as server,
    ):
        yield server.url


def _version_of(major: int) -> str:
    return next(each for each in POSTGRES_VERSIONS if each.startswith(f"{major}."))


def unique_name(what: str) -> str:
    """A name that no other run uses, and that tells whose it is."""
    return f"bench_{what}_{secrets.token_hex(4)}"


@contextlib.contextmanager
def topic_of_our_own(bootstrap: str) -> Iterator[str]:
    """A new topic with a name of its own, which goes when the block ends."""
    name = unique_name("events")
    topics = Topics(bootstrap)
    topics.create(PARTITIONS, name=name)
    try:
        yield name
    finally:
        topics.delete(name)


def forget_group(bootstrap: str, group: str) -> None:
    """Delete a consumer group that nobody is in any more; one that is not there is no fault."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    for future in admin.delete_consumer_groups([group]).values():
        future.exception(timeout=_ADMIN_SECONDS_MAX)
