"""The named statements of the files in `sql/`, and where the SQL files are.

A statement starts with `-- name: …`; the comment lines that follow say why it is as it is.
"""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from psycopg import sql


@cache
def sql_directory() -> Path:
    """Where the SQL lives: inside the installed package, else beside it in a checkout."""
    packaged = Path(str(files("ingester"))) / "sql"
    return packaged if packaged.is_dir() else packaged.parent.parent / "sql"


def statement_files() -> list[Path]:
    """The files of named statements: all of `sql/` but roles.sql, which is a script for psql."""
    return sorted(path for path in sql_directory().glob("*.sql") if path.name != "roles.sql")


@cache
def _statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in statement_files():
        # File by file: what stands above a file's first name is nobody's statement.
        text = path.read_text(encoding="utf-8")
        parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
        bodies = (part.strip().rstrip(";") for part in parts[1::2])
        found |= dict(zip(parts[::2], bodies, strict=True))
    return found


@cache
def statement(name: str) -> sql.SQL:
    """One statement by its name."""
    return sql.SQL(_statements()[name])


def about(name: str, **identifiers: str) -> sql.Composed:
    """A statement about tables that are named at run time, each quoted as an identifier."""
    return statement(name).format(
        **{placeholder: sql.Identifier(name) for placeholder, name in identifiers.items()}
    )
