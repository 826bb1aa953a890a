"""Ways to spoil an event: each returns the value of a record with one thing wrong.

Functions that take an event are such a way; the others make one.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import orjson

from ingester.simulation.event import SimulatedEvent
from ingester.simulation.wire import envelope

Spoil = Callable[[SimulatedEvent, Random], bytes | None]
"""Makes a record's value, or its absence, from an event that never happened."""


def plain(event: SimulatedEvent) -> bytes:
    """Write the event as it should be."""
    return orjson.dumps(event.document())


def replacing(**fields: Any) -> Spoil:
    """Replace fields, or add them."""
    return lambda event, _: orjson.dumps({**event.document(), **fields})


def without(field: str) -> Spoil:
    """Leave out a field."""

    def spoil(event: SimulatedEvent, _: Random) -> bytes:
        document = event.document()
        del document[field]
        return orjson.dumps(document)

    return spoil


def with_raw(**fields: bytes) -> Spoil:
    """Append fields as JSON text that a proper writer would never write."""

    def spoil(event: SimulatedEvent, _: Random) -> bytes:
        document = {name: value for name, value in event.document().items() if name not in fields}
        members = b"".join(b',"%s":%s' % (name.encode(), text) for name, text in fields.items())
        return orjson.dumps(document)[:-1] + members + b"}"

    return spoil


def surrounded(before: bytes = b"", after: bytes = b"") -> Spoil:
    """Put bytes around the value."""
    return lambda event, _: before + plain(event) + after


def fixed(value: bytes | None) -> Spoil:
    """Publish something else altogether."""
    return lambda _, __: value


def cut(event: SimulatedEvent, random: Random) -> bytes:
    """Break off somewhere, never inside a character."""
    text = plain(event).decode()
    return text[: 1 + int(random.random() * (len(text) - 1))].encode()


def single_quotes(event: SimulatedEvent, _: Random) -> bytes:
    """Write what Python prints for a dictionary."""
    return str(event.document()).encode()


def utf16(event: SimulatedEvent, _: Random) -> bytes:
    """Use another encoding, with its byte order mark."""
    return b"\xff\xfe" + plain(event).decode().encode("utf-16-le")


def key_twice(event: SimulatedEvent, _: Random) -> bytes:
    """Give the count twice."""
    return plain(event)[:-1] + b',"count":2}'


def local_time(event: SimulatedEvent, _: Random) -> bytes:
    """Leave out the offset of the time."""
    return orjson.dumps({**event.document(), "occurred_at": event.occurred_at[:19]})


def timed(pattern: str) -> Spoil:
    """Write the event's date into a pattern, as {date}."""
    return lambda event, _: orjson.dumps(
        {**event.document(), "occurred_at": pattern.format(date=event.occurred_at[:10])}
    )


def in_array(event: SimulatedEvent, _: Random) -> bytes:
    """Publish a batch of one."""
    return orjson.dumps([event.document()])


def bare_id(event: SimulatedEvent, _: Random) -> bytes:
    """Leave out the hyphens of the id."""
    return orjson.dumps({**event.document(), "event_id": event.event_id.replace("-", "")})


def correction(event: SimulatedEvent, _: Random) -> bytes:
    """Take the event back, which only a replay may."""
    return orjson.dumps({**event.document(), "count": -event.count, "correction": True})


def enveloped(**attributes: Any) -> Spoil:
    """Wrap the event as a CloudEvent with these attributes instead."""
    return lambda event, _: orjson.dumps({**envelope(event, event.document()), **attributes})


def nested(levels: int) -> bytes:
    """Nest arrays in an object, as JSON text."""
    return b'{"a":' + b"[" * levels + b"]" * levels + b"}"
