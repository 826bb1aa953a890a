"""The SQL of the benches: `statements.sql`, each statement under its name."""

import re
from functools import cache
from pathlib import Path

from psycopg import sql

_FILE = Path(__file__).with_name("statements.sql")


@cache
def _texts() -> dict[str, str]:
    parts = re.split(r"^-- name: (\w+)\n", _FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        name: text.strip().rstrip(";") for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def statement(name: str, **about: str | sql.Composable) -> sql.Composed:
    """One statement; names are put in as quoted identifiers, anything composed as it is."""
    return sql.SQL(_texts()[name]).format(
        **{
            placeholder: sql.Identifier(value) if isinstance(value, str) else value
            for placeholder, value in about.items()
        }
    )
