"""Every value of the hostile corpus gets its one reason code, by the fast path and by the slow."""

from collections import Counter

import pytest

from ingester.decoder import decode
from ingester.outcomes import Reason, Rejected
from ingester.store.rejects import reject_row
from ingester.strict import decode_strictly
from tests.examples import FACTOR
from tests.hostile import ACCEPTED, Case, cases
from tests.mutation import judged
from tests.record import headers_of
from tests.unit.spelling import WINDOW

ALL = list(cases())
NO_FOLDER = {Reason.REFUSED_BY_DATABASE}
"""What no value that we know of leads to; see tests/corpus/README.md."""


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_each_value_is_judged_as_its_folder_says(case: Case) -> None:
    record = case.record()
    (outcome,) = decode([record.value()], lambda _: headers_of(record), WINDOW)
    assert outcome == decode_strictly(record.value(), headers_of(record), WINDOW)
    found = str(outcome.reason) if isinstance(outcome, Rejected) else ACCEPTED
    assert found == case.expected, getattr(outcome, "detail", "")
    if isinstance(outcome, Rejected):
        assert outcome.detail.isascii()
        assert reject_row(record, headers_of(record), outcome)["reason_code"] == case.expected


def test_there_are_enough_and_every_reason_has_five() -> None:
    counts = Counter(case.expected for case in ALL)
    assert counts.keys() == {str(reason) for reason in set(Reason) - NO_FOLDER} | {ACCEPTED}
    assert min(counts.values()) >= 5
    assert counts.total() - counts[ACCEPTED] >= 300


def test_no_two_files_hold_the_same_record() -> None:
    held = Counter((case.value, case.key, case.headers) for case in ALL)
    assert [value[:80] if value else value for (value, _, _), n in held.items() if n > 1] == []


def test_values_are_judged_in_one_batch_as_they_are_alone() -> None:
    together = decode([case.value for case in ALL], lambda at: ALL[at].headers, WINDOW)
    found = [str(out.reason) if isinstance(out, Rejected) else ACCEPTED for out in together]
    assert found == [case.expected for case in ALL]


@pytest.mark.parametrize("seed", range(4))
def test_values_that_nobody_thought_of_are_judged_alike_by_both_paths(seed: int) -> None:
    ends = judged(seed, 5_000 * FACTOR)
    assert ends[ACCEPTED] > 0
    assert len(ends) >= 9, "mutations reach most of the checks"
