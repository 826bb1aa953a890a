"""Writes down every step of the migration with its evidence and the evidence's hash."""

import getpass
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ingester.store.connection import Connection
from replay.store.rows import one, rows


def record(connection: Connection, step: str, evidence: Mapping[str, Any]) -> str:
    """Add a row, inside the caller's transaction; returns the hash of the evidence."""
    told = {**evidence, "step": step, "at": datetime.now(UTC)}
    text = json.dumps(told, default=str, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    one(
        connection,
        "record_step",
        step=step,
        taken_by=_who(connection),
        evidence=text,
        evidence_sha256=digest,
    )
    return digest


def last_cutover(connection: Connection) -> datetime | None:
    """When the latest swap was, if that was a cutover."""
    found = rows(connection, "last_step")
    taken_at: datetime | None = found[0]["taken_at"] if found else None
    return taken_at if found and found[0]["step"] == "cutover" else None


def _who(connection: Connection) -> str:
    try:
        person = getpass.getuser()
    except (KeyError, OSError):
        person = "unknown"
    return f"{person}, as {connection.info.user} of the database"
