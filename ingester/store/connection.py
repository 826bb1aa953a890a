"""Connections with bounded waits, and PostgreSQL's errors as ours, by SQLSTATE.

Classes that pass by themselves are retried for as long as they last: 08 (connection), 40
(rollback), 53 (resources), 55P03 (lock timeout), 57P01 to 57P05 and a 57014 that nobody here asked
for (shutdown, timeouts), 58030 (I/O), 25006 (a read-only server: fail-over under way), 25P03 and
25P04 (too long idle or open in a transaction). 28 and 42501 are logins and privileges. 42P01, 42883
and 3F000 mean that the schema is not there. Anything else is unexpected and stops loudly.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import conninfo, pq

from ingester.errors import (
    IngesterError,
    NeedsAPerson,
    NotPermitted,
    SettingsError,
    TemporaryError,
)
from ingester.settings import Settings, is_loopback
from ingester.store.login import refusal
from ingester.store.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]

_TAKEOVERS_PER_LOCK_WAIT: Final = 4
"""A wait for a lock lasts long enough to end who holds it, for what it did to roll back, and for a
second attempt at both."""

_TEMPORARY_CLASSES: Final = ("08", "40", "53")
_TEMPORARY: Final = {
    *("55P03", "55006", "57P01", "57P02", "57P03", "57P04", "57P05"),
    *("57014", "58030", "25006", "25P03", "25P04"),
}
_NO_SCHEMA: Final = {"42P01", "42883", "3F000", "42703"}


def translated(error: psycopg.Error, what: str) -> IngesterError:
    """Our error for one of PostgreSQL's; `what` says what was being done."""
    state = error.sqlstate
    first_line = str(error).strip().partition("\n")[0]
    text = f"{what}: {first_line}" + (f" (SQLSTATE {state})" if state else "")
    if state is None:
        # No SQLSTATE: the connection failed or broke, or libpq refused the call.
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return TemporaryError(text)
        return IngesterError(text)
    if state.startswith("28") or state == "42501":
        return NotPermitted(text)
    if state == "3D000":
        return NeedsAPerson(text)
    if state in _NO_SCHEMA:
        return NeedsAPerson(f"{text}; is the database migrated? Run: ingester migrate")
    if state.startswith(_TEMPORARY_CLASSES) or state in _TEMPORARY:
        return TemporaryError(text)
    return IngesterError(text)


@contextlib.contextmanager
def translating(what: str) -> Iterator[None]:
    """Let psycopg's errors leave the block as ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error, what) from error


def connect(
    settings: Settings,
    application_name: str,
    statement_seconds_max: float | None = None,
    *,
    reads_only: bool = False,
) -> Connection:
    """Open a connection in autocommit mode with UTC, keepalives and bounded waits.

    `reads_only`: PostgreSQL refuses to write, whatever the login may do.
    Raises SettingsError for a malformed DATABASE_URL, NotPermitted for a refused login,
    TemporaryError where the server cannot be reached.
    """
    connection = _logged_in(**login_parameters(settings, application_name))
    with translating("setting up the session"):
        # As a statement and not as startup options, which poolers refuse.
        connection.execute(
            statement("set_up_session"), session_parameters(settings, statement_seconds_max)
        )
        if reads_only:
            connection.execute(statement("refuse_writes"))
    return connection


def login_parameters(settings: Settings, application_name: str) -> dict[str, Any]:
    """What psycopg's connect takes, for a connection of ours; raises SettingsError."""
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise SettingsError("DATABASE_URL: neither a libpq URL nor a list of key=value") from None
    _refuse_plaintext(settings, given)
    return {
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "client_encoding": "utf8",
        **given,
        "application_name": application_name,
        "autocommit": True,
        "prepare_threshold": 5 if settings.ingester_prepared_statements else None,
    }


def session_parameters(
    settings: Settings, statement_seconds_max: float | None = None
) -> dict[str, str]:
    """What the statement `set_up_session` takes."""
    limit_seconds = statement_seconds_max or settings.ingester_statement_seconds_max
    lock_seconds = _TAKEOVERS_PER_LOCK_WAIT * settings.ingester_takeover_seconds
    return {"limit_ms": str(int(limit_seconds * 1000)), "lock_ms": str(int(lock_seconds * 1000))}


def address(url: str) -> str:
    """What may be shown of DATABASE_URL: where it leads, never with what secret."""
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "neither a libpq URL nor a list of key=value"
    return " ".join(f"{name}={given[name]}" for name in _SHOWN if given.get(name))


_SHOWN: Final = (
    *("host", "hostaddr", "port", "user", "dbname", "sslmode", "sslrootcert", "service"),
    "target_session_attrs",
)


def _refuse_plaintext(settings: Settings, given: Mapping[str, Any]) -> None:
    """Libpq's default, `prefer`, goes on in plain text where the server (or anybody) says so."""
    mode = str(given.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer")
    if settings.ingester_allow_plaintext or mode not in {"disable", "allow", "prefer"}:
        return
    hosts = given.get("hostaddr") or os.environ.get("PGHOSTADDR")
    hosts = hosts or given.get("host") or os.environ.get("PGHOST") or ""
    for host in str(hosts).split(","):
        # A socket of this machine has a path, an abstract name, or no host at all.
        if host and host[0] not in "/@" and not is_loopback(host):
            raise SettingsError(
                f"DATABASE_URL: sslmode={mode} lets the connection to {host} be plain text; use "
                "sslmode=verify-full, or set INGESTER_ALLOW_PLAINTEXT=true where the network is "
                "trusted"
            )


def _logged_in(**parameters: Any) -> Connection:
    try:
        return psycopg.connect(**parameters)
    except psycopg.OperationalError as error:
        text = "PostgreSQL: " + str(error).strip().replace("\n", " ")
        # A server that accepts connections and yet refuses this one refuses the role, the password
        # or the database, unless it says that it is full.
        state = refusal(conninfo.make_conninfo(**_of_libpq(parameters)))
        if state is not None and (state.startswith(_TEMPORARY_CLASSES) or state in _TEMPORARY):
            raise TemporaryError(f"{text} (SQLSTATE {state})") from None
        known = {name: str(value) for name, value in parameters.items() if name in _PINGED}
        ping = pq.PGconn.ping(conninfo.make_conninfo(**known).encode())
        if ping == pq.Ping.OK:
            raise NotPermitted(text) from None
        if ping == pq.Ping.NO_ATTEMPT:  # libpq refuses its parameters; trying again is no use
            raise SettingsError(text.replace("PostgreSQL", "DATABASE_URL", 1)) from None
        raise TemporaryError(text) from None


def _of_libpq(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Without what psycopg itself takes."""
    ours = {"autocommit", "prepare_threshold"}
    return {name: value for name, value in parameters.items() if name not in ours}


_PINGED: Final = {"host", "hostaddr", "port", "sslmode", "sslrootcert", "service"}
