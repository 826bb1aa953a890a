"""How the old table's name changes hands, inside the caller's transaction.

First the writers are stopped, which leaves readers alone for as long as proofs take; then, with a
lock timeout so short that nobody notices, readers too. A reader who is in the way costs another
attempt, and the writers stay stopped; so what was proven stays true.
"""

import json
from collections.abc import Sequence
from datetime import date

from psycopg import sql

from ingester.store.connection import Connection
from ingester.store.statements import statement
from replay.settings import ReplaySettings
from replay.store.locks import Patience, patiently
from replay.store.rows import Row, one
from replay.store.standing import RETIRED, SUFFIX, Dependent


def prepare(connection: Connection, settings: ReplaySettings, patience: Patience) -> None:
    """Before anything of the old table is locked: the index that the view needs."""
    shown = one(
        connection,
        "campaign_expression",
        legacy=settings.replay_legacy_table,
        column_names=_column_names(settings),
    )["expression"]
    index = statement("index_for_view").format(expression=sql.SQL(shown))
    patiently(connection, "campaigns", patience, lambda: connection.execute(index))
    connection.execute(statement("analyze_for_view"))


def stop_writers(connection: Connection, relation: str) -> None:
    """Let nobody write the relation until the transaction ends; waits for writers under way.

    Must be the first statement after the isolation is set, so that the snapshot comes after it.
    """
    connection.execute(_about("stop_writers", relation=relation))


def stop_everybody(
    connection: Connection, views: Sequence[str], table: str, patience: Patience
) -> int:
    """Lock views and then the table against readers too; returns how many attempts it took.

    A reader of a view takes its locks in this order. `views` are given as PostgreSQL prints them,
    quoted. Raises TemporaryError where readers were in the way all the time.
    """

    def attempt() -> None:
        for view in views:
            connection.execute(statement("stop_readers_of_view"), {"view": view})
        connection.execute(_about("stop_readers_of_table", relation=table))

    return patiently(connection, table, patience, attempt)


def quoted(name: str) -> str:
    """A name as PostgreSQL prints it."""
    return sql.Identifier(name).as_string(None)


def put_view(
    connection: Connection, settings: ReplaySettings, topic: str, moved: Sequence[Dependent]
) -> None:
    """Rename the table and put the view in its place; everything locked before."""
    name, legacy = settings.replay_legacy_table, settings.replay_legacy_table + SUFFIX
    connection.execute(_about("rename_table", relation=name, name=legacy))
    connection.execute(
        statement("create_view"),
        {"legacy": legacy, "view": name, "column_names": _column_names(settings)},
    )
    for trigger in ("refuse_writes_by_row", "refuse_writes_by_statement"):
        connection.execute(
            statement(trigger).format(view=sql.Identifier(name), topic=sql.Literal(topic))
        )
    connection.execute(statement("copy_grants"), {"source": legacy, "target": name})
    _define_again(connection, moved)


def put_table_back(
    connection: Connection, settings: ReplaySettings, moved: Sequence[Dependent]
) -> None:
    """Give the table its name back and drop the view; everything locked before."""
    name = settings.replay_legacy_table
    connection.execute(_about("rename_view", relation=name, name=name + RETIRED))
    connection.execute(_about("rename_table", relation=name + SUFFIX, name=name))
    _define_again(connection, moved)
    connection.execute(_about("drop_view", view=name + RETIRED))


def bring_days_back(
    connection: Connection, settings: ReplaySettings, legacy: str, since: date
) -> Row:
    """Copy the statistics from a day on into the old table; returns rows updated and inserted."""
    return one(
        connection,
        "bring_days_back",
        legacy=legacy,
        column_names=_column_names(settings),
        since=since,
    )


def drop_table(connection: Connection, settings: ReplaySettings) -> None:
    """Drop the renamed table; fails where something still depends on it."""
    connection.execute(_about("drop_table", relation=settings.replay_legacy_table + SUFFIX))


def _define_again(connection: Connection, moved: Sequence[Dependent]) -> None:
    for dependent in moved:
        if dependent.definition is not None:
            # As PostgreSQL itself printed it, names quoted.
            connection.execute(sql.SQL(dependent.definition))


def _column_names(settings: ReplaySettings) -> str:
    return json.dumps(settings.columns())


def _about(name: str, /, **identifiers: str) -> sql.Composed:
    return statement(name).format(
        **{placeholder: sql.Identifier(each) for placeholder, each in identifiers.items()}
    )
