"""An event as the bytes of a record, written as various producers would.

Most write compact JSON; the rest differ in white space and in the order of fields, and a few wrap
the event as a CloudEvent.
"""

import json
from random import Random
from typing import Final

import orjson

from ingester.simulation.event import Document, SimulatedEvent
from ingester.simulation.selection import Mixture

Headers = tuple[tuple[str, bytes], ...]

_COUNT_SHOWN_SHARE: Final = 0.4
"""Of the events with a count of 1, which may be left out."""

STRUCTURED: Final[Headers] = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
"""Marks a value that is a CloudEvent (Kafka protocol binding 1.0.2, section 3.3)."""


def envelope(event: SimulatedEvent, data: Document) -> Document:
    """Wrap an event as a CloudEvent 1.0."""
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": "/mailer",
        "type": f"campaign.{event.event_type.value}",
        "datacontenttype": "application/json",
        "data": data,
    }


def write(event: SimulatedEvent, random: Random) -> tuple[bytes, bytes, Headers]:
    """Return key, value and headers of the event's record."""
    document = event.document(count_shown=random.random() < _COUNT_SHOWN_SHARE)
    layout = _LAYOUTS.draw(random)
    headers = STRUCTURED if layout is _wrapped else _HEADERS.draw(random)(event, random)
    return event.campaign_id.encode(), layout(event, document), headers


# How values are laid out.


def _compact(_: SimulatedEvent, document: Document) -> bytes:
    return orjson.dumps(document)


def _json_default(_: SimulatedEvent, document: Document) -> bytes:
    """Write spaces after separators, and ASCII only."""
    return json.dumps(document).encode()


def _sorted(_: SimulatedEvent, document: Document) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _backwards(_: SimulatedEvent, document: Document) -> bytes:
    """Write the fields in reverse, one a line."""
    return json.dumps(dict(reversed(document.items())), ensure_ascii=False, indent=1).encode()


def _wrapped(event: SimulatedEvent, document: Document) -> bytes:
    """Write a CloudEvent in structured mode."""
    return orjson.dumps(envelope(event, document))


_LAYOUTS: Final = Mixture(
    {_compact: 0.88, _json_default: 0.06, _sorted: 0.03, _backwards: 0.02, _wrapped: 0.01}
)


# What headers say.


def _none(_: SimulatedEvent, __: Random) -> Headers:
    return ()


def _traced(_: SimulatedEvent, random: Random) -> Headers:
    """Carry a trace (W3C Trace Context)."""
    trace, span = random.getrandbits(128), random.getrandbits(64)
    return (("traceparent", f"00-{trace:032x}-{span:016x}-01".encode()),)


def _cloud_event(event: SimulatedEvent, _: Random) -> Headers:
    """Mark a CloudEvent in binary mode, whose value is the event itself."""
    attributes = envelope(event, {})
    names = ("specversion", "id", "source", "type")
    binary = tuple((f"ce_{name}", str(attributes[name]).encode()) for name in names)
    return (*binary, ("content-type", b"application/json"))


_HEADERS: Final = Mixture({_none: 0.94, _traced: 0.04, _cloud_event: 0.02})
