"""From the bytes of records to events by columns and rejects. Pure, and never raises.

Two paths, one meaning. The fast path recognises the common shape of a valid event: a parser in C
checks fields, types and ranges in one pass, and array operations check a column at a time. At the
first doubt about a record it leaves it to the strict judge (`ingester.strict`), which decides and
finds the reason code. A property test holds the fast path to the judge.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from ingester import columns
from ingester.columns import Buffer
from ingester.event import COUNT_MAX, VALUE_BYTES_MAX
from ingester.outcomes import Event, Events, Headers, Outcomes, Rejected, Window
from ingester.strict import decode_strictly, is_plain, judge

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_ABSENT: Final = msgspec.Raw(b"")


class _Common(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The common shape of an event, as far as a parser in C can check it in one pass.

    Anything else, valid or not, makes it raise. The defaults are values that no record can bring.
    """

    event_id: str
    campaign_id: _Text
    event_type: Literal["sent", "opened", "clicked", "replied", "positive_reply", "bounced"]
    occurred_at: str
    count: Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)] = 0
    email_account_id: _Text | None = ""
    metadata: msgspec.Raw = _ABSENT


_parse: Final = msgspec.json.Decoder(_Common).decode
_PARSED_AT_ONCE: Final = 500
"""While one call parses, the writing thread cannot take PostgreSQL's answer: keep it short."""
_DOUBTS: Final = (ValueError, TypeError, RecursionError, msgspec.MsgspecError)


def decode(
    values: Sequence[bytes | None], headers_of: Callable[[int], Headers], window: Window
) -> Outcomes:
    """Decode a run of values; each has one outcome, in its place.

    `headers_of(i)` gives the headers of the i-th record; it is called only where the fast path
    gave up, since reading headers costs more than reading a value.
    """
    parsed, doubts = _parsed(values)
    places = np.delete(np.arange(len(values)), doubts)
    texts = list(values)
    singles: dict[int, Event | Rejected] = {}
    enveloped: list[int] = []
    for at in doubts:
        outcome = judge(values[at], headers_of(at), window)
        if isinstance(outcome, bytes):
            texts[at] = outcome
            enveloped.append(at)
        else:
            singles[at] = outcome
    if enveloped:
        # What an envelope carries is looked at with the others, as if it had come without.
        carried, doubts = _parsed([texts[at] for at in enveloped])
        parsed += carried
        places = np.concatenate((places, np.delete(np.array(enveloped), doubts)))
        for number in doubts:
            at = enveloped[number]
            singles[at] = decode_strictly(texts[at], (), window)
    events, unread = _recognised(parsed, places, [texts[at] for at in places.tolist()], window)
    for at in unread:
        headers = () if at in enveloped else headers_of(at)
        singles[at] = decode_strictly(texts[at], headers, window)
    return Outcomes.with_singles(len(values), events, singles)


def _recognised(
    parsed: Sequence[_Common],
    places: npt.NDArray[np.intp],
    values: Sequence[bytes | None],
    window: Window,
) -> tuple[Events, list[int]]:
    """The events that array operations read, and the places of the others, in their order."""
    event_ids, read = columns.identities(*Buffer.encoded([event.event_id for event in parsed]))
    occurred_us, are_times = columns.times(*Buffer.encoded([event.occurred_at for event in parsed]))
    read &= are_times & (occurred_us >= window.first_us) & (occurred_us <= window.last_us)
    counts = np.array([event.count for event in parsed], np.int32)
    accounts = [event.email_account_id for event in parsed]
    metadata = {
        number: bytes(event.metadata)
        for number, event in enumerate(parsed)
        if event.metadata is not _ABSENT
    }
    if not _say_no_more(values, _quotes(counts, accounts, metadata)):
        read &= np.array([_says_no_more(*pair) for pair in zip(values, parsed, strict=True)], bool)
    for number, text in list(metadata.items()):
        if text == b"null":
            del metadata[number]
        elif not is_plain(text):
            read[number] = False
    events = Events(
        places,
        [event.campaign_id for event in parsed],
        event_ids,
        occurred_us,
        [event.event_type for event in parsed],
        np.maximum(counts, 1),
        _without_nulls(accounts),
        metadata,
    )
    if read.all():
        return events, []
    return events.chosen(read), places[~read].tolist()


def _parsed(values: Sequence[bytes | None]) -> tuple[list[_Common], list[int]]:
    """What the parser takes, in order, and the places of what it does not."""
    parsed: list[_Common] = []
    doubts: list[int] = []
    results = map(_parse, values)  # type: ignore[arg-type]  # None raises, as junk does
    while len(parsed) + len(doubts) < len(values):
        try:
            # At an error the list keeps what came before it, and the map goes on behind it.
            parsed.extend(islice(results, _PARSED_AT_ONCE))
        except _DOUBTS:
            doubts.append(len(parsed) + len(doubts))
    return parsed, doubts


def _without_nulls(accounts: list[str | None]) -> list[str]:
    # Nearly no producer writes null: looking for one costs less than making the list again.
    return [account or "" for account in accounts] if None in accounts else accounts  # type: ignore[return-value]


# The parser keeps the last of two equal keys. But every key and every string brings two quotes, and
# more where it escapes one; so a key that stands twice leaves quotes over. They are counted at once
# for a whole run, and one by one only where some are over.


def _quotes(
    counts: npt.NDArray[np.int32], accounts: Sequence[str | None], metadata: Mapping[int, bytes]
) -> int:
    """How many quotes the values have that say these events and no more."""
    size, named = len(accounts), len(accounts) - accounts.count("")
    keys = 4 * size + int(np.count_nonzero(counts)) + named + len(metadata)
    strings = 4 * size + named - accounts.count(None)
    return 2 * (keys + strings) + b"".join(metadata.values()).count(b'"')


def _say_no_more(values: Sequence[bytes | None], quotes: int) -> bool:
    """Whether none of the values says what was not parsed, a NUL, or too much."""
    joined = b"".join(values)  # type: ignore[arg-type]  # what was parsed is not None
    if len(joined) > VALUE_BYTES_MAX < max(map(len, values)):  # type: ignore[arg-type]
        return False
    return columns.count(joined, b'"') == quotes and not columns.holds(joined, b"\\u0000")


def _says_no_more(value: bytes | None, event: _Common) -> bool:
    """The same of one value."""
    metadata = {} if event.metadata is _ABSENT else {0: bytes(event.metadata)}
    counts = np.array([event.count], np.int32)
    return _say_no_more([value], _quotes(counts, [event.email_account_id], metadata))
