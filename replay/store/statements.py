"""The named statements about the rows of the old table.

The old table's name and columns are settings. One statement, `legacy_entries`, gives its rows
under our names; the others read `FROM ({legacy}) AS legacy`, and PostgreSQL plans both as one.
"""

from psycopg import sql

from ingester.store.statements import statement
from replay.legacy import LegacyTable


def about_legacy(name: str, table: LegacyTable) -> sql.Composed:
    """A statement that reads `{legacy}`, the rows of the old table under our names."""
    return statement(name).format(legacy=entries(table))


def about_gathered(name: str) -> sql.Composed:
    """The same statement about the rows that `replay.store.legacy.gather` has set apart."""
    return statement(name).format(legacy=statement("gathered_entries"))


def entries(table: LegacyTable) -> sql.Composed:
    """The old table's rows: row_id, campaign_id, stat_date, six metrics and two attributes.

    What has no column is NULL here; a metric that is NULL counts as zero.
    """
    columns = {
        name: sql.Literal(None) if column is None else sql.Identifier(column)
        for name, column in table.columns.items()
    }
    return statement("legacy_entries").format(
        table=sql.Identifier(table.schema, table.name), **columns
    )
