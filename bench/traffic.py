"""A topic that is full before anything is measured, published by `ingester simulate`."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from ingester.event import EventType
from ingester.kafka import Publisher
from ingester.maintenance import months_from
from ingester.settings import load_settings

_TYPES: Final = [str(event_type) for event_type in EventType]

UNTIL = "2026-07-16T00:00:00Z"
"""End of the simulated history. Fixed, so that every run of a bench has the same bytes; its 30 days
lie in two months, so that batches cross from leaf to leaf as they do in life."""

CAMPAIGNS = 3000
"""As many as the legacy system has."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was published, as `ingester simulate --json` tells it."""

    topic: str
    published: dict[str, Any]

    @property
    def records(self) -> int:
        """All records in the topic."""
        return int(self.published["published"])

    @property
    def expected(self) -> dict[str, int]:
        """What the ledger must add up to."""
        return {
            "records": self.records,
            "inserted": int(self.published["unique"]),
            "duplicates": int(self.published["duplicates"]),
            "rejected": int(self.published["rejected"]),
        }

    @property
    def months(self) -> list[date]:
        """The months that need a leaf."""
        first = date.fromisoformat(self.published["first_occurred_at"][:10])
        last = date.fromisoformat(self.published["last_occurred_at"][:10])
        return months_from(first, (last.year - first.year) * 12 + last.month - first.month)


def publish_plain(
    bootstrap: str,
    topic: str,
    *,
    events: int,
    seed: int = 1,
    campaigns: Sequence[int] = range(1, CAMPAIGNS + 1),
    metadata_bytes: int = 0,
) -> Traffic:
    """Fill a topic with events of the four required fields; the same seed gives the same bytes.

    Times are spread over the same 30 days, so the rows differ from `publish` only in what the
    optional fields add. Campaigns are numbered as in `bench.history`. With `metadata_bytes` each
    has metadata of that size, as JSON.
    """
    draw = random.Random(seed)
    metadata = {"note": "x" * max(metadata_bytes - len('{"note":""}'), 0)}
    end = datetime.fromisoformat(UNTIL)
    step = timedelta(days=30) / events
    settings = load_settings(kafka_bootstrap_servers=bootstrap, kafka_topic=topic)
    with Publisher(settings) as publisher:
        for number in range(events):
            occurred_at = end - step * (events - number)
            campaign_id = f"campaign-{draw.choice(campaigns):06d}"
            event: dict[str, object] = {
                "event_id": str(_uuid7(occurred_at, draw)),
                "campaign_id": campaign_id,
                "event_type": draw.choice(_TYPES),
                "occurred_at": occurred_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
            if metadata_bytes:
                event["metadata"] = metadata
            publisher.publish(campaign_id.encode(), orjson.dumps(event))
        publisher.flush()
    published = {
        "published": events,
        "unique": events,
        "duplicates": 0,
        "rejected": 0,
        "first_occurred_at": (end - step * events).isoformat(),
        "last_occurred_at": (end - step).isoformat(),
    }
    return Traffic(topic, published)


def _uuid7(moment: datetime, draw: random.Random) -> UUID:
    """RFC 9562, 5.7: milliseconds, then random bits around version and variant."""
    milliseconds = int(moment.timestamp() * 1000)
    number = milliseconds << 80 | draw.getrandbits(80)
    return UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def publish(bootstrap: str, topic: str, *, events: int, duplicates: float) -> Traffic:
    """Fill a topic; the same arguments give the same bytes. Raises where simulate failed."""
    options = {
        "events": events,
        "duplicates": duplicates,
        "invalid": 0,
        "campaigns": CAMPAIGNS,
        "days": 30,
        "until": UNTIL,
        "seed": 1,
    }
    arguments = (word for name, value in options.items() for word in (f"--{name}", str(value)))
    published = subprocess.run(
        [sys.executable, "-m", "ingester", "simulate", *arguments, "--json"],
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "KAFKA_TOPIC": topic},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Traffic(topic, json.loads(published.stdout))
