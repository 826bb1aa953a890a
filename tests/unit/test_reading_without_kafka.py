"""An application that reads statistics needs no Kafka client."""

import subprocess
import sys

READS = """
import sys
sys.modules["confluent_kafka"] = None  # as if it were not installed
from ingester.repository import AsyncPostgresRepository, NewEvent, PostgresRepository
"""


def test_the_repository_is_imported_where_there_is_no_kafka_client() -> None:
    subprocess.run([sys.executable, "-c", READS], check=True)
