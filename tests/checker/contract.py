"""The event contract of `campaign-events`, stated a second time, on purpose without the ingester.

Slow and plain: standard library only. Returns an event or None; why something is none is the
ingester's to say, that it is none is judged here.
"""

import calendar
import json
import re
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

Headers = Sequence[tuple[str, bytes | None]]

_TYPES: Final = {"sent", "opened", "clicked", "replied", "positive_reply", "bounced"}
_REQUIRED: Final = {"event_id", "campaign_id", "event_type", "occurred_at"}
_OPTIONAL: Final = {"count", "correction", "email_account_id", "metadata"}
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_REPLAY: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8ca3-9a17-[0-9a-f]{12}")
_MIB: Final = 1024 * 1024
_DEPTH_MAX: Final = 64
_COUNT_MAX: Final = 2**31 - 1
_LENGTH_MAX: Final = 255
_METADATA_BYTES_MAX: Final = 16 * 1024
_DAY_US: Final = 86_400 * 10**6
_DAYS_BACK: Final = 3_653
_DAYS_AHEAD: Final = 1


class Identity(NamedTuple):
    """What makes two records the same event."""

    campaign_id: str
    event_id: str
    occurred_us: int


class Content(NamedTuple):
    """What an event says beyond its identity; `metadata` in canonical form."""

    event_type: str
    event_count: int
    email_account_id: str | None
    metadata: str | None

    def contradicts(self, other: "Content") -> bool:
        """Whether type or count differ: a repeat that tells another story."""
        return self[:2] != other[:2]


class Event(NamedTuple):
    """A record that is an event."""

    identity: Identity
    content: Content


class _NoEvent(Exception):
    """The record breaks the contract."""


def read_event(value: bytes | None, headers: Headers) -> Event | None:
    """The event that a record holds; None where it holds none."""
    if value is None or len(value) > _MIB:
        return None
    try:
        document = _document(value)
        # No CloudEvents attribute has an underscore: with event_id on top, it is the event itself.
        if "event_id" not in document and any(
            name.lower() == "content-type"
            and (content or b"").lower().startswith(b"application/cloudevents")
            for name, content in headers
        ):
            document = _data(document)
        return _event(document)
    except (_NoEvent, ValueError, RecursionError):
        return None


def canonical(value: Any) -> str:
    """One text for each JSON value, as PostgreSQL's jsonb tells values apart."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def parse_numbers_exactly(text: str) -> Any:
    """JSON with its numbers as decimals: neither rounded nor turned into floats."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _document(value: bytes) -> dict[str, Any]:
    document = json.loads(
        value.decode("utf-8", "strict"),
        object_pairs_hook=_unique,
        parse_constant=_refuse,
        parse_float=Decimal,
    )
    if not isinstance(document, dict) or _depth(document) > _DEPTH_MAX:
        raise _NoEvent
    json.dumps(document, ensure_ascii=False, default=str).encode("utf-8")  # no lone surrogate
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NoEvent
    return members


def _refuse(constant: str) -> None:
    raise _NoEvent(constant)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _data(envelope: dict[str, Any]) -> dict[str, Any]:
    for attribute in ("specversion", "id", "source", "type"):
        if not isinstance(envelope.get(attribute), str) or not envelope[attribute]:
            raise _NoEvent
    if envelope["specversion"] != "1.0" or not isinstance(envelope.get("data"), dict):
        raise _NoEvent
    data: dict[str, Any] = envelope["data"]
    return data


def _event(document: dict[str, Any]) -> Event:
    names = set(document)
    if not names >= _REQUIRED or not names <= _REQUIRED | _OPTIONAL:
        raise _NoEvent
    event_id, occurred_at = document["event_id"], document["occurred_at"]
    if not isinstance(event_id, str) or not _UUID.fullmatch(event_id.lower()):
        raise _NoEvent
    if document["event_type"] not in _TYPES:
        raise _NoEvent
    metadata = document.get("metadata")
    return Event(
        Identity(_text(document["campaign_id"]), event_id.lower(), _occurred_us(occurred_at)),
        Content(
            document["event_type"],
            _count(document, event_id.lower()),
            None
            if document.get("email_account_id") is None
            else _text(document["email_account_id"]),
            None if metadata is None else _metadata(metadata),
        ),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _LENGTH_MAX or "\0" in value:
        raise _NoEvent
    return value


def _count(document: dict[str, Any], event_id: str) -> int:
    count, correction = document.get("count", 1), document.get("correction", False)
    if type(count) is not int or type(correction) is not bool or abs(count) > _COUNT_MAX:
        raise _NoEvent
    if correction and not _REPLAY.fullmatch(event_id):
        raise _NoEvent
    if count == 0 or (count < 0 and not correction):
        raise _NoEvent
    return count


def _metadata(metadata: object) -> str:
    if not isinstance(metadata, dict):
        raise _NoEvent
    text = canonical(metadata)
    if len(text.encode()) > _METADATA_BYTES_MAX or "\\u0000" in text:
        raise _NoEvent
    return text


def _occurred_us(text: object) -> int:
    """Microseconds since 1970 of an RFC 3339 time inside the accepted window."""
    match = _TIME.fullmatch(text.upper()) if isinstance(text, str) else None
    if match is None:
        raise _NoEvent
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, sign, offset_hour, offset_minute = match.groups()[6:]
    if not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(max(year, 1), month)[1]):
        raise _NoEvent
    if hour > 23 or minute > 59 or second > 59 or int(offset_hour or 0) > 23 or year < 1:
        raise _NoEvent
    offset = (int(offset_hour or 0) * 60 + int(offset_minute or 0)) * 60
    seconds = calendar.timegm((year, month, day, hour, minute, second))
    seconds -= -offset if sign == "-" else offset
    occurred_us = seconds * 10**6 + int(((fraction or "") + "000000")[:6])
    now_us = time.time_ns() // 1_000
    if not now_us - _DAYS_BACK * _DAY_US <= occurred_us <= now_us + _DAYS_AHEAD * _DAY_US:
        raise _NoEvent
    return occurred_us


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return {"number": format(Decimal(value).normalize(), "E")}
    return value
