"""`python -m bench.peers.with_faststream`: a batch subscriber that validates with pydantic.

At least once, and idempotent by ON CONFLICT DO NOTHING: the batch is acknowledged after its
transaction. A record that breaks the model stops the batch; nothing is kept of it.
"""

import asyncio
import os
from typing import Literal
from uuid import UUID

import psycopg
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker
from pydantic import AwareDatetime, BaseModel

from bench.statements import statement

_BATCH_ROWS = 1000
_INSERT = statement("peer_insert")
broker = KafkaBroker(os.environ["KAFKA_BOOTSTRAP_SERVERS"])


class Event(BaseModel):
    """The required fields of the contract."""

    event_id: UUID
    campaign_id: str
    event_type: Literal["sent", "opened", "clicked", "replied", "positive_reply", "bounced"]
    occurred_at: AwareDatetime


async def main() -> None:
    """Run until terminated."""
    connection = await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"])

    @broker.subscriber(  # type: ignore[untyped-decorator]
        os.environ["KAFKA_TOPIC"],
        group_id=os.environ["KAFKA_GROUP_ID"],
        auto_offset_reset="earliest",
        batch=True,
        max_records=_BATCH_ROWS,
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def write(events: list[Event]) -> None:
        await connection.cursor().executemany(_INSERT, [event.model_dump() for event in events])
        await connection.commit()

    await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(main())
