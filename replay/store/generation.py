"""Writes a generated legacy table, in one transaction, and never over a table it did not make.

Rows are put together by PostgreSQL from two small lists; the nine indexes are built when the rows
are there. A table of ours carries a mark in its COMMENT.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from psycopg import sql

from ingester.errors import IngesterError, NeedsAPerson
from ingester.store.connection import Connection, translating
from ingester.store.statements import statement
from replay.generation.figures import Figures
from replay.generation.lives import SPAN_DAYS, Life
from replay.generation.values import ActiveDay

Progress = Callable[[str, int, int], None]
MARK: Final = "made by replay generate: "
INDEXES: Final = (
    "primary_key",
    "unique",
    "campaign_id",
    "campaign_id_int",
    "admin_uuid",
    "stat_date",
    "campaign_latest",
    "admin_campaigns",
    "admin_latest",
)
_SLICE_DAYS: Final = 50


@dataclass(frozen=True, slots=True)
class Generated:
    """What a table is to hold, and from what it is made."""

    figures: Figures
    lives: Sequence[Life]
    days: Sequence[ActiveDay]
    until: date
    seed: int

    @property
    def mark(self) -> str:
        """The comment of the table."""
        return f"{MARK}seed {self.seed}, {self.figures.rows:,} rows, days before {self.until}"


def check_ours(connection: Connection, name: str) -> bool:
    """Whether a table of that name is there; raises NeedsAPerson where we did not make it."""
    row = connection.execute(statement("comment_of_table"), {"name": name}).fetchone()
    if row is not None and not (row[0] == "r" and (row[1] or "").startswith(MARK)):
        raise NeedsAPerson(
            f"{name} exists and was not made by replay generate: it is left alone; "
            "REPLAY_LEGACY_TABLE names another"
        )
    return row is not None


def write_table(
    connection: Connection, name: str, generated: Generated, show: Progress
) -> dict[str, int]:
    """Make the table, in place of one that we made before; returns its sizes in bytes.

    Raises IngesterError where it does not hold what it should; nothing is left behind then.
    """
    with translating(f"generating {name}"):
        with connection.transaction():
            if check_ours(connection, name):
                connection.execute(_about("drop_generated", name))
            connection.execute(_about("create_generated", name))
            connection.execute(_about("mark_generated", name, mark=sql.Literal(generated.mark)))
            _copy_parts(connection, generated)
            _insert_rows(connection, name, generated, show)
            _build_indexes(connection, name, show)
            _check_figures(connection, name, generated.figures)
        show("vacuum", 0, 1)
        connection.execute(_about("vacuum_generated", name))
        row = connection.execute(statement("generated_bytes"), {"name": name}).fetchone() or (0, 0)
    return {"total_bytes": row[0], "table_bytes": row[1]}


def _copy_parts(connection: Connection, generated: Generated) -> None:
    connection.execute(statement("create_generated_parts"))
    campaigns = (
        (life.number, life.campaign_id, life.admin_uuid,
         generated.until - timedelta(days=life.age_days))
        for life in generated.lives
    )  # fmt: skip
    values = (
        (*day.key, day.sent, day.opened, day.clicked, day.replied, day.positive_replies)
        for day in generated.days
    )
    _copy(connection, "copy_generated_campaigns", campaigns)
    _copy(connection, "copy_generated_values", values)
    connection.execute(statement("analyze_generated_parts"))


def _copy(connection: Connection, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement(name)) as copy:
        for row in rows:
            copy.write_row(row)


def _insert_rows(connection: Connection, name: str, generated: Generated, show: Progress) -> None:
    written = 0
    for first, last in _slices(generated.until):
        show("rows", written, generated.figures.rows)
        cursor = connection.execute(
            _about("insert_generated", name),
            {"seed": generated.seed, "first": first, "last": last},
        )
        written += cursor.rowcount


def _slices(until: date) -> Iterator[tuple[date, date]]:
    """All days of the table, some at a time, oldest first; both ends inclusive."""
    first = until - timedelta(days=SPAN_DAYS)
    while first < until:
        after = min(first + timedelta(days=_SLICE_DAYS), until)
        yield first, after - timedelta(days=1)
        first = after


def _build_indexes(connection: Connection, name: str, show: Progress) -> None:
    connection.execute(statement("generated_workspace"))
    for number, index in enumerate(INDEXES):
        show("indexes", number, len(INDEXES))
        connection.execute(_about(f"index_{index}", name))


def _check_figures(connection: Connection, name: str, figures: Figures) -> None:
    cursor = connection.execute(_about("generated_figures", name))
    columns = [column.name for column in cursor.description or ()]
    found = dict(zip(columns, cursor.fetchone() or (), strict=True))
    wanted = {column: getattr(figures, column, 0) for column in columns}
    if found != wanted:
        raise IngesterError(f"generated {found}, wanted {wanted}")


def _about(name: str, table: str, **others: sql.Composable) -> sql.Composed:
    return statement(name).format(table=sql.Identifier(table), **others)
