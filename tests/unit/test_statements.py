"""The named statements: each has a name of its own, and each name is used."""

import re
from collections import Counter
from pathlib import Path

import pytest

import ingester
import replay
from ingester.store import statements
from ingester.store.statements import about, sql_directory, statement, statement_files
from ingester.store.verification import CHECKS
from replay.store.generation import INDEXES

SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for package in (ingester, replay)
    for path in Path(package.__path__[0]).rglob("*.py")
)
COMPOSED = {f"verify_{check}" for check in CHECKS} | {f"index_{index}" for index in INDEXES}
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in statement_files()}
TEXT = "\n".join(TEXTS.values())
NAMES = re.findall(r"^-- name: (.*)$", TEXT, flags=re.MULTILINE)


def test_every_name_is_one_plain_word_and_stands_once() -> None:
    assert all(re.fullmatch(r"[a-z_]+", name) for name in NAMES)
    assert [name for name, times in Counter(NAMES).items() if times > 1] == []


@pytest.mark.parametrize("file", TEXTS)
def test_nothing_but_comments_stands_before_the_first_name(file: str) -> None:
    before = TEXTS[file].partition("-- name:")[0]
    assert all(not line or line.startswith("--") for line in before.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_can_be_asked_for_and_says_something(name: str) -> None:
    text = statement(name).as_string(None)
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    assert code.strip()
    assert not text.endswith(";"), "one statement needs no end, and EXPLAIN could not take it"
    assert "-- name:" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_is_used(name: str) -> None:
    assert f'"{name}"' in SOURCE or name in COMPOSED


def test_every_statement_that_is_used_exists() -> None:
    used = set(re.findall(r'\b(?:statement|about|about_legacy)\(\s*"(\w+)"', SOURCE))
    assert used
    assert used <= set(NAMES)


@pytest.mark.parametrize("file", TEXTS)
def test_the_opening_comment_of_a_file_is_part_of_no_statement(file: str) -> None:
    # The one before it would end with it, and whatever stands in braces there would be a parameter.
    opening = TEXTS[file].splitlines()[0]
    assert [name for name in NAMES if opening in statement(name).as_string(None)] == []


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        statement("no_such_statement")


def test_names_of_tables_are_quoted() -> None:
    text = about("lock_leaf", leaf='a"; DROP TABLE b; --').as_string(None)
    assert '"a""; DROP TABLE b; --"' in text


def test_the_sql_files_are_where_the_package_is() -> None:
    assert sql_directory().name == "sql"
    assert list(sql_directory().glob("migrations/0001_*.sql"))
    assert Path(statements.__file__).is_relative_to(sql_directory().parent)
