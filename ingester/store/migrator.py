"""Brings a database to this version's schema: forward only, safe to run again and at once.

Numbered migrations are applied once, in order; functions are put in place again whenever their
text changed. Everything happens in one transaction under an advisory lock, so that four starters
do the work once and a failure leaves nothing half done. A database that a newer version has
migrated is refused.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from ingester.errors import NeedsAPerson, NotPermitted
from ingester.store.connection import Connection, translating
from ingester.store.statements import about, sql_directory, statement


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a run did: the schema's version, and the files it applied (or would apply)."""

    version: int
    applied: tuple[str, ...]


def migrate(connection: Connection, *, dry_run: bool = False) -> Migrated:
    """Apply what is missing; with `dry_run` only tell it.

    Raises NeedsAPerson where the database is newer than this program or a migration that was
    applied has been edited since.
    """
    with translating("migrating"), connection.transaction(force_rollback=dry_run):
        connection.execute(statement("lock_migration"))
        encoding = connection.execute(statement("server_encoding")).fetchone()
        if encoding is None or encoding[0] != "UTF8":
            raise NeedsAPerson(
                f"the database is encoded in {encoding and encoding[0]}, ids need UTF8: "
                "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
            )
        # Functions pin the search path they are created under; it must not depend on the role.
        schema = connection.execute(statement("current_schema")).fetchone()
        if schema is None or schema[0] is None:
            raise NeedsAPerson("the connection's search_path names no schema that exists")
        connection.execute(about("use_schema", schema=schema[0]))
        connection.execute(statement("act_as_owner"))
        connection.execute(statement("create_migration_tables"))
        applied = [*_migrations(connection), *_functions(connection)]
        version = max((_number(path) for path in _files("migrations")), default=0)
    return Migrated(version, tuple(applied))


def pending(connection: Connection) -> list[str]:
    """The migrations that are not applied, by name; changes nothing and needs no privilege of DDL.

    A login that may not read which are applied is told that none is missing.
    """
    with translating("reading the schema's version"):
        table = connection.execute(statement("migrations_readable")).fetchone()
        if table is None or table[0] is False:
            return []
        done = set()
        if table[0]:
            done = {row[0] for row in connection.execute(statement("applied_migrations"))}
    return [path.stem for path in _files("migrations") if _number(path) not in done]


def grant_roles(connection: Connection) -> None:
    """Create the group roles of `sql/roles.sql` and give them what is theirs, in one go.

    Raises NotPermitted, with who must run it, where this login may not.
    """
    try:
        with translating("granting the roles"), connection.transaction():
            connection.execute(statement("lock_migration"))
            connection.execute(sql.SQL((sql_directory() / "roles.sql").read_text(encoding="utf-8")))
    except NotPermitted as error:
        raise NotPermitted(
            f"{error}; --roles is for a superuser, a login with CREATEROLE that owns the database "
            "and its tables, or, where it has been run before, a member of ingester_owner"
        ) from error


def _files(folder: str) -> list[Path]:
    return sorted((sql_directory() / folder).glob("*.sql"))


def _number(path: Path) -> int:
    return int(path.name.split("_", 1)[0])


def _migrations(connection: Connection) -> list[str]:
    known = {_number(path): path for path in _files("migrations")}
    done: dict[int, str] = dict(connection.execute(statement("applied_migrations")).fetchall())
    newer = sorted(set(done) - set(known))
    if newer:
        raise NeedsAPerson(
            f"the database is at migration {newer[-1]}, this version knows {max(known)}: "
            "upgrade the ingester"
        )
    applied = []
    for number, path in known.items():
        text, checksum = _read(path)
        if number not in done:
            connection.execute(sql.SQL(text))
            connection.execute(
                statement("record_migration"),
                {"version": number, "name": path.stem, "checksum": checksum},
            )
            applied.append(f"migrations/{path.name}")
        elif done[number] != checksum:
            raise NeedsAPerson(f"migrations/{path.name} was edited after it had been applied")
    return applied


def _functions(connection: Connection) -> list[str]:
    done: dict[str, str] = dict(connection.execute(statement("applied_functions")).fetchall())
    applied = []
    for path in _files("functions"):
        text, checksum = _read(path)
        if done.get(path.stem) != checksum:
            connection.execute(sql.SQL(text))
            connection.execute(
                statement("record_function"), {"name": path.stem, "checksum": checksum}
            )
            applied.append(f"functions/{path.name}")
    return applied


def _read(path: Path) -> tuple[str, str]:
    text = path.read_text(encoding="utf-8")
    return text, hashlib.sha256(text.encode()).hexdigest()
