"""A topic that is full before anything is measured, published by `ingester simulate`."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from typing import Any

from ingester.maintenance import months_from

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
