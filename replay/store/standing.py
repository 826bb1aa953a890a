"""Who bears the old table's name, and what refers to it: as the catalog says.

Before the cutover the name belongs to the table; after it to a view, and the table is called
`…_legacy`; after drop-legacy there is only the view.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ingester.errors import NeedsAPerson
from ingester.store.connection import Connection
from replay.legacy import LegacyTable
from replay.settings import ReplaySettings
from replay.store.legacy import find_legacy
from replay.store.rows import Row, one, rows

SUFFIX: Final = "_legacy"
RETIRED: Final = "_retired_view"
"""What the view is called while a rollback is under way."""
_NAME_BYTES_MAX: Final = 63 - len(RETIRED)


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


def _kind(connection: Connection, name: str) -> str | None:
    found = rows(connection, "relation", name=name)
    return found[0]["kind"] if found else None
