"""Events as producers may write them: every spelling of a valid one, and damaged ones.

A drawn event is kept as its members, (name, JSON text of the value), so that it can be spelled with
any order, spaces and escapes, and damaged in a way that still looks like an event.
"""

import json
import random
from datetime import UTC, datetime
from typing import Final

import orjson
from hypothesis import strategies as st

from ingester.outcomes import Window, microseconds

Members = list[tuple[str, str]]

WINDOW: Final = Window(
    microseconds(datetime(2000, 1, 1, tzinfo=UTC)), microseconds(datetime(2040, 1, 1, tzinfo=UTC))
)
REPLAYED: Final = "00000000-0000-8ca3-9a17-000000000000"

_SHORT: Final = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n"}
_MUST: Final = {chr(code) for code in range(0x20)} | {'"', "\\"}
_SPACES: Final = st.sampled_from(["", "", "", " ", "\n", "\t \r\n"])
_TYPES: Final = ("sent", "opened", "clicked", "replied", "positive_reply", "bounced")
_STYLES: Final = st.tuples(st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0]), st.integers(0, 2**32))


def quoted(text: str, escaped_share: float = 0.0, seed: int = 0) -> str:
    """A JSON string: what must be escaped is, and a share of the rest too."""
    chance = random.Random(seed)
    return '"' + "".join(_character(each, escaped_share, chance) for each in text) + '"'


def _character(character: str, escaped_share: float, chance: random.Random) -> str:
    if character not in _MUST and chance.random() >= escaped_share:
        return character
    if character in _SHORT and chance.random() < 0.5:
        return _SHORT[character]
    units = character.encode("utf-16-be", "surrogatepass")
    digits = "%04X" if chance.random() < 0.5 else "%04x"
    return "".join(
        "\\u" + digits % int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)
    )


def _spelled(text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda drawn, style: quoted(drawn, *style), text, _STYLES)


_characters: Final = st.characters(exclude_categories=["Cs"], exclude_characters="\0") | (
    st.sampled_from('{}[]:,\\"/ nul\N{GRINNING FACE}\ufffe\x7f\u2028')
)
_identifiers: Final = st.text(_characters, min_size=1, max_size=12) | st.sampled_from(
    ["{}", "a" * 255, "\N{GRINNING FACE}" * 255, '{"a":1}', "metadata", "[]"]
)

_numbers: Final = (
    st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(["-0", "1.0", "1E5", "1e-5", "5e-324", "0.1000", "1e+3", "1e-999", "0e0"])
    | st.sampled_from([str(2**64), "9" * 300, "123456789012345678901234567890", "-0.0"])
)
_leaves: Final = (
    st.sampled_from(["null", "true", "false", "[]", "{}", "{ }", '""', '"{}"'])
    | _numbers
    | _spelled(st.text(_characters, max_size=8))
)


def _array(parts: list[str], space: str) -> str:
    return "[" + space + f"{space},{space}".join(parts) + space + "]"


def _object(parts: dict[str, str], space: str, style: tuple[float, int]) -> str:
    members = [f"{quoted(key, *style)}{space}:{space}{part}" for key, part in parts.items()]
    return "{" + space + f"{space},{space}".join(members) + space + "}"


def _deeper(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(_array, st.lists(parts, max_size=4), _SPACES) | _objects(parts)


def _objects(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.text(_characters, max_size=6)
    return st.builds(_object, st.dictionaries(keys, parts, max_size=4), _SPACES, _STYLES)


trees: Final = st.recursive(_leaves, _deeper, max_leaves=8)
metadata: Final = st.sampled_from(["{}", "{ }", '{"a":{}}']) | _objects(trees)
"""JSON texts of objects that jsonb can keep."""


_plain_texts: Final = st.text("ab{}[]:, \N{GRINNING FACE}\u00e9", min_size=1, max_size=8)
_plain_trees: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(-1e9, 1e9)
    | _plain_texts,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(_plain_texts, parts, max_size=3),
    max_leaves=6,
)
_plain_objects: Final = st.dictionaries(_plain_texts, _plain_trees, max_size=3)
_mostly: Final = st.integers(0, 9).map(lambda drawn: drawn < 9)


@st.composite
def plain_events(draw: st.DrawFn) -> Members:
    """Valid events as most producers write them: nothing escaped, metadata without spaces."""
    members = [
        ("event_id", quoted(str(draw(st.uuids())))),
        ("campaign_id", quoted(draw(_plain_texts))),
        ("event_type", quoted(draw(st.sampled_from(_TYPES)))),
        ("occurred_at", quoted(draw(times()))),
        ("count", str(draw(st.integers(1, 9)))),
        ("email_account_id", quoted(draw(_plain_texts))),
        ("metadata", orjson.dumps(draw(_plain_objects)).decode()),
    ]
    return members[: draw(st.sampled_from([4, 5, 6, 7, 7, 7]))]


@st.composite
def times(draw: st.DrawFn) -> str:
    """RFC 3339, nearly always inside `WINDOW`."""
    low, high = datetime(2000, 1, 2), datetime(2039, 12, 30)  # noqa: DTZ001 - the zone is drawn
    moment = draw(st.datetimes(low, high) if draw(_mostly) else st.datetimes())
    text = f"{moment.year:04}-{moment:%m-%d}{draw(st.sampled_from('TTTt'))}{moment:%H:%M:%S}"
    digits = draw(st.text("0123456789", max_size=9))
    zone = draw(st.sampled_from(["Z", "Z", "z", "+00:00", "-00:00", "+05:30", "-23:59", "+23:59"]))
    return text + (f".{digits}" if digits else "") + zone


@st.composite
def odd_events(draw: st.DrawFn) -> Members:
    """Valid events in any spelling, corrections among them."""
    replayed = draw(st.booleans())
    event_id = REPLAYED if replayed else str(draw(st.uuids()))
    event_id = draw(st.sampled_from([event_id, event_id.upper(), event_id.title()]))
    style = draw(_STYLES)
    members = [
        ("event_id", quoted(event_id, *style)),
        ("campaign_id", quoted(draw(_identifiers), *style)),
        ("event_type", quoted(draw(st.sampled_from(_TYPES)), *style)),
        ("occurred_at", quoted(draw(times()), *style)),
    ]
    counts = st.integers(1, 3) | st.sampled_from([1, 2**31 - 1])
    if replayed and draw(st.booleans()):
        members.append(("correction", "true"))
        counts |= st.sampled_from([-1, -(2**31) + 1])
    elif draw(st.sampled_from([False, False, True])):
        members.append(("correction", "false"))
    if draw(st.booleans()):
        members.append(("count", str(draw(counts))))
    if draw(st.booleans()):
        members.append(("email_account_id", draw(_spelled(_identifiers) | st.just("null"))))
    if draw(st.booleans()):
        members.append(("metadata", draw(metadata | st.just("null"))))
    return draw(st.permutations(members)) if draw(st.booleans()) else members


events: Final = odd_events() | plain_events()
"""Members of valid events (but for a few whose time lies outside the window)."""


@st.composite
def spellings(draw: st.DrawFn, members: st.SearchStrategy[Members]) -> bytes:
    """One way to write an event down."""
    space, style = draw(_SPACES), (0.0, 0) if draw(st.booleans()) else draw(_STYLES)
    texts = [f"{quoted(name, *style)}{space}:{space}{value}" for name, value in draw(members)]
    return (space + "{" + space + f",{space}".join(texts) + space + "}" + space).encode()


_odd_values: Final = trees | st.sampled_from(
    [
        "null",
        "true",
        "1",
        "1.0",
        '"1"',
        "0",
        "-1",
        "[]",
        "{}",
        '""',
        "NaN",
        "-Infinity",
        "1e400",
        "2147483647",
        "2147483648",
        "-2147483648",
        "01",
        "1.",
        "+1",
        "'x'",
        "",
        r'"\u0000"',
        r'"\ud800"',
        r'{"a":"\udc00"}',
        r'{"\u0000":1}',
        '{"a":1,"a":1}',
        r'{"a":1,"\u0061":2}',
        '{"a":1e-1000}',
        '{"a":[1e-99999]}',
        '{"a":"1e-99999"}',
        '{"a":"\t"}',
        '"2024-01-01"',
        '"2024-01-01 00:00:00Z"',
        '"2024-01-01T24:00:00Z"',
        '"2023-02-29T00:00:00Z"',
        '"2024-W01-1T00:00:00Z"',
        '"0000-01-01T00:00:00Z"',
        '"2024-01-01T00:00:00"',
        "1704067200",
        '"' + "a" * 256 + '"',
        '"' + "[" * 70 + '"',
        "[" * 70 + "]" * 70,
        "{}" * 2,
    ]
)
_names: Final = st.sampled_from(
    [
        "event_id",
        "campaign_id",
        "event_type",
        "occurred_at",
        "count",
        "correction",
        "email_account_id",
        "metadata",
        "Event_id",
        "event_id ",
        "",
        "extra",
        "\0",
        "\ufeff",
    ]
)


@st.composite
def damaged_members(draw: st.DrawFn) -> Members:
    """An event with one member or more left out, doubled, renamed, added or of another type."""
    members = list(draw(events))
    for _ in range(draw(st.integers(1, 2))):
        index = draw(st.integers(0, max(len(members) - 1, 0)))
        match draw(st.sampled_from(["drop", "double", "rename", "add", "replace", "replace"])):
            case "drop":
                del members[index : index + 1]
            case "double":
                members += members[index : index + 1]
            case "add":
                members.insert(index, (draw(_names), draw(_odd_values)))
            case "rename" if members:
                members[index] = (draw(_names), members[index][1])
            case _ if members:
                members[index] = (members[index][0], draw(_odd_values))
    return members


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Bytes that were an event once, or look like one."""
    value = bytearray(draw(spellings(damaged_members() | events)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(value) - 1)) if value else 0
        some = draw(
            st.sampled_from([b'"', b"{", b"}", b"\\", b"\0", b"\xff", b"\xef\xbb\xbf", b" "])
        )
        match draw(
            st.sampled_from(["flip", "delete", "insert", "cut", "append", "wrap", "prefix"])
        ):
            case "flip" if value:
                value[at] ^= 1 << draw(st.integers(0, 7))
            case "delete":
                del value[at : at + 1]
            case "insert":
                value[at:at] = some
            case "cut":
                del value[at:]
            case "append":
                value += draw(st.sampled_from([bytes(value), b"{}", some]))
            case "wrap":
                value = bytearray(b"[" + value + b"]")
            case _:
                value = bytearray(some + value)
    return bytes(value)


def enveloped(data: bytes, **attributes: object) -> bytes:
    """A CloudEvent in structured mode around a JSON text; an attribute of None is left out."""
    envelope = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"} | attributes
    texts = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in envelope.items() if v is not None]
    return b"{" + ", ".join(texts).encode() + b', "data": ' + data + b"}"
