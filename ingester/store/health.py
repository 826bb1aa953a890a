"""What `doctor` asks a database: who we are there, what we may, what is missing."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from ingester.store.connection import Connection, translating
from ingester.store.reading import rows
from ingester.store.statements import statement


def server(connection: Connection) -> dict[str, Any]:
    """Version, login, database, schema, encryption and clock."""
    with translating("asking the server about itself"):
        return rows(connection, "server_facts")[0]


def permissions(connection: Connection) -> dict[str, bool]:
    """Which processes this login could be: run, refresh, stats, operate."""
    with translating("asking for our privileges"):
        found = rows(connection, "login_may")[0]
    return {name.removeprefix("may_"): bool(allowed) for name, allowed in found.items()}


def missing_leaves(connection: Connection, months: Sequence[date]) -> list[str]:
    """The leaves of these months that are not there."""
    with translating("looking at the partitions"):
        attached = {row["relname"] for row in rows(connection, "attached_leaves")}
        names = [
            connection.execute(statement("leaf_name"), {"month": month}).fetchone()
            for month in months
        ]
    return [str(name[0]) for name in names if name is not None and name[0] not in attached]
