"""Stored positions as an operator sees and changes them, each change with its audit row.

A position that is given up closes its ledger: the rows stay and are verified on their own, and a
new ledger begins where reading goes on. A gap that is accepted is a ledger row without records, so
the ledger stays contiguous. Both happen under the lock of the offset row: a worker that read from
the old position is refused by the compare-and-set.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from psycopg.types.json import Jsonb

from ingester.batch import Topic
from ingester.divergence import Position
from ingester.errors import TemporaryError
from ingester.store.connection import Connection, translating
from ingester.store.reading import Row, rows
from ingester.store.statements import statement


def stored_positions(connection: Connection, topic: str) -> list[Position]:
    """Every partition of a topic that was ever read, in order."""
    with translating("reading the stored offsets"):
        found = connection.execute(statement("stored_positions"), {"topic": topic})
        return [Position(*row) for row in found]


def actions_on(connection: Connection, topic: str | None, rows_max: int) -> list[Row]:
    """What operators decided about a topic (None: about anything), the newest first."""
    with translating("reading the operators' actions"):
        return rows(connection, "actions_on_topic", topic=topic, rows_max=rows_max)


def adopt(
    connection: Connection, topic: Topic, seen: Position, first_offset: int, why: str, operator: str
) -> None:
    """Give up a position: close its ledger and begin another at `first_offset` of this topic.

    Raises TemporaryError where the position is not the one that was seen any more.
    """
    with _locked(connection, topic.name, seen):
        action_id = _record(
            connection,
            action="adopt",
            topic=topic.name,
            partition=seen.partition,
            first_offset=seen.first_offset,
            next_offset=seen.next_offset,
            detail={
                "first_offset": first_offset,
                "topic_id": {"was": seen.topic_id, "is": topic.topic_id},
                "cluster_id": {"was": seen.cluster_id, "is": topic.cluster_id},
            },
            why=why,
            operator=operator,
        )
        where = {"topic": topic.name, "partition": seen.partition}
        connection.execute(statement("close_ledger"), {**where, "action_id": action_id})
        connection.execute(
            statement("begin_ledger"),
            {
                **where,
                "first_offset": first_offset,
                "topic_id": topic.topic_id,
                "cluster_id": topic.cluster_id,
            },
        )


def accept_gap(
    connection: Connection, topic: str, seen: Position, next_offset: int, why: str, operator: str
) -> None:
    """Move a position over offsets that the topic does not hold any more.

    Raises TemporaryError where the position is not the one that was seen any more.
    """
    with _locked(connection, topic, seen):
        _record(
            connection,
            action="accept_gap",
            topic=topic,
            partition=seen.partition,
            first_offset=seen.next_offset,
            next_offset=next_offset,
            detail={"offsets": next_offset - seen.next_offset},
            why=why,
            operator=operator,
        )
        gap = {
            "topic": topic,
            "topic_id": seen.topic_id,
            "partition": seen.partition,
            "first_offset": seen.next_offset,
            "next_offset": next_offset,
        }
        connection.execute(statement("record_gap"), gap)
        connection.execute(statement("skip_gap"), gap)


@contextlib.contextmanager
def _locked(connection: Connection, topic: str, seen: Position) -> Iterator[None]:
    with translating("changing a stored offset"), connection.transaction():
        connection.execute(statement("lock_refresh"))
        row = connection.execute(
            statement("lock_position"), {"topic": topic, "partition": seen.partition}
        ).fetchone()
        if row is None or Position(*row) != seen:
            raise TemporaryError(
                f"{topic}[{seen.partition}] has moved since it was looked at; look again"
            )
        yield


def _record(connection: Connection, *, detail: dict[str, Any], **what: object) -> int:
    row = connection.execute(
        statement("record_action"), {**what, "detail": Jsonb(detail)}
    ).fetchone()
    return int(row[0]) if row else 0
