"""The cutover and its way back, as transactions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from ingester.errors import NeedsAPerson
from ingester.store.connection import Connection, translating
from replay.cutover import Findings, Requirement, requirements
from replay.settings import ReplaySettings
from replay.store import swap
from replay.store.audit import last_cutover, record
from replay.store.legacy import find_legacy
from replay.store.locks import Patience, bound_locks, in_transaction
from replay.store.proofs import Proofs, snapshot
from replay.store.readiness import (
    not_yet_folded,
    not_yet_ingested,
    progress,
    replay_rejects,
    watermark,
)
from replay.store.rows import one
from replay.store.standing import SUFFIX, Dependent, Standing, check_name, dependents, standing
from replay.verification import Progress as Show
from replay.verification import judge


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a cutover would find: the requirements, what else moves, and the evidence."""

    requirements: Sequence[Requirement]
    dependents: Sequence[Dependent]
    topic: str
    evidence: dict[str, Any]

    @property
    def missing(self) -> list[str]:
        """What is not there yet."""
        return [f"{each.claim}: {each.missing}" for each in self.requirements if not each.ok]


@dataclass(slots=True)
class Swap:
    """What a swap did; `stopped_seconds` is how long readers stood still in the end."""

    attempts: int = 0
    stopped_seconds: float = 0.0
    evidence_sha256: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Cutover:
    """Lets the old table's name change hands, there and back. `seed` as in Proofs."""

    def __init__(self, connection: Connection, settings: ReplaySettings, show: Show) -> None:
        self._connection = connection
        self._settings = settings
        self._show = show
        self._name = settings.replay_legacy_table
        self._legacy = self._name + SUFFIX
        self._patience = Patience(
            settings.replay_swap_lock_seconds, settings.replay_swap_seconds_max
        )

    def inspect(self, seed: int) -> Inspection:
        """Look at everything in one snapshot, changing nothing and locking nobody out."""
        check_name(self._settings)
        with snapshot(self._connection):
            return self._inspect(seed)

    def cut_over(self, seed: int) -> Swap:
        """Prove again with the writers stopped, and put the view in the table's place.

        Raises NeedsAPerson with what is missing, TemporaryError where readers were in the way.
        """
        done = Swap()

        def prepare() -> None:
            swap.prepare(self._connection, self._settings, self._patience)

        def change() -> None:
            swap.stop_writers(self._connection, self._name)
            found = self._inspect(seed)
            refuse(found)
            moved = [each for each in found.dependents if each.action == "move"]
            self._stop_everybody(moved, [], self._name, done)
            started = datetime.now(UTC)
            swap.put_view(self._connection, self._settings, found.topic, moved)
            done.facts = {"attempts": done.attempts, "moved": [each.identity for each in moved]}
            done.evidence_sha256 = record(
                self._connection, "cutover", {**found.evidence, **done.facts}
            )
            done.stopped_seconds = (datetime.now(UTC) - started).total_seconds()

        with translating("cutting over"):
            bound_locks(self._connection, self._patience.seconds_max)
            in_transaction(self._connection, prepare)
            in_transaction(self._connection, change, frozen=True)
        return done

    def roll_back(self) -> Swap:
        """Bring the days since the cutover into the old table and give it its name back."""
        if standing(self._connection, self._settings) is not Standing.VIEW:
            raise NeedsAPerson(f"{self._name}: no cutover that could be taken back")
        cutover_at = last_cutover(self._connection)
        if cutover_at is None:
            raise NeedsAPerson("the audit table knows of no cutover; rename the relations by hand")
        since = cutover_at.astimezone(UTC).date()
        done = Swap()

        def bring() -> None:
            self._bring(since, done)

        def change() -> None:
            # Once more, for what happened since: few rows, and the writers are the view's none.
            self._bring(since, done)
            done.facts["late_events_left_behind"] = self._late(cutover_at, since)
            moved = self._movable(self._name)
            self._stop_everybody(moved, [swap.quoted(self._name)], self._legacy, done)
            started = datetime.now(UTC)
            swap.put_table_back(self._connection, self._settings, moved)
            done.facts |= {
                "days_from": since,
                "cutover_at": cutover_at,
                "attempts": done.attempts,
                "moved": [each.identity for each in moved],
                "watermark": watermark(self._connection),
            }
            done.evidence_sha256 = record(self._connection, "rollback", done.facts)
            done.stopped_seconds = (datetime.now(UTC) - started).total_seconds()

        with translating("rolling back"):
            bound_locks(self._connection, self._patience.seconds_max)
            in_transaction(self._connection, bring)
            in_transaction(self._connection, change)
        return done

    def _inspect(self, seed: int) -> Inspection:
        connection = self._connection
        if standing(connection, self._settings) is not Standing.TABLE:
            raise NeedsAPerson(f"{self._name} is a view already: the cutover has happened")
        known = progress(connection)
        table = find_legacy(connection, self._settings)
        verdict = judge(Proofs(connection, table, known.span, seed), self._show)
        around = dependents(connection, self._name, self._name)
        rejects = replay_rejects(connection)
        found = Findings(
            ranges=known.ranges,
            ranges_open=known.ranges_open,
            corrections_open=int(one(connection, "correction_counts")["unacknowledged"]),
            partitions_behind=len(not_yet_ingested(connection)),
            batches_unfolded=not_yet_folded(connection),
            rejects=rejects[0]["total"] if rejects else 0,
            in_the_way=[
                f"{each.kind} {each.identity} {each.reason}"
                for each in around
                if each.action == "refuse"
            ],
            verdict=verdict,
        )
        evidence = {
            "cut_date": known.cut_date,
            "floor": known.floor,
            "watermark": watermark(connection),
            "ranges": known.ranges,
            "events_replayed": known.events,
            "corrections": one(connection, "correction_counts"),
            "totals": verdict.totals,
            "dependents": [asdict(each) for each in around],
        }
        return Inspection(requirements(found), around, known.topic, evidence)

    def _movable(self, relation: str) -> list[Dependent]:
        found = dependents(self._connection, relation, self._name)
        in_the_way = [f"{each.kind} {each.identity}" for each in found if each.action == "refuse"]
        if in_the_way:
            raise NeedsAPerson(f"{', '.join(in_the_way)}: made since the cutover; drop it first")
        return [each for each in found if each.action == "move"]

    def _stop_everybody(
        self, moved: Sequence[Dependent], views: Sequence[str], table: str, done: Swap
    ) -> None:
        dependent = [each.identity for each in moved if each.kind == "view"]
        done.attempts = swap.stop_everybody(
            self._connection, [*dependent, *views], table, self._patience
        )

    def _bring(self, since: date, done: Swap) -> None:
        found = swap.bring_days_back(self._connection, self._settings, self._legacy, since)
        for name, count in found.items():
            done.facts[name] = done.facts.get(name, 0) + count

    def _late(self, cutover_at: datetime, since: date) -> int:
        return int(one(self._connection, "late_since", after=cutover_at, before=since)["events"])


def refuse(found: Inspection) -> None:
    """Raise NeedsAPerson with the list of what is missing."""
    if found.missing:
        raise NeedsAPerson("the cutover is refused:\n  - " + "\n  - ".join(found.missing))
