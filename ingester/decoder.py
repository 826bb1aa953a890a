"""From the bytes of a record to an event or a reason why it is none. Pure, and never raises.

Two paths, one meaning. The fast path recognises the common shape of a valid event with a handful
of exact checks and gives up at the first doubt; the slow path decides, with the pydantic model
as the judge, and finds the reason code. A property test holds the fast path to the slow one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from json import JSONDecoder
from typing import Any, Final

import orjson
from pydantic import ValidationError

from ingester.event import (
    COUNT_MAX,
    DEPTH_MAX,
    METADATA_BYTES_MAX,
    VALUE_BYTES_MAX,
    CampaignEvent,
    EventType,
)

type_codes: Final = {str(event_type): code for code, event_type in enumerate(EventType)}

Event = tuple[str, bytes, int, int, int, str | None, bytes | None]
"""campaign_id, event_id (16 bytes), occurred_at (µs since `EPOCH`), type code (index in EventType),
count, email_account_id, metadata (JSON text). A plain tuple: a million of them are made a batch."""

Headers = Sequence[tuple[str, bytes | None]]

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL's epoch: binary timestamps count from here. Earlier events are outside the window."""


class Reason(StrEnum):
    """Why a record is not an event: the closed list of `rejected_events.reason_code`."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    NOT_AN_OBJECT = "not_an_object"
    INVALID_ENVELOPE = "invalid_envelope"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_VALUE = "invalid_value"
    OUTSIDE_WINDOW = "outside_window"
    REFUSED_BY_DATABASE = "refused_by_database"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not an event; `detail` is short, printable and safe to log."""

    reason: Reason
    detail: str

    def __post_init__(self) -> None:
        """Keep the detail storable whatever it quotes: printable ASCII, at most 300 characters."""
        safe = self.detail.encode("unicode_escape").decode("ascii")
        object.__setattr__(self, "detail", safe[:300])


@dataclass(frozen=True, slots=True)
class Window:
    """The accepted times, both ends included, in µs since `EPOCH`."""

    first_us: int
    last_us: int

    @classmethod
    def around(cls, now: datetime, back: timedelta, ahead: timedelta, floor: datetime) -> "Window":
        """Span from `back` before now, never below the retention floor, to `ahead` after it."""
        first = max(now - back, floor, EPOCH)
        return cls(microseconds(first), microseconds(now + ahead))


_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Microseconds from `EPOCH` to an aware time."""
    return (time - EPOCH) // _MICROSECOND


# Upper case only, at most six digits: what nearly every producer writes.
_common_time = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
).fullmatch


def decode(
    values: Sequence[bytes | None], headers_of: Callable[[int], Headers], window: Window
) -> list[Event | Rejected]:
    """Decode a run of values; the result has one entry per value, in their order.

    `headers_of(i)` gives the headers of the i-th record; it is called only where the fast path
    gave up, since reading headers costs more than reading a value.
    """
    outcomes: list[Event | Rejected] = []
    append = outcomes.append
    loads, fromisoformat, fromhex = orjson.loads, datetime.fromisoformat, bytes.fromhex
    first_us, last_us = window.first_us, window.last_us
    for index, value in enumerate(values):
        try:
            document = loads(value)  # type: ignore[arg-type]  # None raises, as junk does
            event_id = document["event_id"]
            campaign_id = document["campaign_id"]
            time = document["occurred_at"]
            type_code = type_codes[document["event_type"]]
            strings, known = 4, 4
            count = 1
            email = metadata = None
            quotes = value.count(b'"')  # type: ignore[union-attr]
            if len(document) > 4:
                if "count" in document:
                    known += 1
                    count = document["count"]
                if "email_account_id" in document:
                    known += 1
                    strings += 1
                    email = document["email_account_id"]
                    if type(email) is not str or not 0 < len(email) < 256 or "\0" in email:
                        raise ValueError
                if "metadata" in document:
                    known += 1
                    metadata = orjson.dumps(document["metadata"])
                    # Found again but for white space, it holds no lossy number. Only an empty
                    # object, which has no quotes, could stand in a string instead.
                    if (
                        metadata[:1] != b"{"
                        or (len(metadata) == 2 and b'"metadata":{}' not in value)  # type: ignore[operator]
                        or len(value) > METADATA_BYTES_MAX  # type: ignore[arg-type]
                        or (
                            metadata not in value  # type: ignore[operator]
                            and _squeezed(metadata) not in _squeezed(value)  # type: ignore[arg-type]
                        )
                        or metadata.count(b"{") + metadata.count(b"[") >= DEPTH_MAX
                        or b"\\u0000" in metadata
                    ):
                        raise ValueError
                    quotes -= metadata.count(b'"')
            # Every string brings two quotes, and more where it escapes one; so a key that stands
            # twice would leave quotes over.
            if (
                len(document) != known
                or quotes != 2 * (known + strings)
                or len(value) > VALUE_BYTES_MAX  # type: ignore[arg-type]
                or type(count) is not int
                or not 0 < count <= COUNT_MAX
                or type(campaign_id) is not str
                or not 0 < len(campaign_id) < 256
                or "\0" in campaign_id
                or len(event_id) != 36
                or not event_id[8] == event_id[13] == event_id[18] == event_id[23] == "-"
                or _common_time(time) is None
            ):
                raise ValueError
            # fromhex skips white space, which the length then gives away.
            identity = fromhex(event_id.replace("-", ""))
            if len(identity) != 16:
                raise ValueError
            elapsed = fromisoformat(time) - EPOCH
            occurred_us = (
                elapsed.days * 86_400_000_000 + elapsed.seconds * 1_000_000 + elapsed.microseconds
            )
            if not first_us <= occurred_us <= last_us:
                raise ValueError
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError, IndexError):
            append(decode_strictly(value, headers_of(index), window))
        else:
            append((campaign_id, identity, occurred_us, type_code, count, email, metadata))
    return outcomes


def decode_strictly(value: bytes | None, headers: Headers, window: Window) -> Event | Rejected:
    """Decide one record, whatever it holds."""
    if value is None:
        return Rejected(Reason.TOMBSTONE, "the record has no value")
    if len(value) > VALUE_BYTES_MAX:
        return Rejected(Reason.TOO_LARGE, f"{len(value)} bytes, at most {VALUE_BYTES_MAX}")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(Reason.INVALID_UTF8, f"byte {error.start}: {error.reason}")
    try:
        document = _document(text)
        # No CloudEvents attribute has an underscore in its name: with one of our fields on top, the
        # value is the event itself, whatever its headers say.
        if "event_id" not in document and _is_enveloped(headers):
            return decode([_payload(text, document).encode()], _no_headers, window)[0]
        return _event(text, document, window)
    except _Refused as refused:
        return Rejected(refused.reason, refused.detail)


class _Refused(Exception):
    """Carries a reason out of the slow path; never leaves this module."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


# A string that never ends counts as one too: seeking its end again from each quote inside it would
# take quadratic time.
_brackets = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|([\[{])|([\]}])', re.DOTALL)


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= DEPTH_MAX:
        return
    depth = 0
    for match in _brackets.finditer(text):
        if match.group(1):
            depth += 1
        elif match.group(2):
            depth -= 1
        if depth > DEPTH_MAX:
            raise _Refused(Reason.TOO_DEEP, f"nested deeper than {DEPTH_MAX} levels")


_exponents = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|\d(?:\.(\d+))?[eE]([+-]?\d+)', re.DOTALL)
_EXPONENT_CHARACTERS_MAX: Final = 4
_FRACTION_DIGITS_MAX: Final = 15_000


def _check_numbers(text: str) -> None:
    """Refuse what jsonb cannot keep: its numbers end 16,383 digits after the point.

    An exponent has at most three digits, so that 16 KiB of metadata do not become megabytes when
    PostgreSQL writes the numbers out. (Numbers too large for a double are no JSON to orjson.)
    """
    for match in _exponents.finditer(text):
        fraction, exponent = match.group(1, 2)
        if exponent is not None and (
            len(exponent) > _EXPONENT_CHARACTERS_MAX or len(fraction or "") > _FRACTION_DIGITS_MAX
        ):
            raise _Refused(Reason.INVALID_VALUE, "metadata: a number has too long an exponent")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Refused(Reason.DUPLICATE_KEY, f"key {name[:60]!r} stands twice")
            seen.add(name)
    return members


# Used only on text that orjson has accepted, to see what orjson hides: which keys repeat, and the
# exact text of a member. Numbers stay text, so that no digit limit applies.
_strict: Final = JSONDecoder(object_pairs_hook=_unique, parse_int=str, parse_float=str)
_WHITE_SPACE: Final = b" \t\n\r"
_space: Final = re.compile(r"[ \t\n\r]*")


def _skip(text: str, position: int) -> int:
    match = _space.match(text, position)
    return match.end() if match else position


def _document(text: str) -> dict[str, Any]:
    """Parse a JSON object, refusing what no event can be."""
    _check_depth(text)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _Refused(Reason.INVALID_JSON, str(error)) from None
    if not isinstance(document, dict):
        raise _Refused(Reason.NOT_AN_OBJECT, f"a JSON {type(document).__name__}")
    _strict.decode(text)
    return document


def _member(text: str, wanted: str) -> str:
    """The exact text of one member's value in the text of an object that has it."""
    position = _skip(text, text.index("{") + 1)
    while True:
        name, position = _strict.raw_decode(text, position)
        start = _skip(text, _skip(text, position) + 1)  # past the colon
        _, end = _strict.raw_decode(text, start)
        if name == wanted:
            return text[start:end]
        position = _skip(text, _skip(text, end) + 1)  # past the comma


def _squeezed(text: bytes) -> bytes:
    return text.translate(None, _WHITE_SPACE)


def _no_headers(_: int) -> Headers:
    return ()


def _is_enveloped(headers: Headers) -> bool:
    """Whether this is a CloudEvent in structured mode (Kafka binding 1.0.2, section 3.3)."""
    return any(
        name.lower() == "content-type"
        and (value or b"").lower().startswith(b"application/cloudevents")
        for name, value in headers
    )


def _payload(text: str, envelope: dict[str, Any]) -> str:
    """Check the CloudEvents 1.0 envelope and return the text of its data."""
    for attribute in ("specversion", "id", "source", "type"):
        value = envelope.get(attribute)
        if not isinstance(value, str) or not value:
            raise _Refused(Reason.INVALID_ENVELOPE, f"CloudEvents attribute {attribute} is missing")
    if envelope["specversion"] != "1.0":
        raise _Refused(Reason.INVALID_ENVELOPE, "CloudEvents specversion is not 1.0")
    if "data" not in envelope:
        raise _Refused(Reason.INVALID_ENVELOPE, "the CloudEvent has no JSON data")
    compact = orjson.dumps(envelope["data"]).decode()
    return compact if compact in text else _member(text, "data")


def _event(text: str, document: dict[str, Any], window: Window) -> Event | Rejected:
    try:
        event = CampaignEvent.model_validate_json(text)
    except ValidationError as error:
        raise _worst(error) from None
    metadata = None
    if event.metadata is not None:
        metadata = _member(text, "metadata").encode()
        compact = orjson.dumps(document["metadata"])
        if len(metadata) > METADATA_BYTES_MAX:
            raise _Refused(
                Reason.INVALID_VALUE,
                f"metadata: {len(metadata)} bytes, at most {METADATA_BYTES_MAX}",
            )
        if b"\\u0000" in metadata and _holds_nul(event.metadata):
            raise _Refused(Reason.INVALID_VALUE, "metadata: contains a NUL character")
        _check_numbers(metadata.decode())
        if _squeezed(compact) == _squeezed(metadata):
            metadata = compact  # the same but for white space, as the fast path has it
    occurred_us = microseconds(event.occurred_at)
    if not window.first_us <= occurred_us <= window.last_us:
        raise _Refused(
            Reason.OUTSIDE_WINDOW,
            f"occurred_at {event.occurred_at.isoformat()} is not between "
            f"{_iso(window.first_us)} and {_iso(window.last_us)}",
        )
    return (
        event.campaign_id,
        event.event_id.bytes,
        occurred_us,
        type_codes[event.event_type],
        event.count,
        event.email_account_id,
        metadata,
    )


def _iso(us: int) -> str:
    return (EPOCH + timedelta(microseconds=us)).isoformat(timespec="seconds")


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(map(_holds_nul, value))


_severity: Final = {
    "missing": (0, Reason.MISSING_FIELD),
    "extra_forbidden": (1, Reason.UNKNOWN_FIELD),
    "json_invalid": (2, Reason.INVALID_JSON),
}
_OTHER: Final = (3, Reason.INVALID_VALUE)


def _worst(error: ValidationError) -> _Refused:
    """Name one fault of many: a missing field before an unknown one before a bad value."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    fault = min(faults, key=lambda fault: _severity.get(fault["type"], _OTHER)[0])
    reason = _severity.get(fault["type"], _OTHER)[1]
    where = ".".join(str(part) for part in fault["loc"])[:80]
    return _Refused(reason, f"{where}: {fault['msg']}" if where else fault["msg"])
