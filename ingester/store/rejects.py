"""A reject as a row that can be stored, whatever the record holds."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from psycopg.types.json import Jsonb

from ingester.batch import Record
from ingester.event import VALUE_BYTES_MAX
from ingester.outcomes import Headers, Rejected

LARGE_VALUE_KEPT_BYTES: Final = 64 * 1024


def reject_row(record: Record, headers: Headers, rejected: Rejected) -> Mapping[str, Any]:
    """The part of a `rejected_events` row that comes from the record itself."""
    value = record.value()
    kept = value
    if value is not None and len(value) > VALUE_BYTES_MAX:
        kept = value[:LARGE_VALUE_KEPT_BYTES]
    return {
        "at_offset": record.offset(),
        "key": record.key(),
        "value": kept,
        "value_bytes": len(value or b""),
        "value_sha256": hashlib.sha256(value or b"").digest(),
        "headers": Jsonb([[_storable(name), _base64(content)] for name, content in headers]),
        "reason_code": str(rejected.reason),
        "detail": rejected.detail,
    }


def headers_of_row(stored: list[list[Any]]) -> Headers:
    """The headers as they were published, from their JSON form."""
    return [
        (name, None if content is None else base64.b64decode(content)) for name, content in stored
    ]


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode("ascii")


def _storable(name: str) -> str:
    """A header's name as jsonb can hold it: no NUL, no lone surrogate."""
    return name.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()
