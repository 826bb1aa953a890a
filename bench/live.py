"""The system as in life: `ingester run`, `ingester refresh` and others, as processes."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

from bench.servers import Servers


def environment(where: Servers, database_url: str, topic: str, group: str) -> dict[str, str]:
    """What a process of ours needs to know; it logs warnings only."""
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": where.bootstrap,
        "KAFKA_TOPIC": topic,
        "KAFKA_GROUP_ID": group,
        "INGESTER_LOG_LEVEL": "warning",
    }


@contextlib.contextmanager
def running(module: str, *arguments: str, variables: Mapping[str, str]) -> Iterator[None]:
    """`python -m <module> …` while the block runs. Raises where it has ended before the block."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as process:
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError(f"{module} {' '.join(arguments)} ended: {process.returncode}")
        finally:
            process.terminate()
