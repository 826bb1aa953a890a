"""Hand-made values, each with the one reason it is refused for, and close relatives that land."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingester.decoder import decode
from ingester.event import METADATA_BYTES_MAX, VALUE_BYTES_MAX
from ingester.outcomes import EPOCH, Headers, Reason, Rejected, Window, microseconds
from ingester.strict import decode_strictly
from tests.unit.spelling import REPLAYED, enveloped, quoted

WINDOW = Window(
    microseconds(datetime(2000, 1, 1, tzinfo=UTC)), microseconds(datetime(2040, 1, 1, tzinfo=UTC))
)
STRUCTURED: Headers = [("Content-Type", b"application/cloudevents+json")]
GRIN = "\N{GRINNING FACE}"


def event(*more: str, leave_out: str = "", **fields: str) -> bytes:
    """An event with some fields' JSON texts replaced, left out, or `more` members added."""
    texts = {
        "event_id": '"018f0000-0000-7000-8000-00000000000a"',
        "campaign_id": '"c"',
        "event_type": '"sent"',
        "occurred_at": '"2024-05-06T07:08:09Z"',
    } | fields
    members = [f'"{name}":{text}' for name, text in texts.items() if name != leave_out]
    return ("{" + ",".join([*members, *more]) + "}").encode()


def at(text: str) -> bytes:
    return event(occurred_at=f'"{text}"')


def replayed(**fields: str) -> bytes:
    return event(event_id=f'"{REPLAYED}"', **fields)


def sized(length: int) -> bytes:
    """A valid event of exactly that many bytes: white space counts."""
    bare = event()
    return bare[:-1] + b" " * (length - len(bare)) + b"}"


def metadata_of(length: int) -> str:
    return '{"k":"' + "x" * (length - 8) + '"}'


def nested(levels: int) -> str:
    """Metadata that makes the whole event `levels` deep (the event itself is one)."""
    return '{"k":' * (levels - 1) + "1" + "}" * (levels - 1)


REFUSED: dict[Reason, dict[str, bytes | None]] = {
    Reason.TOMBSTONE: {
        "no value": None,
    },
    Reason.INVALID_JSON: {
        "nothing": b"",
        "a space": b" ",
        "a NUL byte": b"\0",
        "UTF-16 without a mark": event().decode().encode("utf-16-le"),
        "byte order mark": b"\xef\xbb\xbf" + event(),
        "two documents": event() + event(),
        "two lines": event() + b"\n" + event(),
        "a document and a NUL": event() + b"\0",
        "cut off": event()[:-1],
        "a comma too many": event()[:-1] + b",}",
        "a comment": event() + b"// done",
        "single quotes": event().replace(b'"', b"'"),
        "text": b"hello",
        "NaN": event(count="NaN"),
        "Infinity": event(count="Infinity"),
        "-Infinity in metadata": event(metadata='{"k":-Infinity}'),
        "NaN in metadata": event(metadata='{"k":NaN}'),
        "beyond a double": event(metadata='{"k":1e400}'),
        "count beyond a double": event(count="9" * 400),
        "count of 5,000 digits": event(count="1" * 5_000),
        "number of 5,000 digits in metadata": event(metadata=f'{{"k":{"1" * 5_000}}}'),
        "leading zero": event(count="01"),
        "plus sign": event(count="+1"),
        "raw control character": event(campaign_id='"a\tb"'),
        "raw NUL in an id": event(campaign_id='"a\0b"'),
        "lone high surrogate": event(campaign_id=r'"\ud83d"'),
        "lone low surrogate": event(campaign_id=r'"\ude00"'),
        "lone surrogate in metadata": event(metadata=r'{"k":"\ud83dx"}'),
        "lone surrogate in a key": event(metadata=r'{"\udc00":1}'),
        "surrogates in the wrong order": event(campaign_id=r'"\ude00\ud83d"'),
        "unknown escape": event(campaign_id=r'"\x41"'),
        "cut escape": event(campaign_id=r'"\u00"'),
    },
    Reason.TOO_LARGE: {
        "1 MiB and a byte": sized(VALUE_BYTES_MAX + 1),
        "20 MB": b"x" * 20_000_000,
        "20 MB of brackets": b"[" * 20_000_000,
    },
    Reason.INVALID_UTF8: {
        "not UTF-8": event(campaign_id='"x"').replace(b"x", b"\xff"),
        "cut UTF-8": event(campaign_id='"x"').replace(b"x", b"\xf0\x9f\x98"),
        "overlong UTF-8": event(campaign_id='"x"').replace(b"x", b"\xc0\x80"),
        "surrogate in UTF-8": b'"\xed\xa0\x80"',
        "UTF-16": event().decode().encode("utf-16"),
    },
    Reason.TOO_DEEP: {
        "depth 65": event(metadata=nested(65)),
        "depth 65 of arrays": event(metadata='{"k":' + "[" * 63 + "]" * 63 + "}"),
        "depth 10**6": b"[" * 1_000_000,
        "depth 10**6 of objects, cut": b'{"":' * 250_000,
    },
    Reason.DUPLICATE_KEY: {
        "key twice": event('"count":1', '"count":1'),
        "required key twice": event('"event_id":1'),
        "key twice, once escaped": event(r'"\u0063ampaign_id":"c"'),
        "key twice in metadata": event(metadata='{"k":1,"k":1}'),
        "key twice, escaped, in metadata": event(metadata=r'{"k":1,"\u006b":1}'),
        "key twice deep in metadata": event(metadata='{"a":[{"k":1,"k":2}]}'),
        "empty key twice": event(metadata='{"":1,"":1}'),
        "unknown key twice": b'{"k":1,"k":2}',
    },
    Reason.NOT_AN_OBJECT: {
        "null": b"null",
        "true": b"true",
        "a number": b"1",
        "a string": b'"{}"',
        "an array of events": b"[" + event() + b"]",
    },
    Reason.MISSING_FIELD: {
        "an empty object": b"{}",
        "no event_id": event(leave_out="event_id"),
        "no campaign_id": event(leave_out="campaign_id"),
        "no event_type": event(leave_out="event_type"),
        "no occurred_at": event(leave_out="occurred_at"),
        "missing before unknown": event('"x":1', leave_out="event_id"),
        "missing before bad": event(leave_out="event_id", count="0"),
        "wrong case of a name": event('"Event_id":"x"', leave_out="event_id"),
    },
    Reason.UNKNOWN_FIELD: {
        "unknown field": event('"x":1'),
        "unknown empty field": event('"":null'),
        "unknown before bad": event('"x":1', count="0"),
        "a name with a NUL": event(r'"count\u0000":1'),
    },
    Reason.INVALID_VALUE: {
        "event_id null": event(event_id="null"),
        "event_id empty": event(event_id='""'),
        "event_id without hyphens": event(event_id='"' + "0" * 32 + '"'),
        "event_id in braces": event(event_id='"{018f0000-0000-7000-8000-00000000000a}"'),
        "event_id as URN": event(event_id='"urn:uuid:018f0000-0000-7000-8000-00000000000a"'),
        "event_id misplaced hyphens": event(event_id='"018f00000-000-7000-8000-00000000000a"'),
        "event_id with a space": event(event_id='"018f0000-0000-7000-8000-0000000000 a"'),
        "event_id with a space for each of two digits": event(
            event_id='"018f0000-0000-7000-8000-00000000  0a"'
        ),
        "event_id padded": event(event_id='"018f0000-0000-7000-8000-00000000000a "'),
        "event_id of other digits": event(event_id='"٠١٨f0000-0000-7000-8000-00000000000a"'),
        "event_id a list of 36": event(event_id="[" + ",".join(['"-"'] * 36) + "]"),
        "campaign_id null": event(campaign_id="null"),
        "campaign_id a number": event(campaign_id="1"),
        "campaign_id empty": event(campaign_id='""'),
        "campaign_id of 256": event(campaign_id=quoted("a" * 256)),
        "campaign_id of 256 astral": event(campaign_id=quoted(GRIN * 256)),
        "campaign_id with a NUL": event(campaign_id=r'"a\u0000"'),
        "email empty": event(email_account_id='""'),
        "email of 256": event(email_account_id=quoted("a" * 256)),
        "email with a NUL": event(email_account_id=r'"\u0000"'),
        "email a number": event(email_account_id="7"),
        "type unknown": event(event_type='"read"'),
        "type in upper case": event(event_type='"SENT"'),
        "type null": event(event_type="null"),
        "type a number": event(event_type="0"),
        "type a list": event(event_type='["sent"]'),
        "count 0": event(count="0"),
        "count -0": event(count="-0"),
        "count 1.0": event(count="1.0"),
        "count 1e0": event(count="1e0"),
        "count 1.5": event(count="1.5"),
        "count true": event(count="true"),
        "count a string": event(count='"1"'),
        "count null": event(count="null"),
        "count a list": event(count="[1]"),
        "count 2**31": event(count=str(2**31)),
        "count 2**63": event(count=str(2**63)),
        "count 2**64": event(count=str(2**64)),
        "negative": event(count="-1"),
        "negative replayed, no correction": replayed(count="-1"),
        "negative replayed, correction false": replayed(count="-1", correction="false"),
        "correction, not replayed": event(correction="true"),
        "negative correction, not replayed": event(count="-1", correction="true"),
        "correction of 0": replayed(count="0", correction="true"),
        "correction of -2**31": replayed(count=str(-(2**31)), correction="true"),
        "correction null": replayed(correction="null"),
        "correction 1": replayed(correction="1"),
        "correction a string": replayed(correction='"true"'),
        "time without an offset": at("2024-05-06T07:08:09"),
        "time with a space": at("2024-05-06 07:08:09Z"),
        "time without seconds": at("2024-05-06T07:08Z"),
        "time 24:00": at("2024-05-06T24:00:00Z"),
        "time with second 60": at("2016-12-31T23:59:60Z"),
        "time with minute 60": at("2024-05-06T07:60:00Z"),
        "offset +24:00": at("2024-05-06T07:08:09+24:00"),
        "offset +01:60": at("2024-05-06T07:08:09+01:60"),
        "offset +0100": at("2024-05-06T07:08:09+0100"),
        "offset with seconds": at("2024-05-06T07:08:09+01:00:30"),
        "comma before the fraction": at("2024-05-06T07:08:09,5Z"),
        "empty fraction": at("2024-05-06T07:08:09.Z"),
        "week date": at("2024-W19-1T07:08:09Z"),
        "ordinal date": at("2024-127T07:08:09Z"),
        "basic format": at("20240506T070809Z"),
        "a date alone": at("2024-05-06"),
        "29 February of no leap year": at("2023-02-29T00:00:00Z"),
        "month 13": at("2024-13-01T00:00:00Z"),
        "day 0": at("2024-01-00T00:00:00Z"),
        "year 0000": at("0000-01-01T00:00:00Z"),
        "year 10000": at("10000-01-01T00:00:00Z"),
        "before year 1 in UTC": at("0001-01-01T00:00:00+00:01"),
        "after year 9999 in UTC": at("9999-12-31T23:59:59-00:01"),
        "time of other digits": at("２０２４-05-06T07:08:09Z"),
        "time as seconds": event(occurred_at="1714979289"),
        "time as milliseconds in a string": at("1714979289000"),
        "time null": event(occurred_at="null"),
        "time empty": at(""),
        "time with a space after it": at("2024-05-06T07:08:09Z "),
        "time with a NUL": at(r"2024-05-06T07:08:09Z\u0000"),
        "metadata a string": event(metadata='"{}"'),
        "metadata an array": event(metadata="[]"),
        "metadata a number": event(metadata="1"),
        "metadata of 16 KiB and a byte": event(metadata=metadata_of(METADATA_BYTES_MAX + 1)),
        "metadata of spaces": event(metadata="{" + " " * METADATA_BYTES_MAX + "}"),
        "NUL in metadata": event(metadata=r'{"k":"\u0000"}'),
        "NUL in a key of metadata": event(metadata=r'{"a":[{"\u0000":1}]}'),
        "NUL after a backslash": event(metadata=r'{"k":"\\\u0000"}'),
        "a number too small to keep": event(metadata='{"k":1e-20000}'),
        "an exponent of four digits": event(metadata='{"k":[0E-1000]}'),
        "exponent and fraction too small": event(metadata=f'{{"k":0.{"1" * 15_900}e-500}}'),
    },
    Reason.OUTSIDE_WINDOW: {
        "before the window": at("1999-12-31T23:59:59.999999Z"),
        "after the window": at("2040-01-01T00:00:00.000001Z"),
        "before it by its offset": at("2000-01-01T00:59:59+01:00"),
        "year 0001": at("0001-01-01T00:00:00Z"),
        "year 0001 behind UTC": at("0001-01-01T00:00:00-23:59"),
        "year 9999": at("9999-12-31T23:59:59.999999Z"),
        "year 9999 ahead of UTC": at("9999-12-31T23:59:59+23:59"),
    },
}

ENVELOPES: dict[Reason, dict[str, bytes]] = {
    Reason.INVALID_ENVELOPE: {
        "no id": enveloped(event(), id=None),
        "no source": enveloped(event(), source=None),
        "no type": enveloped(event(), type=None),
        "no version": enveloped(event(), specversion=None),
        "another version": enveloped(event(), specversion="0.3"),
        "a number as id": enveloped(event(), id=1),
        "an empty source": enveloped(event(), source=""),
        "no data": b'{"specversion":"1.0","id":"1","source":"s","type":"t"}',
        "an empty object": b"{}",
    },
    Reason.NOT_AN_OBJECT: {
        "a batch": b"[" + enveloped(event()) + b"]",
        "null as data": enveloped(b"null"),
        "text as data": enveloped(b'"{}"'),
    },
    Reason.DUPLICATE_KEY: {
        "a key twice": enveloped(event())[:-1] + b',"id":"2"}',
        "a key twice in data": enveloped(event('"count":1', '"count":1')),
    },
    Reason.INVALID_VALUE: {
        "a bad event": enveloped(event(count="0")),
    },
    Reason.UNKNOWN_FIELD: {
        "an unknown field in data": enveloped(event('"x":1')),
    },
    Reason.OUTSIDE_WINDOW: {
        "an old event": enveloped(at("1999-01-01T00:00:00Z")),
    },
    Reason.TOO_DEEP: {
        "depth 65 with the envelope": enveloped(event(metadata=nested(64))),
    },
}

ACCEPTED: dict[str, bytes] = {
    "1 MiB": sized(VALUE_BYTES_MAX),
    "spaces around": b" \t\r\n" + event() + b"\n",
    "depth 64": event(metadata=nested(64)),
    "10,000 brackets side by side": event(metadata='{"k":[' + "{}," * 5_000 + "0]}"),
    "10,000 brackets in a text": event(metadata='{"k":"' + "[{" * 5_000 + '"}'),
    "campaign_id of 255": event(campaign_id=quoted("a" * 255)),
    "campaign_id of 255 astral": event(campaign_id=quoted(GRIN * 255)),
    "campaign_id of 255 escaped astral": event(campaign_id='"' + r"\ud83d\ude00" * 255 + '"'),
    "campaign_id a space": event(campaign_id='" "'),
    "email null": event(email_account_id="null"),
    "metadata null": event(metadata="null"),
    "metadata of 16 KiB": event(metadata=metadata_of(METADATA_BYTES_MAX)),
    "count 2**31-1": event(count=str(2**31 - 1)),
    "correction false": event(correction="false"),
    "negative correction": replayed(count="-2147483647", correction="true"),
    "positive correction": replayed(count="5", correction="true"),
    "replayed without correction": replayed(count="5"),
    "unknown offset": at("2024-05-06T07:08:09-00:00"),
    "lower case": at("2024-05-06t07:08:09z"),
    "30 digits of fraction": at("2024-05-06T07:08:09." + "123456789" * 3 + "123Z"),
    "29 February": at("2024-02-29T23:59:59.999999Z"),
    "first of the window": at("2000-01-01T00:00:00Z"),
    "last of the window": at("2040-01-01T00:00:00Z"),
    "into the window by its offset": at("1999-12-31T23:30:00-01:00"),
    "NUL spelled out": event(metadata=r'{"k":"\\u0000"}'),
    "the smallest double": event(metadata='{"k":5e-324}'),
    "exponents in a text": event(metadata='{"k":"1e-20000"}'),
    "an integer beyond 64 bits": event(metadata='{"k":18446744073709551616}'),
    "a key of metadata like a field's": event(metadata='{"event_id":1,"metadata":{}}'),
}


def cases(table: Mapping[Reason, Mapping[str, bytes | None]]) -> pytest.MarkDecorator:
    parameters = [
        pytest.param(reason, value, id=name)
        for reason, values in table.items()
        for name, value in values.items()
    ]
    return pytest.mark.parametrize(("reason", "value"), parameters)


def outcome_of(value: bytes | None, headers: Headers = ()) -> Any:
    (outcome,) = decode([value], lambda _: headers, WINDOW)
    assert outcome == decode_strictly(value, headers, WINDOW)
    return outcome


@cases(REFUSED)
def test_a_bad_value_is_refused_with_its_reason(reason: Reason, value: bytes | None) -> None:
    outcome = outcome_of(value)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is reason


@cases(ENVELOPES)
def test_a_bad_envelope_is_refused_with_its_reason(reason: Reason, value: bytes) -> None:
    outcome = outcome_of(value, STRUCTURED)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is reason


@pytest.mark.parametrize(
    "value", [pytest.param(value, id=name) for name, value in ACCEPTED.items()]
)
def test_a_value_at_the_limit_is_accepted(value: bytes) -> None:
    assert not isinstance(outcome_of(value), Rejected)


def test_every_reason_a_decoder_can_give_is_in_the_table() -> None:
    assert REFUSED.keys() | ENVELOPES.keys() == set(Reason) - {Reason.REFUSED_BY_DATABASE}


@pytest.mark.parametrize(
    "headers",
    [
        STRUCTURED,
        [("content-type", b"APPLICATION/CLOUDEVENTS+json; charset=utf-8")],
        [("a", None), ("a", b"\xff"), ("CONTENT-TYPE", b"application/cloudevents+json")],
    ],
)
def test_a_structured_cloudevent_is_opened(headers: Headers) -> None:
    value = enveloped(event(), datacontenttype="application/json", traceparent="00-1")
    assert outcome_of(value, headers) == outcome_of(event())


def test_an_envelope_without_its_header_is_no_event() -> None:
    assert outcome_of(enveloped(event())).reason is Reason.MISSING_FIELD


def test_a_bare_event_is_one_whatever_its_headers_say() -> None:
    for value in (event(), event(metadata='{ "k": 1 }')):
        assert outcome_of(value, STRUCTURED) == outcome_of(value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"[]" * 65 + b'"' + b'\\"' * 524_000, id="quotes in a text without an end"),
        pytest.param(b"[]" * 65 + b'"' * 1_048_000, id="quotes"),
        pytest.param(b"[]" * 65 + b"\\" * 1_048_000, id="backslashes"),
        pytest.param(b'{"k":"' + b'\\"' * 524_000 + b"[" * 70 + b'"}', id="escaped quotes"),
        pytest.param(b"{" + b",".join(b'"%d":1' % i for i in range(90_000)) + b"}", id="fields"),
        pytest.param(b"{" + b",".join([b'"k":1'] * 170_000) + b"}", id="one field again and again"),
        pytest.param(b'{"k":' + b"9" * 1_048_000 + b"}", id="digits"),
        pytest.param(event(metadata='{"k":0.' + "1" * 16_000 + "}"), id="fraction"),
        pytest.param(event(metadata='{"k":[' + "1e1," * 4_000 + "0]}"), id="exponents"),
    ],
)
def test_no_value_of_a_mebibyte_takes_long(value: bytes) -> None:
    """The slowest takes about a second; time that grows as the square of the length, an hour."""
    assert len(value) <= VALUE_BYTES_MAX
    decode_strictly(value, (), WINDOW)


def test_a_detail_can_be_stored_and_logged_whatever_it_quotes() -> None:
    names = ["\0" * 400, GRIN * 400, "\x1b[2J\r\n", "\u202e", 'a"b\\c']
    for name in names:
        detail = outcome_of(event(f"{quoted(name)}:1")).detail
        assert detail.isascii()
        assert detail.isprintable()
        assert len(detail) <= 300


def test_a_window_never_reaches_below_the_floor_nor_below_the_epoch() -> None:
    now = datetime(2024, 6, 1, tzinfo=UTC)
    back, ahead = timedelta(days=3_653), timedelta(days=1)
    floor = datetime(2020, 1, 1, tzinfo=UTC)
    never = datetime.min.replace(tzinfo=UTC)
    assert Window.around(now, back, ahead, floor).first_us == microseconds(floor)
    assert Window.around(now, back, ahead, never).first_us == microseconds(now - back)
    assert Window.around(now, timedelta(days=9_000), ahead, never).first_us == 0
    assert Window.around(now, back, ahead, never).last_us == microseconds(now + ahead)
    assert microseconds(EPOCH) == 0
