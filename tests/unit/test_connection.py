"""PostgreSQL's errors become ours by SQLSTATE: the written list of RELIABILITY.md, trap 12."""

import psycopg
import pytest
from psycopg import errors as pg

from ingester.errors import (
    IngesterError,
    NeedsAPerson,
    NotPermitted,
    SettingsError,
    TemporaryError,
)
from ingester.settings import Settings
from ingester.store.connection import connect, translated, translating

TEMPORARY = {
    "08000": "connection exception",
    "08003": "connection does not exist",
    "08006": "connection failure",
    "08001": "cannot connect",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "53000": "insufficient resources",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock timeout",
    "55006": "object in use",
    "57P01": "admin shutdown",
    "57P02": "crash shutdown",
    "57P03": "cannot connect now",
    "57P04": "database dropped under us",
    "57P05": "idle session timeout",
    "57014": "cancelled, and not by us",
    "58030": "I/O error",
    "25006": "read-only: fail-over under way",
    "25P03": "idle in transaction timeout",
}
NOT_PERMITTED = {
    "28000": "invalid authorization",
    "28P01": "wrong password",
    "42501": "insufficient privilege",
}
NEEDS_A_PERSON = {
    "3D000": "no such database",
    "42P01": "no such table",
    "42883": "no such function",
    "42703": "no such column",
    "3F000": "no such schema",
}
LOUD = {
    "22001": "text too long",
    "22P02": "invalid text",
    "22P05": "untranslatable character",
    "23505": "unique violation",
    "23514": "check violation",
    "25P02": "in a failed transaction",
    "42601": "syntax error",
    "XX000": "internal error",
    "XX001": "data corrupted",
    "P0001": "raised by a function",
    "58P01": "undefined file",
    "0A000": "feature not supported",
}


def error_of(sqlstate: str, text: str) -> psycopg.Error:
    return pg.lookup(sqlstate)(text)


def kind_of(sqlstate: str) -> type[IngesterError]:
    return type(translated(error_of(sqlstate, "what the server said"), "copying"))


@pytest.mark.parametrize("sqlstate", TEMPORARY)
def test_a_fault_that_passes_is_temporary(sqlstate: str) -> None:
    assert kind_of(sqlstate) is TemporaryError


@pytest.mark.parametrize("sqlstate", NOT_PERMITTED)
def test_a_missing_right_is_told_as_such(sqlstate: str) -> None:
    assert kind_of(sqlstate) is NotPermitted


@pytest.mark.parametrize("sqlstate", NEEDS_A_PERSON)
def test_a_missing_schema_needs_a_person(sqlstate: str) -> None:
    assert kind_of(sqlstate) is NeedsAPerson


@pytest.mark.parametrize("sqlstate", ["42P01", "42883", "42703", "3F000"])
def test_a_missing_object_is_told_with_what_to_do(sqlstate: str) -> None:
    error = translated(error_of(sqlstate, "it is not there"), "reading")
    assert str(error).endswith("is the database migrated? Run: ingester migrate")


@pytest.mark.parametrize("sqlstate", LOUD)
def test_anything_else_stops_loudly(sqlstate: str) -> None:
    assert kind_of(sqlstate) is IngesterError


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError])
def test_a_broken_connection_has_no_sqlstate_and_is_temporary(error: type[psycopg.Error]) -> None:
    assert type(translated(error("server closed the connection"), "copying")) is TemporaryError


def test_a_wrong_call_has_no_sqlstate_and_stops_loudly() -> None:
    assert type(translated(psycopg.ProgrammingError("no"), "copying")) is IngesterError


def test_the_text_is_one_line_that_says_what_was_done_and_the_sqlstate() -> None:
    error = translated(error_of("53100", "disk full\nHINT: make room"), "writing a batch")
    assert str(error) == "writing a batch: disk full (SQLSTATE 53100)"


def test_the_words_of_the_server_decide_nothing() -> None:
    assert type(translated(error_of("23505", "deadlock detected"), "copying")) is IngesterError


def test_errors_leave_a_block_as_ours_with_their_cause() -> None:
    cause = error_of("40P01", "deadlock")
    with pytest.raises(TemporaryError) as raised, translating("copying"):
        raise cause
    assert raised.value.__cause__ is cause


def test_other_errors_leave_a_block_as_they_are() -> None:
    with pytest.raises(KeyError), translating("copying"):
        raise KeyError


def test_parameters_that_libpq_refuses_are_settings_and_an_unreachable_server_is_a_fault() -> None:
    def error_of(parameters: str) -> IngesterError:
        settings = Settings(_env_file=None, database_url=f"host=127.0.0.1 port=1 {parameters}")
        with pytest.raises(IngesterError) as raised:
            connect(settings, "test")
        return raised.value

    refused = error_of("sslmode=no-such-mode")
    assert isinstance(refused, SettingsError)
    assert "DATABASE_URL" in str(refused)
    assert isinstance(error_of("sslmode=verify-full"), TemporaryError)
