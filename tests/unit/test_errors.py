"""Each error carries the exit code that DESIGN.md promises, and the tree says what to do."""

import inspect

import pytest

from ingester import errors
from ingester.errors import (
    CommitUnknown,
    DifferencesFound,
    IngesterError,
    InvalidEvent,
    NeedsAPerson,
    NotPermitted,
    OffsetGap,
    SettingsError,
    TemporaryError,
    UnhealthyStream,
    UsageError,
)

CODES = {
    IngesterError: 1,
    UsageError: 2,
    DifferencesFound: 3,
    TemporaryError: 75,
    CommitUnknown: 75,
    NotPermitted: 77,
    NeedsAPerson: 78,
    SettingsError: 78,
    OffsetGap: 78,
    UnhealthyStream: 78,
}


@pytest.mark.parametrize(("error", "code"), CODES.items())
def test_an_error_has_its_exit_code(error: type[IngesterError], code: int) -> None:
    assert error("what happened").exit_code == code
    assert str(error("what happened")) == "what happened"


def test_no_error_is_missing_here() -> None:
    defined = {
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, Exception)
    }
    assert defined == {*CODES, InvalidEvent}


def test_an_invalid_event_is_a_usage_error_that_knows_its_reason() -> None:
    error = InvalidEvent("invalid_value", "count: too small")
    assert (error.exit_code, error.reason_code) == (2, "invalid_value")
    assert str(error) == "invalid_value: count: too small"


def test_the_picture_in_the_docstring_shows_every_error() -> None:
    assert errors.__doc__ is not None
    assert all(error.__name__ in errors.__doc__ for error in (*CODES, InvalidEvent))


def test_only_what_passes_by_itself_is_tried_again() -> None:
    passing = {error for error in CODES if issubclass(error, TemporaryError)}
    assert passing == {TemporaryError, CommitUnknown}
