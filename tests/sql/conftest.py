"""Every test here starts from an empty history in a database of its own."""

from collections.abc import Iterator

import pytest

from tests.sql.history import History


@pytest.fixture
def history(database_url: str) -> Iterator[History]:
    """A history in which nothing has happened yet."""
    with History(database_url) as history:
        yield history
