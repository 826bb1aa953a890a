"""A private PostgreSQL as a plain process: loopback only, any version Maven offers.

Durability stays as in production (fsync and synchronous_commit on): the tests kill this server and
the benchmarks measure it. It must not know who uses it or why.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.services import artifacts, wire
from tests.services.account import Account, reachable, unprivileged_account
from tests.services.errors import ServiceError
from tests.services.port import HOST, free_port
from tests.services.server_process import ServerProcess

USER = "postgres"
DATABASE = "ingester"
_START_SECONDS = 180.0
_STOP_SECONDS = 30.0
_SOCKET_PATH_MAX = 100  # sockaddr_un holds 104 to 108 bytes, by system
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
# No password: it listens on the loopback only and holds nothing but test data.
_INITDB = (
    "--username",
    USER,
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
)
_SETTINGS = {
    "listen_addresses": HOST,
    "max_connections": "200",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
}


class LocalPostgres:
    """`directory` holds everything of this server (its stand-in, as root under a closed folder)."""

    def __init__(
        self,
        directory: Path,
        *,
        version: str | None = None,
        port: int | None = None,
        log: Path | None = None,
        leashed: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            directory: made when missing; started again on its own data when not.
            version: of the Maven artifact, such as "16.15.0"; the one in pom.xml by default.
            port: kept while free, otherwise (and by default) chosen.
            log: what the server says, appended.
            leashed: whether it dies with this Python process.
            settings: server settings over the defaults.
        """
        self.directory = directory
        self.version = version or artifacts.default_postgres_version()
        self.port = free_port(port)
        self.log = log or directory / "postgres.log"
        self.process: ServerProcess | None = None
        self._leashed = leashed
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """A connection URL of the database `ingester`, as its superuser."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{DATABASE}"

    def start(self) -> ServerProcess:
        """Start, and return once it answers."""
        account = unprivileged_account()
        home = artifacts.postgres_home(self.version, account)
        place = reachable(self.directory, account)
        data = place / f"data-{self.version.partition('.')[0]}"
        if not (data / "PG_VERSION").exists():
            self._initialise(home, data, account)
        options = self._options(_socket_directory(place, account))
        self.process = ServerProcess.start(
            "PostgreSQL",
            [home / "bin" / "postgres", "-D", data, *options],
            log=self.log,
            account=account,
            environment=_environment(),
            leashed=self._leashed,
        )
        self.process.wait_until(
            lambda: wire.postgres_answers(self.port, USER, DATABASE), _START_SECONDS
        )
        return self.process

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """fast: sessions are ended and a checkpoint is written; immediate: as after a crash."""
        self._end(_SIGNALS[mode])

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children see that and end."""
        self._end(signal.SIGKILL)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and start on the same port and data."""
        self.stop(mode)
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop("immediate")

    def _end(self, sign: signal.Signals) -> None:
        if self.process is not None:
            self.process.stop(sign, _STOP_SECONDS)
            self.process = None

    def _options(self, sockets: Path | None) -> list[str]:
        settings = {
            "port": str(self.port),
            "unix_socket_directories": str(sockets or ""),
            **self._settings,
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _initialise(self, home: Path, data: Path, account: Account | None) -> None:
        """initdb, then the database, through single-user mode: no client is needed.

        Under another name until it is complete: an interrupted start is no obstacle to the next.
        """
        new = data.with_name(f"{data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        if account is not None:
            account.owns(new)
        # initdb's own sync is left out: a machine that crashes in this second starts over anyway.
        self._run([home / "bin" / "initdb", "-D", new, *_INITDB], b"", account)
        create = f'CREATE DATABASE "{DATABASE}"\n'.encode()
        self._run([home / "bin" / "postgres", "--single", "-D", new, "postgres"], create, account)
        new.rename(data)

    def _run(self, command: list[str | Path], typed: bytes, account: Account | None) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            ran = subprocess.run(
                command,
                input=typed,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                check=False,
            )
        if ran.returncode != 0:
            raise ServiceError(f"{Path(command[0]).name} failed; see {self.log}")


def _environment() -> dict[str, str]:
    """Without PG* and LC_*: the caller's connection and language must not shape the server."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "TMPDIR"}}
    return {**kept, "LC_ALL": "C"}


def _socket_directory(place: Path, account: Account | None) -> Path | None:
    """None where the path would be too long for a socket: TCP is enough then."""
    directory = place / "socket"
    if len(str(directory / ".s.PGSQL.65535.lock")) > _SOCKET_PATH_MAX:
        return None
    if account is not None:
        account.owns(directory)
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    return directory
