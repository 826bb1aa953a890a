"""The rejects as an operator sees and settles them, each change with its audit row."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from ingester.outcomes import Headers
from ingester.store.connection import Connection, translating
from ingester.store.reading import Row, rows
from ingester.store.rejects import headers_of_row
from ingester.store.statements import statement

State = Literal["new", "requeued", "discarded"]
Outcome = Literal["requeued", "discarded"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rejects; None asks for all. Times are of the rejection, `until` not included."""

    ids: Sequence[int] | None = None
    reasons: Sequence[str] | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: State | None = "new"


@dataclass(frozen=True, slots=True)
class StoredReject:
    """A reject as its record was published; `is_cut` where its value is not kept whole."""

    reject_id: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason_code: str
    is_cut: bool


def listed(connection: Connection, selection: Selection, rows_max: int) -> list[Row]:
    """The newest of a selection, without their bytes."""
    with translating("listing the rejects"):
        return rows(connection, "list_rejects", **asdict(selection), rows_max=rows_max)


def shown(connection: Connection, reject_id: int) -> Row | None:
    """Everything about one reject."""
    with translating("reading a reject"):
        found = rows(connection, "show_reject", reject_id=reject_id)
        return found[0] if found else None


@contextlib.contextmanager
def taken(
    connection: Connection, selection: Selection, after: int, rows_max: int
) -> Iterator[list[StoredReject]]:
    """The next rejects of a selection, locked until the block ends; then the changes commit."""
    with translating("settling rejects"), connection.transaction():
        parameters = {**asdict(selection), "after": after, "rows_max": rows_max}
        yield [_reject(*row) for row in connection.execute(statement("take_rejects"), parameters)]


def settle(
    connection: Connection,
    state: Outcome,
    topic: str | None,
    ids: Sequence[int],
    why: str,
    operator: str,
) -> None:
    """Give these rejects their state, and tell the audit; inside `taken`."""
    connection.execute(statement("mark_rejects"), {"state": state, "ids": list(ids)})
    connection.execute(
        statement("record_action"),
        {
            "action": {"requeued": "requeue", "discarded": "discard"}[state],
            "topic": topic,
            "partition": None,
            "first_offset": None,
            "next_offset": None,
            "detail": Jsonb({"rejects": len(ids), "reject_ids": list(ids)}),
            "why": why,
            "operator": operator,
        },
    )


def _reject(
    reject_id: int,
    key: bytes | None,
    value: bytes | None,
    value_bytes: int,
    headers: list[list[Any]],
    reason_code: str,
) -> StoredReject:
    is_cut = value_bytes != len(value or b"")
    return StoredReject(reject_id, key, value, headers_of_row(headers), reason_code, is_cut)
