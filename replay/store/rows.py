"""Runs the named statements of `sql/migration.sql`."""

from typing import Any

from psycopg import sql

from ingester.store.connection import Connection
from ingester.store.statements import statement

Row = dict[str, Any]


def rows(connection: Connection, what: str | sql.Composed, /, **parameters: object) -> list[Row]:
    """Run a statement, given by its name or composed, and return its rows by column."""
    query = statement(what) if isinstance(what, str) else what
    cursor = connection.execute(query, parameters or None)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def one(connection: Connection, name: str, /, **parameters: object) -> Row:
    """The only row of a statement that has one."""
    return rows(connection, name, **parameters)[0]
