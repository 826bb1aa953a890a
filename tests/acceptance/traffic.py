"""Records of every kind, drawn from a seed: valid, repeated, contradicting, invalid.

Plain on purpose. Realistic traffic comes from `ingester simulate`; here a test needs to know what
each record is.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from random import Random
from typing import Any, Final

Headers = tuple[tuple[str, bytes], ...]


class Kind(Enum):
    """What must become of a record."""

    VALID = "valid"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Publication:
    """A record to be published; `partition` None leaves the choice to the producer."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    kind: Kind = Kind.VALID


_REMEMBERED_MAX: Final = 200_000
TYPES: Final = ("sent", "opened", "clicked", "replied", "positive_reply", "bounced")
_INVALID: Final[tuple[bytes | None, ...]] = (
    *(None, b"", b"{", b"[]", b"NaN", b"\xff\xfe", b"\xef\xbb\xbf{}"),
    *(b'{"event_id":1}', b'{"a":1,"a":2}'),
)


def event(random: Random, **fields: Any) -> dict[str, Any]:
    """A valid event of the last two months; fields given here replace those drawn."""
    now = datetime.now(UTC)
    drawn: dict[str, Any] = {
        "event_id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "campaign_id": f"campaign-{random.randrange(200)}",
        "event_type": random.choice(TYPES),
        "occurred_at": (
            now - timedelta(microseconds=random.randrange(60 * 86_400 * 10**6))
        ).isoformat(),
    }
    if random.random() < 0.3:
        drawn["count"] = random.randrange(1, 5)
    if random.random() < 0.5:
        drawn["email_account_id"] = f"müller-{random.randrange(20)}@example.org"
    if random.random() < 0.2:
        drawn["metadata"] = {
            "subject": "größer\n",
            "score": random.random(),
            "tags": [1, None, True],
        }
    return drawn | fields


def publication(fields: dict[str, Any], **how: Any) -> Publication:
    """The record of an event, as the contract wants it: keyed by its campaign."""
    value = json.dumps(fields, ensure_ascii=False).encode()
    return Publication(fields["campaign_id"].encode(), value, **how)


def mixed(
    seed: int, count: int, *, repeated: float = 0.05, invalid: float = 0.02, partitions: int = 1
) -> Iterator[Publication]:
    """`count` records; `repeated` of them tell an earlier event again, a fifth of those wrongly.

    A tenth of the repeats goes to another partition than the first telling. Only so many events are
    remembered, so that hours of it need no more memory than minutes.
    """
    random = Random(seed)
    earlier: list[dict[str, Any]] = []
    for _ in range(count):
        chance = random.random()
        if chance < invalid:
            yield Publication(
                random.choice((None, b"\xff\x00", b"campaign-1")),
                random.choice(_INVALID),
                (("trace", b"\x00\xff"),),
                kind=Kind.INVALID,
            )
        elif chance < invalid + repeated and earlier:
            again = random.choice(earlier)
            elsewhere = random.randrange(partitions) if random.random() < 0.1 else None
            if random.random() < 0.2:
                told = again | {"count": again.get("count", 1) + 1}
                yield publication(told, partition=elsewhere, kind=Kind.CONFLICTING)
            else:
                yield publication(again, partition=elsewhere, kind=Kind.DUPLICATE)
        else:
            new = event(random)
            if len(earlier) < _REMEMBERED_MAX:
                earlier.append(new)
            else:
                earlier[random.randrange(_REMEMBERED_MAX)] = new
            yield publication(new)
