"""How the whole stands: offsets and lag, totals, freshness, months, storage, rejects. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from ingester.maintenance import months_from

COUNTS: Final = ("records", "inserted", "duplicates", "conflicting", "rejected")


def standing(
    known: dict[str, Any], topic: str, ends: Mapping[int, int], now: datetime
) -> dict[str, Any]:
    """What `ingester.store.reading.state` knows, with lag, totals, age and months worked out.

    `ends`: the offset after the last record of each partition of the topic, as far as Kafka could
    tell; other lags are None.
    """
    partitions = [
        {**row, "lag": _lag(row, ends) if row["topic"] == topic else None}
        for row in known["partitions"]
    ]
    freshness = known["freshness"]
    waiting = now - freshness["complete_until"] if freshness["unfolded_batches"] else timedelta()
    return {
        "partitions": partitions,
        "lag": sum(row["lag"] or 0 for row in partitions) if ends else None,
        "totals": {count: sum(row[count] for row in partitions) for count in COUNTS},
        "freshness": {**freshness, "seconds_behind": round(max(waiting.total_seconds(), 0.0), 3)},
        "leaves": _leaves(known["leaves"], now.date()) | {"floor": known["floor"]},
        "storage_bytes": known["storage"] | {"total": sum(known["storage"].values())},
        "rejects": known["rejects"],
    }


def _lag(row: Mapping[str, Any], ends: Mapping[int, int]) -> int | None:
    end = ends.get(row["partition"])
    return None if end is None else max(end - row["next_offset"], 0)


def _leaves(names: list[str], today: date) -> dict[str, Any]:
    """How many monthly leaves, which, how far ahead, and which months between are missing."""
    months = sorted(date(int(name[-7:-3]), int(name[-2:]), 1) for name in names)
    if not months:
        return {"count": 0, "first": None, "last": None, "months_ahead": 0, "gaps": []}
    span = (months[-1].year - months[0].year) * 12 + months[-1].month - months[0].month
    present = set(months)
    ahead = (months[-1].year - today.year) * 12 + months[-1].month - today.month
    return {
        "count": len(months),
        "first": months[0],
        "last": months[-1],
        "months_ahead": ahead if today.replace(day=1) in present else 0,
        "gaps": [month for month in months_from(months[0], span) if month not in present],
    }
