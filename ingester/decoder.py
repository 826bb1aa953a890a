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
from typing import Annotated, Any, Final, Literal

import msgspec
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


class _Common(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The common shape of an event, as far as a parser in C can check it in one pass.

    Anything else, valid or not, makes it raise and goes the slow way.
    """

    event_id: str
    campaign_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    event_type: Literal["sent", "opened", "clicked", "replied", "positive_reply", "bounced"]
    occurred_at: str
    count: Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)] | msgspec.UnsetType = msgspec.UNSET
    email_account_id: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | msgspec.UnsetType | None
    ) = msgspec.UNSET
    metadata: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_parse: Final = msgspec.json.Decoder(_Common).decode
_DOUBTS: Final = (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError)
_QUOTES: Final = 16
"""Four keys and four strings; the optional fields bring more."""
_UNSET: Final = msgspec.UNSET


def decode(
    values: Sequence[bytes | None], headers_of: Callable[[int], Headers], window: Window
) -> list[Event | Rejected]:
    """Decode a run of values; the result has one entry per value, in their order.

    `headers_of(i)` gives the headers of the i-th record; it is called only where the fast path
    gave up, since reading headers costs more than reading a value.
    """
    # The parser keeps the last of two equal keys. But every string brings two quotes, and more
    # where it escapes one; so a key that stands twice leaves quotes over. They are counted at once
    # for the whole run, and one by one only where some are over.
    try:
        joined = b"".join(values)  # type: ignore[arg-type]  # a tombstone raises
    except TypeError:
        joined = b"".join(filter(None, values))
    quotes = joined.count(b'"')
    one_by_one = len(joined) > VALUE_BYTES_MAX < max(map(len, filter(None, values)))
    if not one_by_one:
        outcomes, accounted = _decode(values, headers_of, window, one_by_one=False)
        one_by_one = accounted != quotes
    if one_by_one:
        outcomes, _ = _decode(values, headers_of, window, one_by_one=True)
    return outcomes


def _decode(
    values: Sequence[bytes | None],
    headers_of: Callable[[int], Headers],
    window: Window,
    *,
    one_by_one: bool,
) -> tuple[list[Event | Rejected], int]:
    """Decode a run; also returns how many quotes its values account for."""
    outcomes: list[Event | Rejected] = []
    append = outcomes.append
    parse, fromisoformat, fromhex = _parse, datetime.fromisoformat, bytes.fromhex
    unset, epoch, codes = _UNSET, EPOCH, type_codes
    first_us, last_us = window.first_us, window.last_us
    accounted = 0
    for index, value in enumerate(values):
        try:
            event = parse(value)  # type: ignore[arg-type]  # None raises, as junk does
            quotes = _QUOTES
            count = event.count
            if count is unset:
                count = 1
            else:
                quotes += 2
            email = event.email_account_id
            if email is unset:
                email = None
            elif email is None:
                quotes += 2
            else:
                quotes += 4
                if "\0" in email:
                    raise ValueError
            metadata = None
            if event.metadata is not unset:
                metadata = bytes(event.metadata)
                quotes += 2 + metadata.count(b'"')
                if not _is_plain(metadata):
                    raise ValueError
            if one_by_one and (value.count(b'"') != quotes or len(value) > VALUE_BYTES_MAX):  # type: ignore[union-attr, arg-type]
                raise ValueError
            campaign_id = event.campaign_id
            event_id = event.event_id
            time = event.occurred_at
            if (
                "\0" in campaign_id
                or len(event_id) != 36
                or event_id[8:24:5] != "----"
                # Positions 4 to 19, every third, and the end: nothing that fromisoformat takes
                # beyond RFC 3339 (weeks, commas, basic format) looks like this.
                or not (
                    (len(time) == 27 and time[4:20:3] == "--T::." and time[26] == "Z")
                    or _common_time(time)
                )
            ):
                raise ValueError
            # fromhex skips white space, which the length then gives away.
            identity = fromhex(event_id.replace("-", ""))
            if len(identity) != 16:
                raise ValueError
            elapsed = fromisoformat(time) - epoch
            occurred_us = (
                elapsed.days * 86_400_000_000 + elapsed.seconds * 1_000_000 + elapsed.microseconds
            )
            if not first_us <= occurred_us <= last_us:
                raise ValueError
        except _DOUBTS:
            append(decode_strictly(value, headers_of(index), window))
            accounted += value.count(b'"') if value else 0
        else:
            accounted += quotes
            append(
                (
                    campaign_id,
                    identity,
                    occurred_us,
                    codes[event.event_type],
                    count,
                    email,
                    metadata,
                )
            )
    return outcomes, accounted


_may_have_exponent = re.compile(rb"[\[:,\s]-?\d[\d.]*[eE]").search


def _is_plain(metadata: bytes) -> bool:
    """Whether the text of a metadata value certainly is an object that jsonb keeps."""
    if metadata[:1] != b"{" or len(metadata) > METADATA_BYTES_MAX:
        return False
    if len(metadata) >= 2 * DEPTH_MAX and metadata.count(b"{") + metadata.count(b"[") >= DEPTH_MAX:
        return False
    document = orjson.loads(metadata)
    again = orjson.dumps(document)
    if again != metadata:
        # Not as orjson writes it: white space, escapes, numbers of another form, or a key twice.
        if _may_have_exponent(metadata):
            return False
        if b"\\" in metadata:
            _strict.decode(metadata.decode())
        elif again.count(b'"') != metadata.count(b'"'):
            return False
    return b"\\u0000" not in metadata


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
        return _event(text, window)
    except _Refused as refused:
        return Rejected(refused.reason, refused.detail)


class _Refused(ValueError):
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


def _event(text: str, window: Window) -> Event | Rejected:
    try:
        event = CampaignEvent.model_validate_json(text)
    except ValidationError as error:
        raise _worst(error) from None
    metadata = None
    if event.metadata is not None:
        metadata = _member(text, "metadata").encode()
        if len(metadata) > METADATA_BYTES_MAX:
            raise _Refused(
                Reason.INVALID_VALUE,
                f"metadata: {len(metadata)} bytes, at most {METADATA_BYTES_MAX}",
            )
        if b"\\u0000" in metadata and _holds_nul(event.metadata):
            raise _Refused(Reason.INVALID_VALUE, "metadata: contains a NUL character")
        _check_numbers(metadata.decode())
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
