"""`ingester config`: every setting, what it is and where it comes from."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from dotenv import dotenv_values
from pydantic import SecretStr

from ingester.commands.terminal import plain_table, safe, terminal
from ingester.settings import Settings, load_settings
from ingester.store.connection import address

MASK: Final = "********"
# librdkafka has several hundred properties and new ones with each version: shown is what is a
# number, a switch or a plain word, and only where the name promises nothing secret.
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_.,:-]{0,40}")
_SECRETIVE: Final = re.compile(r"password|secret|token|jaas|oauth|key|pem|credential|config")


def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Every setting with its value and where it comes from; secrets are masked."""
    settings = load_settings()
    rows = {
        name.upper(): {"value": _shown(name, getattr(settings, name)), "origin": _origin(name)}
        for name in Settings.model_fields
    }
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    table = plain_table("effective settings")
    for name in ("setting", "value", "origin"):
        table.add_column(name, overflow="fold")
    for name, row in rows.items():
        table.add_row(name, safe("" if row["value"] is None else str(row["value"])), row["origin"])
    terminal().print(table)


def _shown(name: str, value: Any) -> Any:  # noqa: ANN401 - a setting may be anything
    if name == "database_url" and isinstance(value, SecretStr):
        return address(value.get_secret_value())
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, dict):
        return {key: _property(key, str(text)) for key, text in value.items()}
    return value


def _property(name: str, value: str) -> str:
    return value if _HARMLESS.fullmatch(value) and not _SECRETIVE.search(name) else MASK


def _origin(name: str) -> str:
    """The first that has it, in the order in which settings are looked for."""
    given = {key.lower() for key in os.environ}
    if _is_in(name, given):
        return "environment"
    if f"{name}_file" in given:
        return f"file of {name.upper()}_FILE"
    file = Path(".env")
    if file.is_file() and _is_in(name, {key.lower() for key in dotenv_values(file)}):
        return ".env"
    return "default"


def _is_in(name: str, keys: set[str]) -> bool:
    return name in keys or any(key.startswith(f"{name}__") for key in keys)
