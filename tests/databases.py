"""A database of its own for every test: cloned from a template that is migrated once per session.

Cloning takes a fraction of a migration, and no test can see what another left behind.
(The idea: procrastinate's tests/conftest.py.)
"""

import itertools
import uuid
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ingester.store.migrator import migrate


class Databases:
    """Makes and drops databases on one server. `url` must name a role that may create them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._prefix = f"test_{uuid.uuid4().hex[:8]}"  # a given server may serve several sessions
        self._numbers = itertools.count(1)
        self._template: str | None = None

    def url_of(self, name: str) -> str:
        """The connection URL with another database."""
        if self._url.startswith(("postgresql://", "postgres://")):
            return urlsplit(self._url)._replace(path=f"/{name}").geturl()
        return make_conninfo(self._url, dbname=name)

    def empty(self, locale: str | None = None) -> str:
        """The name of a new database with nothing in it, in the server's locale or another."""
        if locale is None:
            return self._create("template1")
        return self._create("template0", sql.SQL(" LOCALE {}").format(sql.Literal(locale)))

    def migrated(self) -> str:
        """The name of a new database with this version's schema."""
        if self._template is None:
            # Only a template that has been migrated is kept: a failure shows in every test.
            name = self._create("template1")
            with psycopg.connect(self.url_of(name), autocommit=True) as connection:
                migrate(connection)
            self._template = name
        return self._create(self._template)

    def drop(self, name: str) -> None:
        """Also while connections to it are open."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def end(self) -> None:
        """Drop the template."""
        if self._template is not None:
            self.drop(self._template)

    def _create(self, template: str, options: sql.Composable | None = None) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}{}")
        names = sql.Identifier(name), sql.Identifier(template)
        self._run(statement.format(*names, options or sql.SQL("")))
        return name

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)
