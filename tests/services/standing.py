"""The standing services of this checkout: what `make up` starts and `make down` stops.

State lives under .local/: services.json (record.py), env (to be sourced), log/, the servers' data.
One lock makes concurrent calls take turns.
"""

import fcntl
import os
import shlex
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGINT, SIGTERM

from tests.services import account, artifacts, compose, given, origin, record, toolchain
from tests.services.kafka import LocalKafka
from tests.services.origin import Origin
from tests.services.postgres import DATABASE, USER, LocalPostgres
from tests.services.record import Entry
from tests.services.server_process import ServerProcess

LOCAL = Path(__file__).parents[2] / ".local"
_RECORD = LOCAL / "services.json"
_ENV = LOCAL / "env"
_LOG = LOCAL / "log"
_VARIABLES = {"kafka": origin.KAFKA, "postgres": origin.POSTGRES}
_TITLES = {"kafka": "Kafka", "postgres": "PostgreSQL"}
_STOP_SIGNALS = {"kafka": SIGTERM, "postgres": SIGINT}
_STOP_SECONDS = 30.0


def up() -> dict[str, str]:
    """Start what is needed, both at once, and write .local/env. Returns variable → value."""
    with _turn():
        entries = record.read(_RECORD)
        _disown(entries)
        install_tools()
        with ThreadPoolExecutor(len(_VARIABLES)) as pool:
            started = {name: pool.submit(_up_one, name, entries) for name in _VARIABLES}
        try:
            values = {_VARIABLES[name]: future.result() for name, future in started.items()}
        finally:
            record.write(_RECORD, entries)  # also what did start, when the other did not
        _ENV.write_text(
            "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
        )
    return values


def down() -> None:
    """Stop exactly what `up` started. The data stays."""
    with _turn():
        entries = record.read(_RECORD)
        for name, entry in entries.items():
            if entry.origin == Origin.DOCKER.name:
                compose.down(name)
                _say(name, "stopped")
            elif (process := entry.process(_TITLES[name])) is not None:
                process.stop(_STOP_SIGNALS[name], _STOP_SECONDS)
                _say(name, "stopped")
            entries[name] = replace(entry, pid=None, started="")
        record.write(_RECORD, entries)
        _ENV.unlink(missing_ok=True)


def clean() -> None:
    """Stop, then remove all data, logs and downloaded binaries, wherever they had to be put."""
    down()
    for directory in (LOCAL / "kafka", LOCAL / "postgres", artifacts.CACHE, LOCAL):
        account.forget(directory)


def install_tools() -> None:
    """Java and Maven, only where a service is neither given nor to be had from Docker."""
    if not compose.answers() and not all(
        os.environ.get(variable) for variable in _VARIABLES.values()
    ):
        toolchain.install_missing()


def _up_one(name: str, entries: dict[str, Entry]) -> str:
    """Start one service unless it runs; update its entry; return its address."""
    variable, entry = _VARIABLES[name], entries.get(name)
    if entry is not None and (os.environ.get(variable) is None) and entry.process(_TITLES[name]):
        _say(name, f"runs already at {entry.url}")
        return entry.url
    begun = time.monotonic()
    chosen = origin.choose(variable, docker=compose.answers)
    if chosen is Origin.GIVEN:
        value = os.environ[variable]
        given.check(variable, value)
        _say(name, f"as given by {variable}")
        return value
    ports = entry.ports if entry else ()
    entries[name] = _in_docker(name) if chosen is Origin.DOCKER else _as_process(name, ports)
    _say(name, f"at {entries[name].url} after {time.monotonic() - begun:.1f} s ({chosen.value})")
    return entries[name].url


def _in_docker(name: str) -> Entry:
    address = compose.up(name)
    url = f"postgresql://{USER}@{address}/{DATABASE}" if name == "postgres" else address
    return Entry(Origin.DOCKER.name, url)


def _as_process(name: str, ports: tuple[int, ...]) -> Entry:
    kept = [*ports, None, None]  # what is not kept is chosen anew
    log = _LOG / f"{name}.log"
    if name == "kafka":
        kafka = LocalKafka(
            LOCAL / name, port=kept[0], controller_port=kept[1], log=log, leashed=False
        )
        return _entry(kafka.start(), kafka.bootstrap, (kafka.port, kafka.controller_port))
    postgres = LocalPostgres(LOCAL / name, port=kept[0], log=log, leashed=False)
    return _entry(postgres.start(), postgres.url, (postgres.port,))


def _entry(process: ServerProcess, url: str, ports: tuple[int, ...]) -> Entry:
    return Entry(Origin.MAVEN.name, url, ports, process.pid, process.started)


def _disown(entries: dict[str, Entry]) -> None:
    """A shell that sourced .local/env names our own services: that does not make them given."""
    for name, entry in entries.items():
        if os.environ.get(_VARIABLES[name]) == entry.url:
            del os.environ[_VARIABLES[name]]


def _say(name: str, what: str) -> None:
    # One write: two threads may speak at once.
    sys.stdout.write(f"{_TITLES[name]:<10}  {what}\n")
    sys.stdout.flush()


@contextmanager
def _turn() -> Iterator[None]:
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
