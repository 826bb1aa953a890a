"""Dropping the old table, when nothing speaks against it any more."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from ingester.errors import NeedsAPerson
from ingester.store.connection import Connection, translating
from replay.settings import ReplaySettings
from replay.store import swap
from replay.store.audit import last_cutover, record
from replay.store.locks import bound_locks, in_transaction
from replay.store.standing import SUFFIX, Standing, dependents, size, standing


@dataclass(frozen=True, slots=True)
class Doomed:
    """The table that may be dropped: its size with indexes, and since when nobody needs it."""

    table: str
    bytes: int
    cutover_at: datetime

    def report(self) -> dict[str, Any]:
        """For programs, and as evidence."""
        return asdict(self)


def look(connection: Connection, settings: ReplaySettings, now: datetime) -> Doomed:
    """Raises NeedsAPerson where the table must not be dropped, with the reason."""
    name = settings.replay_legacy_table
    with translating("looking at the old table"):
        found = standing(connection, settings)
        if found is not Standing.VIEW:
            raise NeedsAPerson(f"{name} is {found.value}: there is nothing to drop")
        cutover_at = last_cutover(connection)
        if cutover_at is None:
            raise NeedsAPerson(f"the audit table knows of no cutover of {name}")
        free_at = cutover_at + timedelta(days=settings.replay_waiting_days)
        if now < free_at:
            raise NeedsAPerson(
                f"{name}{SUFFIX} stays until {free_at:%Y-%m-%d %H:%M} UTC, "
                f"{settings.replay_waiting_days} days after the cutover (REPLAY_WAITING_DAYS)"
            )
        in_the_way = [
            f"{each.kind} {each.identity}"
            for each in dependents(connection, name + SUFFIX, name + SUFFIX)
            if each.action != "note" or "row type" in each.reason
        ]
        if in_the_way:
            raise NeedsAPerson(f"{name}{SUFFIX} is still used by {', '.join(in_the_way)}")
        return Doomed(name + SUFFIX, size(connection, name + SUFFIX)["bytes"], cutover_at)


def drop(connection: Connection, settings: ReplaySettings, doomed: Doomed) -> str:
    """Drop it and write that down; returns the hash of the evidence."""
    digest = ""

    def change() -> None:
        nonlocal digest
        swap.drop_table(connection, settings)
        digest = record(connection, "drop-legacy", doomed.report())

    with translating("dropping the old table"):
        bound_locks(connection, settings.replay_swap_seconds_max)
        in_transaction(connection, change)
    return digest
