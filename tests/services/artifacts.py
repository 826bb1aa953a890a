"""The servers as files: Kafka's jars and PostgreSQL's binaries, brought by Maven, kept in a cache.

The cache is .local/artifacts, shared by `make up`, the tests and the benchmarks. A set of jars is
named after the content of pom.xml: versions never mix on one class path.
"""

import fcntl
import hashlib
import os
import platform
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.account import Account, reachable
from tests.services.errors import NoServices, ServiceError

POSTGRES_VERSIONS = ("15.19.0", "16.15.0", "17.11.0", "18.6.0")
"""The newest of each major version as Maven Central had them; the default is pom.xml's."""

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".local" / "artifacts"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}
_LOG_TAIL = 2_000


def default_postgres_version() -> str:
    """The version pom.xml names."""
    found = re.search(r"<postgres\.version>(.+?)<", POM.read_text())
    if found is None:
        raise ServiceError(f"{POM} names no postgres.version.")
    return found[1]


def kafka_jars(cache: Path = CACHE) -> Path:
    """The folder whose jars are the broker's class path."""
    return _jars(cache, default_postgres_version())


def postgres_home(version: str, account: Account | None, cache: Path = CACHE) -> Path:
    """The folder with bin/, lib/ and share/ of this version, where `account` can reach it."""
    jars = _jars(cache, version)
    home = reachable(cache, account) / f"postgres-{version}-{_postgres_platform()}"
    with _locked(cache):
        if not (home / "bin" / "postgres").exists():
            archive = jars / f"embedded-postgres-binaries-{_postgres_platform()}-{version}.jar"
            _unpack(archive, home)
    return home


def _jars(cache: Path, postgres_version: str) -> Path:
    jars = cache / f"jars-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    stamp = jars / f".complete-{_postgres_platform()}-{postgres_version}"
    with _locked(cache):
        if not stamp.exists():
            _maven_copy(jars, postgres_version)
            stamp.touch()
    return jars


def _maven_copy(jars: Path, postgres_version: str) -> None:
    command = [
        "mvn",
        "--quiet",
        "--batch-mode",
        f"--file={POM}",
        "dependency:copy-dependencies",
        f"-DoutputDirectory={jars}",
        f"-Dpostgres.version={postgres_version}",
        f"-Dpostgres.platform={_postgres_platform()}",
    ]
    if not os.access(Path.home(), os.W_OK):  # accounts without a home, such as nobody
        command.append(f"-Dmaven.repo.local={jars.parent / 'm2'}")
    ran = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode != 0:
        said = ran.stdout.decode(errors="replace")[-_LOG_TAIL:]
        raise ServiceError(f"Maven could not bring the servers (exit {ran.returncode}):\n{said}")


def _unpack(archive: Path, home: Path) -> None:
    """The artifact is a jar that holds one .txz. Unpacked beside its place, then renamed."""
    partial = home.with_name(f".partial-{os.getpid()}-{home.name}")
    with zipfile.ZipFile(archive) as jar:
        (inner,) = [name for name in jar.namelist() if name.endswith(".txz")]
        with jar.open(inner) as stream, tarfile.open(fileobj=stream, mode="r:xz") as tar:
            # Early 3.11 releases do not take extractall(filter=…) yet.
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
            tar.extractall(partial)  # noqa: S202  # filtered by the line above
    partial.chmod(0o755)
    partial.rename(home)


def _postgres_platform() -> str:
    machine = _MACHINES.get(platform.machine().lower())
    system = platform.system().lower()
    if machine is None or system not in {"linux", "darwin"}:
        raise NoServices(f"No PostgreSQL artifact for {platform.system()} on {platform.machine()}.")
    return f"{system}-{machine}"


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Sessions on one checkout take turns: Maven's repository is not safe for two writers."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
