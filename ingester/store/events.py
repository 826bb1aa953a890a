"""The write path: one batch becomes rows, rejects, ledger and offsets in ONE transaction.

Order inside the transaction: floor (shared), offsets (sorted), leaves (by month), COPY, rejects,
ledger, offsets moved by compare-and-set, COMMIT. Offsets are locked before anything is copied, so
a consumer that lost its partition is refused at once; they move after everything else, so nothing
moves without its events. What happens outside (connection lost, deadlock, shutdown) leaves as
TemporaryError, and the same slices may then be written again.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import structlog
from psycopg import errors as pg

from ingester import binary_copy, divergence
from ingester.batch import Record, Slice, Topic, Written
from ingester.divergence import Position
from ingester.encoded import Encoded, Tally, encode_slices
from ingester.errors import CommitUnknown, IngesterError, NeedsAPerson, TemporaryError
from ingester.outcomes import EPOCH, Events, Headers, Outcomes, Reason, Rejected, microseconds
from ingester.recent import Recent
from ingester.settings import Settings
from ingester.stage import stage
from ingester.store.campaigns import CampaignKeys
from ingester.store.connection import Connection
from ingester.store.copying import LeafCopy, RepeatsFound, RowRefused, all_refused
from ingester.store.rejects import reject_row
from ingester.store.session import Session
from ingester.store.statements import about, statement
from ingester.store.takeover import Takeover

log = structlog.get_logger(__name__)


class _Refused(Exception):
    """The stored offset of some partitions is not where the slices start."""

    def __init__(self, stored: dict[int, int]) -> None:
        super().__init__(stored)
        self.stored = stored


class _Again(Exception):
    """What the transaction was prepared for has changed; prepare it again."""


class EventStore:
    """The PostgreSQL side of one worker. Used by one thread; `cancel` by any.

    `headers_of` reads a record's headers; it is asked only for rejects.
    """

    def __init__(
        self, settings: Settings, worker: str, headers_of: Callable[[Record], Headers]
    ) -> None:
        self._settings = settings
        self._headers_of = headers_of
        self._keys = CampaignKeys(settings.ingester_campaign_cache_max)
        self._leaf_names: dict[date, str] = {}
        self._leaves: set[str] = set()
        self._batch_ids: deque[int] = deque()
        self._taking_ids = threading.Lock()
        self._generation = 0
        self._copying = LeafCopy()
        self._recent = Recent()
        self._takeover = Takeover(settings)
        self._unsettled: tuple[list[int], Written] | None = None
        self._session = Session(settings, f"ingester-writer-{worker}", self._forget)

    def positions(self, topic: Topic, beginnings: Mapping[int, int]) -> dict[int, int]:
        """The stored offset of each partition; one not seen before starts at its beginning.

        Raises OffsetGap where the stored offsets belong to another topic or cluster.
        """
        with self._session.use("reading the stored offsets") as connection:
            connection.execute(
                statement("adopt_partitions"),
                {
                    "topic": topic.name,
                    "cluster_id": topic.cluster_id,
                    "topic_id": topic.topic_id,
                    "partitions": list(beginnings),
                    "first_offsets": list(beginnings.values()),
                },
            )
            positions = [p for p in _positions(connection, topic) if p.partition in beginnings]
        for position in positions:
            _recognise(topic, position)
        return {position.partition: position.next_offset for position in positions}

    def recognise(self, topic: Topic) -> None:
        """Raises OffsetGap where any stored offset belongs to another topic or cluster."""
        with self._session.use("reading the stored offsets") as connection:
            positions = _positions(connection, topic)
        for position in positions:
            _recognise(topic, position)

    def epochs(self, topic: str) -> dict[int, int]:
        """The leader epoch of the last stored record of each partition that has one."""
        with self._session.use("reading the stored offsets") as connection:
            return dict(connection.execute(statement("stored_epochs"), {"topic": topic}).fetchall())

    def offsets(self, topic: str) -> dict[int, int]:
        """The stored offset of every partition of a topic."""
        with self._session.use("reading the stored offsets") as connection:
            rows = connection.execute(statement("stored_offsets"), {"topic": topic}).fetchall()
        return {row[0]: row[1] for row in rows}

    def floor(self) -> datetime:
        """The retention floor: events before it are not accepted."""
        with self._session.use("reading the retention floor") as connection:
            return _floor(connection)

    def look_up_ahead(self, decoded: Sequence[Outcomes]) -> Callable[[], None] | None:
        """For the writing thread: look the campaigns up that these events are the first to name.

        None where all are known.
        """
        known = self._keys.known()
        new = set[str]().union(
            *(
                set(part.campaign_ids).difference(known)
                for outcomes in decoded
                for part in outcomes.parts
            )
        )
        if not new:
            return None

        def look_up() -> None:
            with self._session.use("looking campaigns up") as connection:
                self._keys.resolve(connection, new)

        return look_up

    def encode_ahead(self, slices: Sequence[Slice]) -> Encoded | None:
        """Encode slices without asking the database, as far as campaigns are known.

        None where no batch ids are at hand.

        For the decoding thread: what it does here the writing thread need not do between two COPYs.
        """
        generation = self._generation  # read first: see _forget
        keys = self._keys.known()
        batch_ids = self._taken_ids(len(slices))
        if batch_ids is None:
            return None
        ordered = sorted(slices, key=lambda part: part.partition)
        return encode_slices(ordered, keys, self._recent, batch_ids, generation)

    def write(
        self, topic: Topic, slices: Sequence[Slice], encoded: Encoded | None = None
    ) -> Written:
        """Write the slices in one transaction, exactly once.

        `encoded` may bring them encoded ahead.

        A slice whose partition has moved on is refused and the others are written; a record that
        the database refuses becomes a reject. Safe to call again with the same slices after a
        TemporaryError, CommitUnknown included.
        """
        with self._session.use("writing a batch") as connection:
            if self._unsettled is not None:
                batch_ids, written = self._unsettled
                committed = self._was_committed(connection, topic, slices, batch_ids)
                log.warning("commit_settled", committed=committed)
                self._unsettled = None
                if committed:
                    return written
            refused: dict[int, int] = {}
            remaining = sorted(slices, key=lambda part: part.partition)
            while remaining:
                try:
                    if encoded is None or encoded.generation != self._generation:
                        encoded = self._encoded(connection, remaining)
                    if encoded.unknown:
                        missing = encoded.unknown_campaigns()
                        keys = self._keys.resolve(connection, missing)
                        encoded = encoded.completed(keys, self._recent)
                    self._recent.add(encoded.hashes, _newest(remaining))
                    return self._write(connection, topic, remaining, encoded, refused)
                except _Refused as error:
                    encoded = None
                    refused |= error.stored
                    remaining = [part for part in remaining if part.partition not in refused]
                    stage("refused", partitions=sorted(refused))
                except RepeatsFound:
                    stage("repeats")
                except _Again:
                    encoded = None
                    self._leaves.clear()
            return Written(refused=refused)

    def cancel(self) -> None:
        """Stop what is being written, from another thread; it rolls back."""
        self._session.cancel()

    def close(self) -> None:
        """Give the connection back; an open transaction rolls back."""
        self._session.close()
        self._takeover.close()

    def _forget(self) -> None:
        """The connection is lost: an older server may answer next, with other keys and ids.

        The generation moves last, and whoever encodes ahead reads it first: what was encoded with
        old keys or ids never carries the new generation.
        """
        self._keys.forget()
        with self._taking_ids:
            self._batch_ids.clear()
        self._leaves.clear()
        self._generation += 1

    # -- the transaction

    def _write(
        self,
        connection: Connection,
        topic: Topic,
        slices: Sequence[Slice],
        encoded: Encoded,
        refused: Mapping[int, int],
    ) -> Written:
        stage("prepare", partitions=[part.partition for part in slices])
        # For the next batch, which may have more slices, so that it can be encoded ahead; and some
        # more, so that not every batch has to ask.
        if len(self._batch_ids) < 2 * len(slices) + 2:
            self._reserve_ids(connection, 8 * len(slices))
        tallies = encoded.tallies()
        months = [
            (self._leaf(connection, month, slices), rows) for month, rows in encoded.months.items()
        ]
        # Around everything: not only offsets are waited for, but also a key that a stopped writer
        # has inserted and not committed.
        takeover = self._takeover.watching(connection.info.backend_pid)
        with takeover, self._session.transaction("writing a batch"):
            stage("lock")
            self._lock(connection, topic, slices, [leaf for leaf, _ in months])
            try:
                for leaf, rows in months:
                    self._copying.write(connection, leaf, rows, tallies)
            except RowRefused as error:
                connection.execute(statement("rollback"))
                every = [row for _, each in months for row in (*each.rows, *each.suspects)]
                found = all_refused(connection, every)
                _reject_rows(slices, found or [error], self._keys.known())
                raise _Again from error
            stage("ledger")
            entries = [
                _ledger_entry(topic, part, tally)
                for part, tally in zip(slices, tallies.values(), strict=True)
            ]
            rejects = self._rejects(slices, entries)
            with connection.pipeline(), connection.cursor() as cursor:
                if rejects:
                    cursor.executemany(statement("insert_reject"), rejects)
                cursor.executemany(statement("insert_ledger_row"), entries)
                moved = [connection.execute(statement("advance_offset"), each) for each in entries]
            if any(offset.rowcount != 1 for offset in moved):
                raise IngesterError("a locked offset row has moved: this cannot happen")
            written = Written(
                positions={part.partition: part.end for part in slices},
                refused=dict(refused),
                reasons=Counter(reject["reason_code"] for reject in rejects),
                **{
                    count: sum(entry[count] for entry in entries)
                    for count in ("records", "inserted", "duplicates", "rejected")
                },
            )
            self._commit(connection, list(tallies), written)
        return written

    def _encoded(self, connection: Connection, slices: Sequence[Slice]) -> Encoded:
        stage("encode")
        while (batch_ids := self._taken_ids(len(slices))) is None:
            self._reserve_ids(connection, len(slices))
        return encode_slices(slices, self._keys.known(), self._recent, batch_ids, self._generation)

    def _reserve_ids(self, connection: Connection, count: int) -> None:
        """Have ids for that many slices at hand; those of a lost connection are gaps."""
        missing = count - len(self._batch_ids)
        if missing > 0:
            found = connection.execute(statement("next_batch_ids"), {"count": missing})
            self._batch_ids.extend(batch_id for (batch_id,) in found)

    def _taken_ids(self, count: int) -> list[int] | None:
        with self._taking_ids:
            if len(self._batch_ids) < count:
                return None
            return [self._batch_ids.popleft() for _ in range(count)]

    def _commit(self, connection: Connection, batch_ids: list[int], written: Written) -> None:
        stage("commit")
        try:
            result = connection.execute(statement("commit"))
        except psycopg.Error as error:
            self._unsettled = (batch_ids, written)
            raise CommitUnknown(f"COMMIT: no answer: {str(error).strip()}") from error
        if result.statusmessage != "COMMIT":
            raise TemporaryError(f"COMMIT was answered with {result.statusmessage}")
        stage("committed", records=written.records, inserted=written.inserted)

    def _was_committed(
        self,
        connection: Connection,
        topic: Topic,
        slices: Sequence[Slice],
        batch_ids: Sequence[int],
    ) -> bool:
        """Whether a COMMIT without an answer happened.

        The old backend may still be at it; taking its row locks waits for its end.
        """
        takeover = self._takeover.watching(connection.info.backend_pid)
        with takeover, self._session.transaction("settling a commit"):
            self._locked_offsets(connection, topic, slices)
            found = connection.execute(statement("ledger_has"), {"batch_ids": batch_ids}).fetchone()
        return found is not None and found[0] == len(batch_ids)

    def _lock(
        self, connection: Connection, topic: Topic, slices: Sequence[Slice], leaves: Sequence[str]
    ) -> None:
        """Lock floor, offsets and leaves, in this order, and see that all are as expected.

        In one round trip: each answer costs this thread a wait for the interpreter.
        """
        try:
            with connection.pipeline():
                connection.execute(statement("share_floor"))
                floor = connection.execute(statement("retention_floor"))
                offsets = connection.execute(
                    statement("lock_offsets"),
                    {"topic": topic.name, "partitions": [part.partition for part in slices]},
                )
                for leaf in leaves:
                    connection.execute(about("lock_leaf", leaf=leaf))
                attached = connection.execute(statement("attached_leaves"))
        except pg.UndefinedTable:
            raise _Again from None
        if _reject_below(_as_time(floor.fetchone()), slices):
            raise _Again
        self._compare(topic, slices, dict(offsets.fetchall()))
        if not {name for (name,) in attached}.issuperset(leaves):
            raise _Again

    def _compare(self, topic: Topic, slices: Sequence[Slice], stored: Mapping[int, int]) -> None:
        gone = [part.partition for part in slices if part.partition not in stored]
        if gone:
            raise NeedsAPerson(f"ingest_offsets has no row for {topic.name}{gone}: who removed it?")
        moved = {p.partition: stored[p.partition] for p in slices if stored[p.partition] != p.start}
        if moved:
            raise _Refused(moved)

    def _locked_offsets(
        self, connection: Connection, topic: Topic, slices: Sequence[Slice]
    ) -> dict[int, int]:
        rows = connection.execute(
            statement("lock_offsets"),
            {"topic": topic.name, "partitions": [part.partition for part in slices]},
        ).fetchall()
        return dict(rows)

    def _rejects(
        self, slices: Sequence[Slice], entries: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        return [
            {**entry, **reject_row(part.records[at], self._headers_of(part.records[at]), rejected)}
            for part, entry in zip(slices, entries, strict=True)
            for at, rejected in sorted(part.outcomes.rejects.items())
        ]

    # -- leaves and COPY

    def _leaf(self, connection: Connection, month: date, slices: Sequence[Slice]) -> str:
        """The leaf of a month, made now if it was missing.

        A month below a floor that has risen gets none: its events become rejects, and the rest is
        encoded again.
        """
        leaf = self._leaf_names.get(month)
        if leaf is None:
            row = connection.execute(statement("leaf_name"), {"month": month}).fetchone()
            leaf = self._leaf_names[month] = str(row[0]) if row else ""
        if leaf not in self._leaves:
            self._leaves = {name for (name,) in connection.execute(statement("attached_leaves"))}
        if leaf not in self._leaves:
            stage("leaf", leaf=leaf)
            try:
                connection.execute(statement("create_leaf"), {"month": month})
            except pg.InvalidParameterValue:
                if not _reject_below(_floor(connection), slices):
                    raise
                log.info("leaf_below_floor", leaf=leaf)
                raise _Again from None
            log.info("leaf_created", leaf=leaf)
            self._leaves.add(leaf)
        return leaf


def _positions(connection: Connection, topic: Topic) -> list[Position]:
    found = connection.execute(statement("stored_positions"), {"topic": topic.name})
    return [Position(*row) for row in found]


def _recognise(topic: Topic, position: Position) -> None:
    if (position.cluster_id, position.topic_id) != (topic.cluster_id, topic.topic_id):
        raise divergence.other_topic(topic, position)


def _floor(connection: Connection) -> datetime:
    return _as_time(connection.execute(statement("retention_floor")).fetchone())


def _as_time(row: tuple[Any, ...] | None) -> datetime:
    floor = row[0] if row and row[0] is not None else EPOCH.date()
    return datetime.combine(floor, time(), UTC)


def _reject_below(floor: datetime, slices: Sequence[Slice]) -> bool:
    """Reject what lies below a floor that may have risen since; True where something did."""
    floor_us = microseconds(floor)
    rejected = Rejected(Reason.OUTSIDE_WINDOW, f"occurred_at lies below the floor {floor.date()}")
    found = [
        part.outcomes.reject(lambda events: events.occurred_us < floor_us, rejected)
        for part in slices
    ]
    return any(found)


def _reject_rows(
    slices: Sequence[Slice], refused: Sequence[RowRefused], keys: Mapping[str, int]
) -> None:
    """Turn the events of these rows, and the repeats of them, into rejects."""
    for each in refused:
        identity = binary_copy.identity_of(each.row)
        for part in slices:
            part.outcomes.reject(
                partial(_have_identity, identity=identity, keys=keys),
                Rejected(Reason.REFUSED_BY_DATABASE, each.detail),
            )


def _have_identity(
    events: Events, *, identity: tuple[int, int, bytes], keys: Mapping[str, int]
) -> npt.NDArray[np.bool_]:
    occurred_us, campaign_key, event_id = identity
    found: npt.NDArray[np.bool_] = events.occurred_us == occurred_us
    for number in np.flatnonzero(found).tolist():
        found[number] = (
            bytes(events.event_ids[number]) == event_id
            and keys.get(events.campaign_ids[number]) == campaign_key
        )
    return found


def _ledger_entry(topic: Topic, part: Slice, tally: Tally) -> dict[str, Any]:
    times = part.outcomes.occurred_us
    return {
        "batch_id": tally.batch_id,
        "topic": topic.name,
        "topic_id": topic.topic_id,
        "partition": part.partition,
        "first_offset": part.start,
        "next_offset": part.end,
        "leader_epoch": _epoch_before(part),
        "records": len(part.records),
        "inserted": tally.inserted,
        "duplicates": tally.duplicates,
        "conflicting": tally.conflicting,
        "rejected": len(part.outcomes.rejects),
        "min_occurred_at": _time(int(times.min())) if tally.inserted else None,
        "max_occurred_at": _time(int(times.max())) if tally.inserted else None,
    }


def _epoch_before(part: Slice) -> int | None:
    """The leader epoch at the slice's end; unknown behind markers, which may have a newer one."""
    last = part.records[-1] if part.records else None
    return last.leader_epoch() if last is not None and last.offset() + 1 == part.end else None


def _time(occurred_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=occurred_us)


def _newest(slices: Sequence[Slice]) -> dict[int, int]:
    """The newest time of each slice that has events."""
    times = {part.partition: part.outcomes.occurred_us for part in slices}
    return {partition: int(found.max()) for partition, found in times.items() if len(found)}
