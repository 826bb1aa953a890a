"""The fake store keeps the promises of the real one."""

import pytest

from tests.contract.memory_store import MemoryDatabase
from tests.contract.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    """In memory."""

    @pytest.fixture
    def backend(self) -> MemoryDatabase:
        return MemoryDatabase()
