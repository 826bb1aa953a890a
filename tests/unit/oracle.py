"""The event contract read a second time, by other means: what the decoder is judged by.

Nothing of `ingester` is used here. It says whether a value is an event and which, not why it is
none; and it does not measure metadata, which the tests keep small here.
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Final

Tree = dict[str, "Tree"] | list["Tree"] | str | bool | None

_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME: Final = re.compile(
    r"(?ai)(\d{4})-(\d\d)-(\d\d)t(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:z|([+-])(\d\d):(\d\d))"
)
_INTEGER: Final = re.compile(r"-?[0-9]+")
_SCIENTIFIC: Final = re.compile(r"-?[0-9]+\.?([0-9]*)[eE](.+)")
_REQUIRED: Final = {"event_id", "campaign_id", "event_type", "occurred_at"}
_OPTIONAL: Final = {"count", "correction", "email_account_id", "metadata"}
_TYPES: Final = ("sent", "opened", "clicked", "replied", "positive_reply", "bounced")
_CALENDAR_DAYS: Final = (date.min.toordinal(), date.max.toordinal())
_DAY_SECONDS: Final = 86_400


class Number(str):
    """A JSON number as it is spelled; so that 1, 1.0 and "1" stay three things."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Understood:
    """An event; `occurred_us` counts from 2000-01-01, `metadata` is a tree with Numbers."""

    campaign_id: str
    event_id: bytes
    occurred_us: int
    event_type: str
    count: int
    email_account_id: str | None
    metadata: Tree


class _Wrong(Exception):
    pass


def understood(value: bytes, first_us: int, last_us: int) -> Understood | None:
    """The event that a value is; None where it is none."""
    try:
        tree = tree_of(value)
        _require(isinstance(tree, dict) and _depth(tree) <= 64)
        return _event(tree, first_us, last_us)  # type: ignore[arg-type]  # a dict, as just seen
    except (_Wrong, ValueError, RecursionError):
        return None


def tree_of(value: bytes) -> Tree:
    """Strict JSON, with Numbers; raises ValueError or _Wrong."""
    tree: Tree = json.loads(
        value.decode(),
        object_pairs_hook=_distinct,
        parse_int=_finite,
        parse_float=_finite,
        parse_constant=_no_constant,
    )
    _check_texts(tree)
    return tree


def _event(tree: dict[str, Tree], first_us: int, last_us: int) -> Understood:
    _require(tree.keys() >= _REQUIRED and tree.keys() <= _REQUIRED | _OPTIONAL)
    event_id, event_type = _text(tree["event_id"]), _text(tree["event_type"])
    _require(_UUID.fullmatch(event_id) is not None and event_type in _TYPES)
    identity = bytes.fromhex(event_id.replace("-", ""))
    occurred_us = _microseconds(_text(tree["occurred_at"]))
    _require(first_us <= occurred_us <= last_us)
    count = tree.get("count", Number("1"))
    _require(isinstance(count, Number) and _INTEGER.fullmatch(count) is not None)
    correction = tree.get("correction", False)
    _require(isinstance(correction, bool))
    _require(not correction or identity.hex()[12:20] == "8ca39a17")
    _require(abs(int(str(count))) <= 2_147_483_647)
    _require(int(str(count)) >= 1 or (bool(correction) and int(str(count)) != 0))
    email = tree.get("email_account_id")
    metadata = tree.get("metadata")
    _require(metadata is None or (isinstance(metadata, dict) and _is_storable(metadata)))
    return Understood(
        _identifier(tree["campaign_id"]),
        identity,
        occurred_us,
        event_type,
        int(str(count)),
        None if email is None else _identifier(email),
        metadata,
    )


def _require(holds: bool) -> None:
    if not holds:
        raise _Wrong


def _text(value: Tree) -> str:
    if not isinstance(value, str) or isinstance(value, Number):
        raise _Wrong
    return value


def _identifier(value: Tree) -> str:
    text = _text(value)
    _require(1 <= len(text) <= 255 and "\0" not in text)
    return text


def _microseconds(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise _Wrong
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    _require(hour < 24 and minute < 60 and second < 60)
    fraction = int((match[7] or "0")[:6].ljust(6, "0"))
    offset_hours, offset_minutes = int(match[9] or 0), int(match[10] or 0)
    _require(offset_hours < 24 and offset_minutes < 60)
    offset_seconds = (offset_hours * 60 + offset_minutes) * (-60 if match[8] == "-" else 60)
    seconds = date(year, month, day).toordinal() * _DAY_SECONDS
    seconds += hour * 3600 + minute * 60 + second - offset_seconds
    first, last = _CALENDAR_DAYS
    _require(first <= seconds // _DAY_SECONDS <= last)
    return (seconds - date(2000, 1, 1).toordinal() * _DAY_SECONDS) * 1_000_000 + fraction


def _finite(text: str) -> Number:
    _require(abs(float(text)) != float("inf"))
    return Number(text)


def _no_constant(_: str) -> None:
    raise _Wrong


def _distinct(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    members = dict(pairs)
    _require(len(members) == len(pairs))
    return members


def _parts(tree: Tree) -> list[Tree]:
    """Everything in a tree, keys too."""
    if isinstance(tree, dict):
        return [tree, *tree.keys(), *(part for value in tree.values() for part in _parts(value))]
    if isinstance(tree, list):
        return [tree, *(part for value in tree for part in _parts(value))]
    return [tree]


def _depth(tree: Tree) -> int:
    if isinstance(tree, dict):
        return 1 + max(map(_depth, tree.values()), default=0)
    if isinstance(tree, list):
        return 1 + max(map(_depth, tree), default=0)
    return 0


def _check_texts(tree: Tree) -> None:
    for part in _parts(tree):
        if isinstance(part, str):
            part.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError


def _is_storable(tree: Tree) -> bool:
    for part in _parts(tree):
        if isinstance(part, Number):
            match = _SCIENTIFIC.fullmatch(part)
            if match is not None and (len(match[1]) > 15_000 or len(match[2]) > 4):
                return False
        elif isinstance(part, str) and "\0" in part:
            return False
    return True
