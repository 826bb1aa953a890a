"""The servers that rounds are fought on, each started when a kind of fault first needs it."""

import contextlib
import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path

import psycopg

from tests.acceptance.ingester import Ingester
from tests.databases import Databases
from tests.faults.arena import Arena
from tests.faults.cluster import Cluster
from tests.faults.filling import Filling
from tests.services.account import unprivileged_account
from tests.services.postgres import LocalPostgres
from tests.session_services import ControlledKafka, ControlledPostgres, SessionServices
from tests.topics import Topics

PARTITIONS = 4


class Grounds:
    """One broker and one PostgreSQL of our own, a cluster of three, and a small file system."""

    def __init__(self, services: SessionServices) -> None:
        self._services = services
        self.directory = services.directory / "faults"
        self.directory.mkdir(exist_ok=True)
        self._numbers = itertools.count(1)
        self._databases = Databases(services.own_postgres().url)
        self._topics = Topics(services.own_kafka().bootstrap)
        self._cluster: Cluster | None = None
        self._filling: Filling | None = None

    @property
    def postgres(self) -> ControlledPostgres:
        """It may be stopped, killed and started."""
        return self._services.own_postgres()

    @property
    def kafka(self) -> ControlledKafka:
        """It may be paused."""
        return self._services.own_kafka()

    @property
    def cluster(self) -> Cluster:
        """Three brokers, running."""
        if self._cluster is None:
            self._cluster = Cluster(self.directory / "cluster")
            self._cluster.start_all()
        return self._cluster

    @property
    def filling(self) -> Filling:
        """The small file system."""
        if self._filling is None:
            account = unprivileged_account()
            owner = (account.uid, account.gid) if account else None
            self._filling = Filling(self.directory / "small", owner)
        return self._filling

    def arena(self, settings: Mapping[str, str] | None = None, *, clustered: bool = False) -> Arena:
        """A topic, a database and an ingester for one round."""
        number = next(self._numbers)
        database = self._databases.migrated()
        if clustered:
            topic = f"faults-{number}"
            self.cluster.create_topic(topic, PARTITIONS)
            bootstrap = self.cluster.bootstrap
        else:
            topic = self._topics.create(partitions=PARTITIONS)
            bootstrap = self._services.own_kafka().bootstrap
        directory = self.directory / f"round-{number}"
        directory.mkdir()
        url = self._databases.url_of(database)
        ingester = Ingester(directory, bootstrap, url, topic, settings)
        return Arena(ingester, PARTITIONS, lambda: self._forget(database))

    def keep_logs(self, place: Path) -> None:
        """Keep what the processes of the last round said, when all of this goes."""
        rounds = sorted(self.directory.glob("round-*"), key=lambda each: each.stat().st_mtime)
        for last in rounds[-1:]:
            shutil.copytree(last, place, ignore=shutil.ignore_patterns("earlier"))

    def _forget(self, database: str) -> None:
        """Drop it; a server that a bad round left broken is not what the round is to tell of."""
        with contextlib.suppress(psycopg.Error):
            self._databases.drop(database)

    def move_events_to(self, database_url: str, directory: Path) -> None:
        """Let everything that will be stored lie on another file system."""
        if not isinstance(self.postgres, LocalPostgres):
            raise TypeError("a tablespace on our own file system needs a server on this machine")
        name = f"small_{next(self._numbers)}"
        place = directory / name
        place.mkdir(mode=0o700)
        account = unprivileged_account()
        if account is not None:
            account.owns(place)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE {name} LOCATION '{place}'".encode())
            database = connection.info.dbname
            connection.execute(
                f'ALTER DATABASE "{database}" SET default_tablespace = {name}'.encode()
            )

    def end(self) -> None:
        """Stop what was started here."""
        if self._cluster is not None:
            self._cluster.end()
        with contextlib.suppress(psycopg.Error):  # as in `_forget`
            self._databases.end()
        if self._filling is not None:
            self._filling.empty()
            self._filling.end()
