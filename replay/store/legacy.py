"""Looks the old table up and reads its rows, never more of them than a page at a time."""

from collections.abc import Iterator
from datetime import date

from psycopg import sql

from ingester.errors import NeedsAPerson
from ingester.store.connection import Connection, translating
from ingester.store.statements import statement
from replay.expand import LegacyRow
from replay.legacy import LegacyTable, check_shape
from replay.settings import ReplaySettings
from replay.store.statements import about_legacy, entries


def find_legacy(
    connection: Connection, settings: ReplaySettings, name: str | None = None
) -> LegacyTable:
    """Describe the old table (`name`: as it is called after the cutover).

    Raises NeedsAPerson where it does not exist, is a view or cannot become events.
    """
    name = name or settings.replay_legacy_table
    with translating(f"looking for {name}"):
        found = connection.execute(statement("find_table"), {"name": name}).fetchone()
        if found is None:
            raise NeedsAPerson(f"{name} does not exist; REPLAY_LEGACY_TABLE names the old table")
        schema, kind, oid = found
        if kind not in {"r", "p"}:
            raise NeedsAPerson(f"{name} is a view: the cutover has already happened")
        types: dict[str, str] = dict(
            connection.execute(statement("columns_of_table"), {"oid": oid}).fetchall()
        )
    columns = {ours: (theirs if theirs in types else None)
               for ours, theirs in settings.columns().items()}  # fmt: skip
    table = LegacyTable(
        schema=schema,
        name=name,
        columns=columns,
        types={ours: types[theirs] for ours, theirs in columns.items() if theirs is not None},
    )
    check_shape(table)
    return table


def keys(connection: Connection, table: LegacyTable) -> list[tuple[list[str], bool]]:
    """The columns of each index over all rows, in its order, and whether it is unique."""
    named = {"schema": table.schema, "name": table.name}
    return [(names, is_unique) for names, is_unique in
            connection.execute(statement("keys_of_table"), named)]  # fmt: skip


def gather(connection: Connection, table: LegacyTable, until: date) -> None:
    """Set the rows with a value and stat_date < until apart, in a temporary table of the session.

    One scan of the old table, whose rows are nearly all zero, serves all that a run asks of it.
    """
    connection.execute(
        statement("gather_entries").format(legacy=entries(table), until=sql.Literal(until))
    )
    connection.execute(statement("index_entries"))


def rows_between(
    connection: Connection, first: date, until: date, rows_at_a_time: int
) -> Iterator[list[LegacyRow]]:
    """The gathered rows with first <= stat_date < until, by date; inside a transaction.

    A server-side cursor: memory is that of one page, however long the range.
    """
    with connection.cursor(name="legacy_rows") as cursor:
        cursor.execute(statement("entries_between"), {"first": first, "until": until})
        while page := cursor.fetchmany(rows_at_a_time):
            yield [LegacyRow(row[0], row[1], row[2], row[3:]) for row in page]


def fill_attributes(connection: Connection, table: LegacyTable) -> int:
    """Remember what only the old table knows of its campaigns; returns how many rows changed."""
    day = [table.columns["campaign_id"], table.columns["stat_date"]]
    is_text = table.types["campaign_id"] in {"text", "character varying"}
    by_key = is_text and any(names[:2] == day for names, _ in keys(connection, table))
    query = "latest_attributes_by_key" if by_key else "latest_attributes"
    found = connection.execute(about_legacy(query, table)).fetchall()
    names = ("campaign_ids", "admin_uuids", "ints")
    columns = {name: [row[at] for row in found] for at, name in enumerate(names)}
    return connection.execute(statement("fill_attributes"), columns).rowcount
