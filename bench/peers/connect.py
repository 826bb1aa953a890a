"""Kafka Connect, standalone, with Debezium's JDBC sink: a connector's and a worker's settings.

At least once, and idempotent by upsert on the primary key. The topic's JSON has no schema, which
the sink needs: Connect's converter takes it from its settings. Schema evolution is off.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from bench.database import Database
from bench.servers import Servers
from bench.traffic import Traffic
from tests.services.toolchain import java

_BATCH_ROWS: Final = 5000
"""Of a poll and of a write; the default of both is 500."""
_FIELDS: Final = {
    "event_id": "io.debezium.data.Uuid",
    "campaign_id": None,
    "event_type": None,
    "occurred_at": "io.debezium.time.ZonedTimestamp",
}


@dataclass(frozen=True, slots=True)
class Connect:
    """A way to start it, as `peer` takes it; its settings are written into the folder."""

    jars: Path
    folder: Path
    where: Servers
    traffic: Traffic
    tasks: int
    unnest: bool

    def __call__(self, database: Database, group: str) -> Sequence[str]:
        """Write the settings; return the command."""
        worker, connector = (
            self.folder / f"{group}-{name}.properties" for name in ("worker", "connector")
        )
        worker.write_text(_properties(self._worker(group)), encoding="utf-8")
        connector.write_text(_properties(self._connector(database, group)), encoding="utf-8")
        return (
            *(java(), "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"),
            *("-cp", f"{self.jars}/*", "org.apache.kafka.connect.cli.ConnectStandalone"),
            *(str(worker), str(connector)),
        )

    def _worker(self, group: str) -> dict[str, str]:
        fields = [
            {"field": field, "type": "string"} | ({"name": name} if name else {})
            for field, name in _FIELDS.items()
        ]
        return {
            "bootstrap.servers": self.where.bootstrap,
            "listeners": "http://127.0.0.1:0",
            "offset.storage.file.filename": str(self.folder / f"{group}.offsets"),
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schema.content": json.dumps({"type": "struct", "fields": fields}),
            "plugin.discovery": "only_scan",
        }

    def _connector(self, database: Database, group: str) -> dict[str, str]:
        address = conninfo_to_dict(database.url)
        # Without UNNEST the driver is to make one INSERT of many rows of each batch.
        url = (
            f"jdbc:postgresql://{address['host']}:{address.get('port', 5432)}/{address['dbname']}"
            "?reWriteBatchedInserts=true"
        )
        return {
            "name": group,
            "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
            "tasks.max": str(self.tasks),
            "topics": self.traffic.topic,
            "connection.url": url,
            "connection.username": str(address["user"]),
            "connection.password": str(address.get("password", "")),
            "collection.name.format": "peer_events",
            "insert.mode": "upsert",
            "primary.key.mode": "record_value",
            "primary.key.fields": "occurred_at,campaign_id,event_id",
            "schema.evolution": "none",
            "dialect.postgres.unnest.insert.enabled": str(self.unnest).lower(),
            "batch.size": str(_BATCH_ROWS),
            "consumer.override.max.poll.records": str(_BATCH_ROWS),
            "consumer.override.auto.offset.reset": "earliest",
        }


def _properties(values: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
