"""A migrated database of the bench's own, dropped when the bench is done with it.

The only module that imports psycopg, but for names of tables in `statements` and for processes that
stand beside what is measured (`producer`, `peers`).
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench.servers import unique_name
from bench.statements import statement
from ingester import binary_copy
from ingester.store.migrator import grant_roles, migrate
from ingester.store.statements import about

Row = tuple[Any, ...]

_BACKEND_WAL_SINCE = 180_000
"""The first server version that counts WAL by connection."""


class Database:
    """`with Database(server_url, "ingest") as database:` it is there, migrated and empty.

    Or with nothing in it at all, not even a schema.
    """

    def __init__(self, server_url: str, what: str, *, migrated: bool = True) -> None:
        self._server_url = server_url
        self._migrated = migrated
        self._name = unique_name(what)
        self.url = make_conninfo(server_url, dbname=self._name)

    def __enter__(self) -> Self:
        self._administer("create_database")
        try:
            self._connection: psycopg.Connection[Row] = psycopg.connect(
                self.url, autocommit=True, options="-c timezone=UTC"
            )
            if self._migrated:
                migrate(self._connection)
        except BaseException:
            self._administer("drop_database")
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._administer("drop_database")

    def _administer(self, name: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(statement(name, database=self._name))

    def url_of_reader(self) -> str:
        """A URL whose sessions may do what the role `ingester_reader` may."""
        grant_roles(self._connection)
        return make_conninfo(self.url, options="-c role=ingester_reader")

    @contextlib.contextmanager
    def reader(self) -> Iterator[Callable[..., None]]:
        """A connection of its own that asks a named statement and waits for all of its rows.

        They are not turned into Python's: what is timed is the database with the transfer.
        """
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield lambda name, **parameters: connection.execute(statement(name), parameters).close()

    def rows(self, name: str, **parameters: object) -> list[Row]:
        """The rows of a named statement."""
        return self._connection.execute(statement(name), parameters or None).fetchall()

    def value(self, name: str, **parameters: object) -> Any:  # noqa: ANN401 - as the statement
        """The only value of a named statement."""
        ((value,),) = self.rows(name, **parameters)
        return value

    def record(self, name: str, **parameters: object) -> dict[str, Any]:
        """The only row of a named statement, by column."""
        cursor = self._connection.execute(statement(name), parameters or None)
        (row,) = cursor.fetchall()
        return dict(zip((column.name for column in cursor.description or ()), row, strict=True))

    def run(self, name: str, about: Mapping[str, str] | None = None, **parameters: object) -> None:
        """Run a named statement for its effect; `about` names tables and columns in it."""
        self._connection.execute(statement(name, **about or {}), parameters or None)

    @property
    def wal_bytes(self) -> int:
        """WAL written so far, by this connection or, before PostgreSQL 18, by the whole server."""
        if self._connection.info.server_version < _BACKEND_WAL_SINCE:
            return int(self.value("wal_position"))
        self.rows("flush_statistics")
        return int(self.value("backend_wal_bytes"))

    def bind(self, name: str, leaf: str, month_start: date, month_end: date) -> None:
        """Run a statement about a leaf; bounds of a partition are no parameters, but literals."""
        bounds = {
            "month_start": sql.Literal(f"{month_start} 00:00:00+00"),
            "month_end": sql.Literal(f"{month_end} 00:00:00+00"),
        }
        self._connection.execute(statement(name, leaf=leaf, **bounds))

    def dump(self, file: Path, form: str = "text") -> None:
        """Write all events in a format of COPY, in the order they lie in: batch after batch."""
        self.run("dump_in_order")
        with (
            self._connection.cursor().copy(statement("dump_events", form=form)) as copy,
            file.open("wb") as out,
        ):
            for block in copy:
                out.write(block)

    def copy(self, leaf_rows: Sequence[tuple[str, Sequence[bytes]]]) -> None:
        """COPY encoded rows into their leaves as the writer does, in one transaction."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for leaf, rows in leaf_rows:
                with cursor.copy(about("copy_rows", table=leaf)) as copy:
                    copy.write(b"".join((binary_copy.HEADER, *rows, binary_copy.TRAILER)))
