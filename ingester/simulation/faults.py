"""Records that must be rejected: what broken, old and hostile producers send, each with the reason.

Every fault spoils one thing of an event that is valid otherwise, so that it proves its own rule.
Left out is `too_large`: the default limits of producers and brokers (message.max.bytes, 1 MiB)
refuse such a record before the ingester can.
"""

from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Final

from ingester.event import COUNT_MAX, DEPTH_MAX, METADATA_BYTES_MAX
from ingester.outcomes import Reason
from ingester.simulation import spoil
from ingester.simulation.spoil import Spoil
from ingester.simulation.wire import STRUCTURED, Headers


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be wrong: makes the value of a record from an event that never happened."""

    reason: Reason
    make: Spoil
    headers: Headers = ()


class Faults:
    """Deals out the faults: each reason in turn, and the ways of each reason in turn."""

    def __init__(self, random: Random) -> None:
        """Start at a random way of each reason."""
        self._ways: dict[Reason, cycle[Fault]] = {}
        for reason in dict.fromkeys(fault.reason for fault in FAULTS):
            ways = [fault for fault in FAULTS if fault.reason is reason]
            start = int(random.random() * len(ways))
            self._ways[reason] = cycle(ways[start:] + ways[:start])
        self._reasons = cycle(self._ways)

    def next(self) -> Fault:
        """Return the next fault."""
        return next(self._ways[next(self._reasons)])


def _faults(reason: Reason, *ways: Spoil, headers: Headers = ()) -> tuple[Fault, ...]:
    return tuple(Fault(reason, way, headers) for way in ways)


FAULTS: Final[tuple[Fault, ...]] = (
    *_faults(Reason.TOMBSTONE, spoil.fixed(None)),
    *_faults(
        Reason.INVALID_UTF8,
        spoil.with_raw(email_account_id=b'"m\xfcller"'),  # Latin-1
        spoil.utf16,
        spoil.with_raw(email_account_id=b'"\xed\xa0\x80"'),  # a surrogate, which UTF-8 cannot hold
        spoil.with_raw(email_account_id=b'"\xc0\xaf"'),  # an overlong form
    ),
    *_faults(
        Reason.INVALID_JSON,
        spoil.cut,
        spoil.single_quotes,
        spoil.surrounded(after=b"\n{}"),  # two documents
        spoil.surrounded(before=b"\xef\xbb\xbf"),  # a byte order mark
        spoil.surrounded(after=b","),
        spoil.with_raw(count=b"NaN"),
        spoil.with_raw(metadata=b'{"score":Infinity}'),
        spoil.with_raw(metadata=b'{"a":1,}'),
        spoil.with_raw(email_account_id=b'"\\ud83d"'),  # a lone surrogate
        spoil.with_raw(email_account_id=b'"a\x00b"'),  # a control character that is not escaped
        spoil.fixed(b""),
        spoil.fixed(b"event=opened&count=1"),
        spoil.fixed(b"\x00\x00\x00\x00\x07" + b"\x02avro"),  # a schema registry's framing
    ),
    *_faults(
        Reason.TOO_DEEP,
        spoil.with_raw(metadata=spoil.nested(DEPTH_MAX)),
        spoil.with_raw(metadata=spoil.nested(5_000)),
        spoil.fixed(b"[" * 10_000),
    ),
    *_faults(
        Reason.DUPLICATE_KEY,
        spoil.key_twice,
        spoil.with_raw(metadata=b'{"a":1,"b":2,"a":1}'),
        spoil.with_raw(metadata=b'{"a":1,"\\u0061":1}'),
    ),
    *_faults(
        Reason.NOT_AN_OBJECT,
        spoil.in_array,
        spoil.fixed(b'"opened"'),
        spoil.fixed(b"42"),
        spoil.fixed(b"null"),
        spoil.fixed(b"[]"),
    ),
    *_faults(
        Reason.INVALID_ENVELOPE,
        spoil.enveloped(specversion="0.3"),
        spoil.enveloped(source=""),
        spoil.enveloped(type=None),
        headers=STRUCTURED,
    ),
    *_faults(
        Reason.MISSING_FIELD,
        *map(spoil.without, ("event_id", "campaign_id", "event_type", "occurred_at")),
        spoil.fixed(b"{}"),
    ),
    *_faults(
        Reason.UNKNOWN_FIELD,
        spoil.replacing(user_id=7),
        spoil.replacing(Count=1),
        spoil.replacing(schema_version="2"),
        spoil.replacing(**{"": None}),
    ),
    *_faults(
        Reason.INVALID_VALUE,
        spoil.replacing(count=0),
        spoil.replacing(count=-1),
        spoil.replacing(count="1"),
        spoil.replacing(count=1.0),
        spoil.replacing(count=True),
        spoil.replacing(count=COUNT_MAX + 1),
        spoil.with_raw(count=b"1e3"),
        spoil.with_raw(count=b"9" * 30),
        spoil.correction,
        spoil.replacing(event_id="not-a-uuid"),
        spoil.replacing(event_id=12345),
        spoil.bare_id,
        spoil.replacing(campaign_id=12345),
        spoil.replacing(campaign_id=""),
        spoil.replacing(campaign_id="x" * 256),
        spoil.replacing(campaign_id="spring\0"),
        spoil.replacing(event_type="delivered"),
        spoil.replacing(event_type="Opened"),
        spoil.replacing(event_type=None),
        spoil.replacing(occurred_at=1_760_000_000),
        spoil.replacing(occurred_at=None),
        spoil.local_time,
        spoil.timed("{date}"),
        spoil.timed("{date} 12:00:00"),
        spoil.timed("{date}T24:00:00Z"),
        spoil.timed("{date}T12:00:60Z"),
        spoil.replacing(occurred_at="2025-02-30T12:00:00Z"),
        spoil.replacing(email_account_id=""),
        spoil.replacing(email_account_id=["anna"]),
        spoil.replacing(metadata=[]),
        spoil.replacing(metadata="subject=hello"),
        spoil.replacing(metadata={"subject": "a\0b"}),
        spoil.replacing(metadata={"blob": "x" * METADATA_BYTES_MAX}),
    ),
    *_faults(
        Reason.OUTSIDE_WINDOW,
        spoil.replacing(occurred_at="1970-01-01T00:00:00Z"),
        spoil.replacing(occurred_at="0001-01-01T00:00:00Z"),
        spoil.replacing(occurred_at="9999-12-31T23:59:59.999999Z"),
        spoil.replacing(occurred_at="2199-01-01T00:00:00+14:00"),
    ),
)
"""In an order that deals out the reasons fairly; the ways of one reason stand together."""
