"""A real Apache Kafka and a real PostgreSQL on any machine: demo, tests and benchmarks use them.

Looked for in this order, each of the two by itself (`origin.py`):

1. KAFKA_BOOTSTRAP_SERVERS / DATABASE_URL already set: used as they are, never started or stopped;
2. a Docker engine that answers: docker-compose.yml (`compose.py`), testcontainers in the tests;
3. JDK 17+ and Maven: `pom.xml` brings both servers as ordinary artifacts (`artifacts.py`), which
   then run as plain processes on the loopback (`kafka.py`, `postgres.py`, `server_process.py`);
4. none of these: one message that names the choices, exit code 78.

`python -m tests.services up` (= `make up`) keeps its notes under .local/ (`record.py`) and writes
.local/env; `down` stops exactly what `up` started. The tests use the classes directly:

    with LocalPostgres(directory, version="16.15.0") as postgres:
        psycopg.connect(postgres.url)

Standard library only: it runs before anything is installed. It must not know the ingester.
"""

from tests.services.errors import NoServices, ServiceError
from tests.services.kafka import LocalKafka
from tests.services.origin import Origin, choose
from tests.services.postgres import LocalPostgres

__all__ = ["LocalKafka", "LocalPostgres", "NoServices", "Origin", "ServiceError", "choose"]
