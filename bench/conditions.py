"""What a figure is worth nothing without: commit, versions, hardware, settings, tables."""

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient

from bench.database import Database
from ingester.settings import load_settings

_CHECKOUT = Path(__file__).parents[1]
_MEASURED = ("ingester", "replay", "sql")
"""What a figure is about: it stands while nothing in these folders has changed."""
_LIBRARIES = ("confluent-kafka", "psycopg", "psycopg-binary", "orjson", "pydantic", "structlog")
_TABLES = ("campaign_events", "ingest_batches", "ingest_offsets", "campaign_daily_rollup")


def conditions(database: Database, bootstrap: str) -> dict[str, Any]:
    """Everything that stands beside a result; taken before the first measurement."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "commit": _commit(),
        "versions": _versions(database, bootstrap),
        "hardware": _hardware(),
        "server_settings": dict(database.rows("server_settings")),
        "ingester_settings": _ingester_settings(),
        "indexes": {
            table: [index for (index,) in database.rows("table_indexes", table=table)]
            for table in _TABLES
        },
    }


def contents(database: Database) -> dict[str, Any]:
    """Row counts and sizes of the tables that were measured."""
    return {"rows": database.record("table_rows"), "campaign_events": database.record("leaf_sizes")}


def _command() -> str:
    parts = Path(sys.argv[0]).relative_to(_CHECKOUT).with_suffix("").parts
    module = ".".join(part for part in parts if part != "__main__")
    return " ".join(["python", "-m", module, *sys.argv[1:]])


def _commit() -> dict[str, Any]:
    changed = _git("status", "--porcelain")
    measured = _git("status", "--porcelain", "--", *_MEASURED)
    return {
        "hash": _git("rev-parse", "HEAD"),
        "dirty": None if changed is None else bool(changed),
        "dirty_in_what_is_measured": None if measured is None else bool(measured),
    }


def _git(*arguments: str) -> str | None:
    """None outside a repository."""
    try:
        asked = subprocess.run(
            ["git", *arguments], cwd=_CHECKOUT, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def _versions(database: Database, bootstrap: str) -> dict[str, str]:
    return {
        "ingester": version("campaign-event-ingester"),
        "postgresql": database.value("server_version"),
        "kafka": _kafka_version(bootstrap),
        "python": platform.python_version(),
        **{library: version(library) for library in _LIBRARIES},
    }


def _kafka_version(bootstrap: str) -> str:
    """What the broker's API versions amount to, as kafka-python reads them."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        broker = admin.describe_cluster()["brokers"][0]["broker_id"]
        return ".".join(map(str, admin.get_broker_version_data(broker).broker_version))
    finally:
        admin.close()


def _hardware() -> dict[str, Any]:
    return {
        "processor": _first_match(r"model name\s*: (.+)", "/proc/cpuinfo") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_kib": int(_first_match(r"MemTotal:\s*(\d+)", "/proc/meminfo") or 0) or None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average_before": os.getloadavg(),
    }


def _first_match(pattern: str, file: str) -> str | None:
    try:
        found = re.search(pattern, Path(file).read_text(encoding="utf-8"))
    except OSError:
        return None
    return found[1] if found else None


def _ingester_settings() -> dict[str, Any]:
    """What the environment may have changed; nothing that is secret."""
    settings = load_settings().model_dump(mode="json")
    return {
        name: value
        for name, value in settings.items()
        if name.startswith("ingester_") or name == "kafka_conf"
    }
