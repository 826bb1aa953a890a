"""The old table's name: who bears it, and how it changes hands.

Before the cutover the name belongs to the table; after it to a view, and the table is called
`…_legacy`; after drop-legacy there is only the view. What counts is what the catalog says.

A swap is one transaction. First it stops writers, which leaves readers alone for as long as proofs
take; then, with a lock timeout so short that nobody notices, it tries to stop readers too. A reader
who is in the way costs a retry from a savepoint, and the writers stay stopped; so what was proven
stays true. The technique of short lock timeouts with retries is the usual one of online migrations
(GitLab's `with_lock_retries`, among others).
"""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from psycopg import errors, sql

from ingester.errors import NeedsAPerson, TemporaryError
from ingester.store.connection import Connection
from ingester.store.statements import statement
from replay.legacy import LegacyTable
from replay.settings import ReplaySettings
from replay.store.legacy import find_legacy
from replay.store.rows import Row, one, rows

SUFFIX: Final = "_legacy"
_RETIRED: Final = "_retired_view"
_NAME_BYTES_MAX: Final = 63 - len(_RETIRED)
_PAUSE_SECONDS_MAX: Final = 0.25


class Standing(StrEnum):
    """Who bears the old table's name."""

    TABLE = "the old table"
    VIEW = "the view; the old table is kept"
    VIEW_ALONE = "the view; the old table was dropped"


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something that refers to the table or view that is to change hands.

    `action`: move (defined again by `definition`), refuse (the swap must not happen), note.
    """

    kind: str
    identity: str
    action: str
    reason: str
    definition: str | None


def standing(connection: Connection, settings: ReplaySettings) -> Standing:
    """Look the name up. Raises NeedsAPerson where nothing bears it."""
    name = settings.replay_legacy_table
    kind = _kind(connection, name)
    if kind is None:
        raise NeedsAPerson(f"{name} does not exist; REPLAY_LEGACY_TABLE names the old table")
    if kind != "v":
        return Standing.TABLE
    return Standing.VIEW if _kind(connection, name + SUFFIX) else Standing.VIEW_ALONE


def legacy_table(connection: Connection, settings: ReplaySettings) -> LegacyTable:
    """The old table, whatever it is called now. Raises NeedsAPerson where it was dropped."""
    name = settings.replay_legacy_table
    found = standing(connection, settings)
    if found is Standing.VIEW_ALONE:
        raise NeedsAPerson(f"{name}: the old table was dropped, there is nothing to compare with")
    return find_legacy(connection, settings, name + SUFFIX if found is Standing.VIEW else name)


def check_name(settings: ReplaySettings) -> None:
    """Refuse a name that leaves no room for the suffixes."""
    if len(settings.replay_legacy_table.encode()) > _NAME_BYTES_MAX:
        raise NeedsAPerson(
            f"{settings.replay_legacy_table}: longer than {_NAME_BYTES_MAX} bytes, "
            f"so it cannot be renamed by adding {SUFFIX}"
        )


def dependents(connection: Connection, relation: str, name: str) -> list[Dependent]:
    """What refers to a relation, or speaks of `name`."""
    return [
        Dependent(**row) for row in rows(connection, "dependents", relation=relation, name=name)
    ]


def size(connection: Connection, name: str) -> Row:
    """Bytes on disk with indexes, and the estimated rows."""
    return one(connection, "relation", name=name)


def prepare(connection: Connection, settings: ReplaySettings) -> None:
    """What may take its time, before anything is locked: the index that the view needs."""
    connection.execute(
        statement("index_for_view"),
        {"legacy": settings.replay_legacy_table, "column_names": _column_names(settings)},
    )


def stop_writers(connection: Connection, relation: str, lock_seconds: float) -> None:
    """Let nobody write the relation until the transaction ends; waits for writers under way.

    Must be the first statement after the isolation is set, so that the snapshot comes after it.
    """
    connection.execute(_about("stop_writers", relation=relation))
    _lock_timeout(connection, lock_seconds)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one attempt may hold up readers, and how long to go on trying; in seconds."""

    lock_seconds: float
    seconds_max: float


def stop_everybody(
    connection: Connection, views: Sequence[str], relations: Sequence[str], patience: Patience
) -> int:
    """Lock views and then relations against readers too; returns how many attempts it took.

    `views` are given as PostgreSQL prints them, quoted. Raises TemporaryError where readers were in
    the way all the time.
    """
    give_up_at = time.monotonic() + patience.seconds_max
    _lock_timeout(connection, patience.lock_seconds)
    attempts = 0
    while True:
        attempts += 1
        try:
            with connection.transaction():  # inside a transaction: a savepoint
                for view in views:
                    query = statement("stop_everybody").format(relation=sql.SQL(view))
                    connection.execute(query)
                for relation in relations:
                    connection.execute(_about("stop_everybody", relation=relation))
        except errors.LockNotAvailable:
            if time.monotonic() > give_up_at:
                raise TemporaryError(
                    f"{relations[-1]} was in use during {attempts} attempts of "
                    f"{patience.lock_seconds:g} s: long transactions hold it; nothing was changed"
                ) from None
            time.sleep(random.uniform(0, _PAUSE_SECONDS_MAX))  # noqa: S311 - spreads attempts
        else:
            return attempts


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
    connection.execute(_about("rename_view", relation=name, name=name + _RETIRED))
    connection.execute(_about("rename_table", relation=name + SUFFIX, name=name))
    _define_again(connection, moved)
    connection.execute(_about("drop_view", view=name + _RETIRED))


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


def in_transaction(
    connection: Connection, job: Callable[[], None], *, frozen: bool = False
) -> None:
    """Run a job in a transaction; with `frozen` everything it reads is of one moment."""
    connection.execute(statement("begin"))
    try:
        if frozen:
            connection.execute(statement("repeatable_read"))
        job()
        connection.execute(statement("commit"))
    except BaseException:
        if not connection.closed:
            connection.execute(statement("rollback"))
        raise


def _kind(connection: Connection, name: str) -> str | None:
    found = rows(connection, "relation", name=name)
    return found[0]["kind"] if found else None


def _define_again(connection: Connection, moved: Sequence[Dependent]) -> None:
    for dependent in moved:
        if dependent.definition is not None:
            # As PostgreSQL itself printed it, names quoted.
            connection.execute(sql.SQL(dependent.definition))


def _lock_timeout(connection: Connection, seconds: float) -> None:
    milliseconds = max(1, int(seconds * 1000))
    connection.execute(statement("lock_timeout"), {"milliseconds": milliseconds})


def _column_names(settings: ReplaySettings) -> str:
    return json.dumps(settings.columns())


def _about(name: str, /, **identifiers: str) -> sql.Composed:
    return statement(name).format(
        **{placeholder: sql.Identifier(each) for placeholder, each in identifiers.items()}
    )
