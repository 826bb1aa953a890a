"""Values that nobody thought of: the corpus, cut, spliced and spoiled at random, from a seed.

    python -m tests.mutation --cases 1000000

Each must be judged, by the fast path and by the slow one alike, without an exception; prints how
many came to which end. Values stay small: size has cases of its own in the corpus.
"""

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Final

from ingester.decoder import decode
from ingester.outcomes import Rejected
from ingester.store.rejects import reject_row
from ingester.strict import decode_strictly
from tests.hostile import ACCEPTED, Case, cases
from tests.record import FakeRecord, headers_of
from tests.unit.spelling import WINDOW

_LENGTH_MAX: Final = 2_000
_CHUNK: Final = 5_000
_TOKENS: Final = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\0", b"-", b"0", b"9", b"e"),
    *(b"\\u0000", b"\\ud800", b"\\udc00", b"\\u0022", b"null", b"true", b"NaN", b"1e400", b"1.0"),
    *(b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b"/**/"),
    *(b'"count":', b'"metadata":{', b'"correction":true', b'"event_id":', b"2147483648"),
    *(b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59Z", b"+24:00", b"T24:00:00", b"8ca3-9a17"),
)


class Disagreement(AssertionError):
    """Two ways to judge a value come to different ends, or one to none."""


def judged(seed: int, count: int) -> Counter[str]:
    """Judge `count` values drawn from a seed; returns how many came to which end.

    Raises Disagreement with the value.
    """
    chance = random.Random(seed)
    seeds = _seeds()
    ends: Counter[str] = Counter()
    for _ in range(count):
        case = chance.choice(seeds)
        value = case.value or b""
        for _ in range(chance.randint(1, 4)):
            value = _spoiled(chance, value, seeds)
        ends[_end(value, case)] += 1
    return ends


def _end(value: bytes, case: Case) -> str:
    record = FakeRecord(0, value, case.key, list(case.headers))
    headers = headers_of(record)
    try:
        (fast,) = decode([value], lambda _: headers, WINDOW)
        slow = decode_strictly(value, headers, WINDOW)
        if isinstance(slow, Rejected):
            reject_row(record, headers, slow)
    except Exception as error:
        raise Disagreement(f"{value!r}: {type(error).__name__}: {error}") from error
    if fast != slow:
        raise Disagreement(f"{value!r}: {fast} or {slow}")
    return str(slow.reason) if isinstance(slow, Rejected) else ACCEPTED


def _spoiled(chance: random.Random, value: bytes, seeds: Sequence[Case]) -> bytes:
    first = chance.randint(0, len(value))
    last = min(len(value), first + chance.choice((0, 1, 1, 2, 4, 16, 64)))
    match chance.randrange(5):
        case 0:
            middle = b""
        case 1:
            middle = chance.choice(_TOKENS)
        case 2:
            middle = value[first:last] * 2
        case 3:
            other = chance.choice(seeds).value or b""
            cut = chance.randint(0, len(other))
            middle = other[cut : cut + 64]
        case _:
            middle = bytes(each ^ (1 << chance.randrange(8)) for each in value[first:last])
    return (value[:first] + middle + value[last:])[:_LENGTH_MAX]


@cache
def _seeds() -> list[Case]:
    """What is spoiled: half of it valid, so that spoiling reaches the deeper checks."""
    small = [case for case in cases() if case.value and len(case.value) <= _LENGTH_MAX]
    accepted = [case for case in small if case.expected == ACCEPTED]
    return [*small, *(accepted * (len(small) // len(accepted)))]


def main(given: Sequence[str] | None = None) -> int:
    """Judge as many as are wanted, on all processors."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(given)
    chunks = range(-(-arguments.cases // _CHUNK))
    began = time.monotonic()
    ends: Counter[str] = Counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        seeds = [arguments.seed * 1_000_000 + chunk for chunk in chunks]
        for some in pool.map(judged, seeds, [_CHUNK] * len(chunks)):
            ends += some
    report = {"cases": ends.total(), "ends": dict(ends), "seconds": time.monotonic() - began}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
