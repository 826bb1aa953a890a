"""Identities and times, a column at a time: text to numbers with array operations. Pure.

The texts of a column lie in one buffer, each from a start to an end. `identities` and `times` read
what nearly every producer writes, exactly, and say which entries they did not read; whoever calls
them asks a slower judge about these. That both agree is held by property tests.
"""

from binascii import unhexlify
from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]

_ID_CHARACTERS: Final = 36
_ID_HYPHENS: Final = (8, 13, 18, 23)

_CENTURY: Final = 20
# The first day of every month of the century, in days since 2000-01-01; one more tells lengths.
_MONTH_STARTS: Final = np.arange("2000-01", "2100-02", dtype="M8[M]").astype("M8[D]").view(
    np.int64
) - np.datetime64("2000-01-01", "D").view(np.int64)
_MONTH_DAYS: Final = np.diff(_MONTH_STARTS)
_ZERO: Final = np.uint8(ord("0"))
_SECOND: Final = "0000-00-00T00:00:00"
_OFFSET: Final = "+00:00"
_SHAPES: Final = [
    (_SECOND + fraction + offset, max(len(fraction) - 1, 0))
    for fraction, offset in product(("", *("." + "0" * n for n in range(1, 10))), ("Z", _OFFSET))
]
"""The times read here and their fraction's digits; "0" stands for a digit, + for + or -."""


class Buffer:
    """Texts that lie one after the other, and what stands at many places of them at once."""

    _PADDING: Final = bytes(512)
    """Behind the last text, so that no window that begins inside reaches beyond."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.text = b"".join((*texts, self._PADDING))
        self.characters: npt.NDArray[np.uint8] = np.frombuffer(self.text, np.uint8)

    @classmethod
    def of(cls, texts: Sequence[str]) -> tuple["Buffer", Positions, Positions]:
        """Lay texts one after the other; returns where each starts and ends."""
        joined = "".join(texts)
        if joined.isascii():
            sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        else:
            sizes = np.array([len(text.encode()) for text in texts], np.int64)
        ends = np.cumsum(sizes)
        return cls([joined.encode()]), ends - sizes, ends

    def windows(self, starts: Positions, length: int) -> npt.NDArray[np.bytes_]:
        """(N,) strings of `length` bytes from each start on."""
        at_all = np.ndarray((len(self.text) - length,), f"S{length}", self.text, strides=(1,))
        return at_all[starts]


def identities(
    buffer: Buffer, starts: Positions, ends: Positions
) -> tuple[npt.NDArray[np.uint8], Flags]:
    """UUIDs in their 36-character form, as (N, 16) bytes; and which ones were read."""
    read = ends - starts == _ID_CHARACTERS
    texts = buffer.windows(starts, _ID_CHARACTERS).tobytes()
    found = _hexadecimal(texts)
    if found is None:
        one_by_one = [
            _hexadecimal(texts[at : at + _ID_CHARACTERS])
            for at in range(0, len(texts), _ID_CHARACTERS)
        ]
        read &= np.array([identity is not None for identity in one_by_one], np.bool_)
        found = b"".join([identity or bytes(16) for identity in one_by_one])
    return np.frombuffer(found, np.uint8).reshape(-1, 16), read


def _hexadecimal(texts: bytes) -> bytes | None:
    """The bytes of UUIDs that stand one after the other; None where one of them is none."""
    count = len(texts) // _ID_CHARACTERS
    if any(texts[at::_ID_CHARACTERS] != b"-" * count for at in _ID_HYPHENS):
        return None
    digits = texts.translate(None, b"-")
    if len(digits) != 32 * count:
        return None
    try:
        return unhexlify(digits)
    except ValueError:
        return None


def times(buffer: Buffer, starts: Positions, ends: Positions) -> tuple[Positions, Flags]:
    """RFC 3339 times in µs since 2000-01-01, cut to the microsecond; and which ones were read.

    Read are the years 2000 to 2099, upper case, with up to nine digits of a second's fraction.
    """
    found = np.zeros(len(starts), np.int64)
    read = np.zeros(len(starts), np.bool_)
    lengths = ends - starts
    for length in set(lengths.tolist()):
        places = np.flatnonzero(lengths == length)
        for shape, fraction_digits in _SHAPES:
            if len(shape) == length and len(places):
                characters = buffer.windows(starts[places], length).view(np.uint8)
                found[places], read[places] = _times_alike(
                    characters.reshape(-1, length), shape, fraction_digits
                )
                places = places[~read[places]]
    return found, read


def _times_alike(
    characters: npt.NDArray[np.uint8], shape: str, fraction_digits: int
) -> tuple[Positions, Flags]:
    """Times of one shape; `characters` has a row for each."""
    columns = np.ascontiguousarray(characters.T)
    marks = np.frombuffer(shape.encode(), np.uint8)
    # Below "0" it wraps around: above nine all the same.
    digits = columns[marks == _ZERO] - _ZERO
    read: Flags = (digits <= 9).all(axis=0)
    fixed = (marks != _ZERO) & (marks != ord("+"))
    read &= (columns[fixed] == marks[fixed, np.newaxis]).all(axis=0)
    century, year, month, day, hour, minute, second = (
        digits[0:14:2].astype(np.int64) * 10 + digits[1:14:2]
    )
    read &= (century == _CENTURY) & (month >= 1) & (month <= 12)
    months = np.where(read, year * 12 + month - 1, 0)
    read &= (day >= 1) & (day <= _MONTH_DAYS[months])
    read &= (hour <= 23) & (minute <= 59) & (second <= 59)
    minutes = ((_MONTH_STARTS[months] + day - 1) * 24 + hour) * 60 + minute
    if shape.endswith(_OFFSET):
        sign, (hours, rest) = columns[-6], digits[-4::2].astype(np.int64) * 10 + digits[-3::2]
        read &= ((sign == ord("+")) | (sign == ord("-"))) & (hours <= 23) & (rest <= 59)
        minutes -= np.where(sign == ord("-"), -1, 1) * (hours * 60 + rest)
    fraction = np.zeros(len(characters), np.int64)
    for digit in digits[14:][: min(fraction_digits, 6)]:
        fraction = fraction * 10 + digit
    fraction *= 10 ** max(6 - fraction_digits, 0)
    return (minutes * 60 + second) * 1_000_000 + fraction, read


def count(text: bytes, character: bytes) -> int:
    """How often a character stands in a long text; `bytes.count` is slow where it stands often."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(character)))


def holds(text: bytes, word: bytes) -> bool:
    """Whether a word stands in a long text that has its first character hardly ever."""
    candidates = np.flatnonzero(np.frombuffer(text, np.uint8) == word[0])
    return any(text.startswith(word, at) for at in candidates.tolist())
