"""The judge of one record, whatever it holds: an event, or the reason why it is none. Pure.

The pydantic model decides; what it cannot see in parsed JSON (keys that stand twice, the exact text
of the metadata, depth) is looked for in the text. Slow and exact: `ingester.decoder` asks it only
about what its fast path did not recognise.
"""

import re
from datetime import timedelta
from json import JSONDecoder
from typing import Any, Final

import orjson
from pydantic import ValidationError

from ingester.event import DEPTH_MAX, METADATA_BYTES_MAX, VALUE_BYTES_MAX, CampaignEvent, EventType
from ingester.outcomes import EPOCH, Event, Headers, Reason, Rejected, Window, microseconds

type_codes: Final = {str(event_type): code for code, event_type in enumerate(EventType)}


def decode_strictly(value: bytes | None, headers: Headers, window: Window) -> Event | Rejected:
    """Decide one record, whatever it holds."""
    judged = judge(value, headers, window)
    # What an envelope carries is the event, and no envelope again.
    return judge(judged, (), window) if isinstance(judged, bytes) else judged  # type: ignore[return-value]


def judge(value: bytes | None, headers: Headers, window: Window) -> Event | Rejected | bytes:
    """Decide one record; of a CloudEvent in structured mode return the data that it carries."""
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
            return _payload(text, document).encode()
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


_may_have_exponent = re.compile(rb"[\[:,\s]-?\d[\d.]*[eE]").search


def is_plain(metadata: bytes) -> bool:
    """Whether the text of a metadata value certainly is an object that jsonb keeps."""
    if metadata[:1] != b"{" or len(metadata) > METADATA_BYTES_MAX:
        return False
    if len(metadata) >= 2 * DEPTH_MAX and metadata.count(b"{") + metadata.count(b"[") >= DEPTH_MAX:
        return False
    if b"\\u0000" in metadata:
        return False
    try:
        again = orjson.dumps(orjson.loads(metadata))
        if again == metadata:
            return True
        # Not as orjson writes it: white space, escapes, numbers of another form, or a key twice.
        if b"\\" in metadata:
            _strict.decode(metadata.decode())
    except (ValueError, TypeError, RecursionError):
        return False
    repeats_no_key = b"\\" in metadata or again.count(b'"') == metadata.count(b'"')
    return repeats_no_key and not _may_have_exponent(metadata)
