r"""The yardstick: `psql \copy` of a file, PostgreSQL's own client and its own bulk load.

What is timed is the COPY with its COMMIT, as psql's \timing tells it: neither psql's start nor its
login, so that the comparison is hard on us. The file has been read once before, so that it comes
from memory, as Kafka's log does.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from bench import report
from ingester.binary_copy import COLUMNS

_COLUMNS = ", ".join(COLUMNS)
_NEEDS_A_PERSON = 78  # the exit code of DESIGN.md for what somebody has to decide


def find_psql() -> None:
    """See that psql is there; as root on Debian or Ubuntu, install it and say so."""
    if not shutil.which("psql") and os.geteuid() == 0 and shutil.which("apt-get"):
        report.say("Missing: psql. Installing postgresql-client with apt-get.")
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", "postgresql-client")
    if not shutil.which("psql"):
        report.say("The bench compares with psql: install PostgreSQL's client.")
        raise SystemExit(_NEEDS_A_PERSON)


def _apt_get(*arguments: str) -> None:
    """What is still missing after a failure is told afterwards."""
    subprocess.run(
        ["apt-get", "-qq", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )


def load(
    database_url: str,
    file: Path,
    form: str = "text",
    into: str = f"campaign_events ({_COLUMNS})",
) -> float:
    """Copy a file of that format into the table and columns; returns seconds."""
    with file.open("rb") as text:
        while text.read(1 << 20):
            pass
    said = _psql(database_url, "\\timing on", f"\\copy {into} FROM '{file}' (FORMAT {form})")
    found = re.search(r"^COPY \d+\nTime: ([\d.]+) ms", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"psql told no time: {said}")
    return float(found[1]) / 1000


def version() -> str:
    """Of psql, which need not be the server's."""
    said = subprocess.run(["psql", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[2]


def major_version() -> int:
    """Of pg_dump, which must not be older than the server."""
    said = subprocess.run(["pg_dump", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)", said.stdout)
    return int(found[1]) if found else 0


def back_up(database_url: str, file: Path, *tables: str) -> float:
    """Dump in pg_dump's own compressed format, only or but for some tables; returns seconds."""
    return _timed("pg_dump", "--format=custom", f"--file={file}", *tables, database_url)


def restore(database_url: str, file: Path) -> float:
    """Restore into an empty database; returns seconds."""
    return _timed("pg_restore", "--no-owner", "--exit-on-error", "-d", database_url, str(file))


def _timed(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _psql(database_url: str, *commands: str) -> str:
    arguments = (word for command in commands for word in ("--command", command))
    ran = subprocess.run(
        ["psql", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", database_url, *arguments],
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"psql: {ran.stderr.strip()}")
    return ran.stdout
