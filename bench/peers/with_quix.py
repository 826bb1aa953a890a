"""`python -m bench.peers.with_quix`: Quix Streams' PostgreSQLSink, as its documentation uses it.

At least once, and idempotent by ON CONFLICT DO NOTHING: the sink writes what has come since the
last checkpoint in one transaction, then the offsets are committed to Kafka.
"""

import os

from psycopg.conninfo import conninfo_to_dict
from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

_CHECKPOINT_RECORDS = 10_000


def main() -> None:
    """Run until terminated."""
    where = conninfo_to_dict(os.environ["DATABASE_URL"])
    application = Application(
        broker_address=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        consumer_group=os.environ["KAFKA_GROUP_ID"],
        auto_offset_reset="earliest",
        commit_every=_CHECKPOINT_RECORDS,
        use_changelog_topics=False,
    )
    sink = PostgreSQLSink(
        host=str(where["host"]),
        port=int(str(where.get("port", 5432))),
        dbname=str(where["dbname"]),
        user=str(where["user"]),
        password=str(where.get("password", "")),
        table_name="peer_events",
        schema_auto_update=False,
        on_conflict_do_nothing=True,
        include_metadata=False,
    )
    topic = application.topic(os.environ["KAFKA_TOPIC"], value_deserializer="json")
    application.dataframe(topic).sink(sink)
    application.run()


if __name__ == "__main__":
    main()
