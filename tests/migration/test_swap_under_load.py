"""Nobody who reads the old name notices that it changes hands."""

import time

from tests.migration.reading import Readers
from tests.migration.test_cutover import done

RATE = 200


def test_no_read_fails_while_the_name_changes_hands_and_back(replayed_url: str) -> None:
    with Readers(replayed_url, RATE) as readers:
        for _ in range(3):
            time.sleep(0.3)
            done("cutover", "--yes")
            time.sleep(0.3)
            done("rollback", "--yes")
    assert readers.failed == []
    assert len(readers.reads) > 300
    # Far above what is measured (docs/migration.md): it must not fail on a busy machine.
    assert readers.longest_seconds() < 5.0
