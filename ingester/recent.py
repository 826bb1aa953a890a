"""Which events a worker has met lately: a hint that says which rows may be in the table already.

COPY ends at the first row that exists, and asking the index about every row makes all of them
dearer. But repeats come soon after what they repeat (a producer's retry), and of the same campaign,
so to the same worker: it remembers the last million identities, takes what it remembers through the
staging table, and copies the rest. An event newer than all that came from its partition repeats
none of them, and is not even looked for. What it has forgotten, or another worker has written, is
found by the unique index, as ever. Pure; only ever a hint.
"""

import threading
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_SLOTS: Final = 2**21
"""Of 4 bytes, twice: 16 MiB. Half of them filled, a look takes 1.5 steps."""
REMEMBERED_MIN: Final = _SLOTS // 2
_BEFORE_ALL: Final = -(2**63)
_SLOT_MASK: Final = _SLOTS - 1
_SLOT: Final = np.uint64(_SLOT_MASK)
# Odd constants with well-mixed bits: the multipliers of splitmix64 (Steele, Lea, Flood, "Fast
# Splittable Pseudorandom Number Generators", 2014) and of xxHash.
_MULTIPLIERS: Final = tuple(
    np.uint64(number)
    for number in (
        0x9E3779B97F4A7C15,
        0xBF58476D1CE4E5B9,
        0x94D049BB133111EB,
        0xC2B2AE3D27D4EB4F,
    )
)


def hashes(
    event_ids: npt.NDArray[np.uint8],
    occurred_us: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int32],
) -> Hashes:
    """A hash of each event's identity, given by columns: id, time and campaign."""
    first, second, third, fourth = _MULTIPLIERS
    halves = np.ascontiguousarray(event_ids).view(np.uint64).reshape(-1, 2)
    mixed = (halves[:, 0] ^ halves[:, 1] * first) + occurred_us.view(np.uint64) * second
    mixed ^= keys.astype(np.uint64) * third
    mixed ^= mixed >> np.uint64(32)
    mixed *= fourth
    spread: Hashes = mixed ^ mixed >> np.uint64(29)
    return spread


class Recent:
    """Remembers at least the last `REMEMBERED_MIN` hashes, at most twice as many.

    Two open-addressed tables of 32-bit marks: where the younger one is half full, the older one is
    forgotten. Two identities are taken for one with a chance of some 2^-31.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._young = np.zeros(_SLOTS, np.uint32)
        self._old = np.zeros(_SLOTS, np.uint32)
        self._count = 0
        self._is_old_used = False
        self._newest: dict[int, int] = {}

    def newest(self, partition: int) -> int:
        """The time (µs) after which no event of a partition has been met: what is newer is new."""
        return self._newest.get(partition, _BEFORE_ALL)

    def has(self, wanted: Hashes) -> npt.NDArray[np.bool_]:
        """Which of them are remembered. Called by any thread, as `add` is."""
        slots, marks = _placed(wanted)
        with self._lock:
            found = _find(self._young, slots, marks)
            if self._is_old_used:
                found |= _find(self._old, slots, marks)
        return found

    def add(self, met: Hashes, newest: Mapping[int, int]) -> None:
        """Remember them, and the newest time of each partition among them."""
        for partition, time_us in newest.items():
            self._newest[partition] = max(time_us, self.newest(partition))
        slots, marks = _placed(met)
        with self._lock:
            if self._count + len(met) > REMEMBERED_MIN:
                self._young, self._old = self._old, self._young
                self._young[:] = 0
                self._count = 0
                self._is_old_used = True
            self._count += len(met)
            _put(self._young, slots, marks)


def _placed(met: Hashes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]:
    """Where the search for each begins, and what is looked for."""
    marks = (met >> np.uint64(32)).astype(np.uint32)
    marks |= np.uint32(1)  # zero is an empty slot
    return (met & _SLOT).astype(np.intp), marks


def _find(
    table: npt.NDArray[np.uint32], slots: npt.NDArray[np.intp], marks: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    standing = table.take(slots)
    found: npt.NDArray[np.bool_] = standing == marks
    looking = np.flatnonzero((standing != 0) & ~found)
    at = slots[looking]
    while len(looking):
        at = (at + 1) & _SLOT_MASK
        standing = table.take(at)
        same = standing == marks[looking]
        found[looking[same]] = True
        going_on = ~same & (standing != 0)
        looking, at = looking[going_on], at[going_on]
    return found


def _put(
    table: npt.NDArray[np.uint32], slots: npt.NDArray[np.intp], marks: npt.NDArray[np.uint32]
) -> None:
    while len(slots):
        free = np.flatnonzero(table.take(slots) == 0)
        table[slots[free]] = marks[free]
        # Of several that wanted one free slot the last has it; the others go on.
        going_on = np.flatnonzero(table.take(slots) != marks)
        slots, marks = (slots[going_on] + 1) & _SLOT_MASK, marks[going_on]
