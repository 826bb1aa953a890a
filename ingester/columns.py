"""Identities and times, a column at a time: text to numbers with array operations. Pure.

The texts of a column lie in one buffer, each from a start to an end. `identities` and `times` read
what nearly every producer writes, exactly, and say which entries they did not read; whoever calls
them asks a slower judge about these. That both agree is held by property tests.
"""

from binascii import unhexlify
from collections.abc import Sequence
from typing import Any, Final

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
_SECOND: Final = np.frombuffer(b"0000-00-00T00:00:00", np.uint8)
_OFFSET: Final = np.frombuffer(b"+00:00", np.uint8)
_FRACTIONS: Final = [np.frombuffer(b"." + b"0" * digits, np.uint8) for digits in range(1, 10)]
"""What stands in a time, one behind the other; "0" stands for a digit, + for + or -."""

_LOOKS_MAX: Final = 1_000
"""Where the first character stands this often, it is no longer rare: look for the whole word."""


class Buffer:
    """Texts that lie one after the other, and what stands at many places of them at once."""

    _PADDING: Final = 512
    """Behind the last text, so that no window that begins inside reaches beyond."""

    def __init__(self, characters: npt.NDArray[np.uint8]) -> None:
        self.characters = characters

    @classmethod
    def empty(cls, size: int) -> "Buffer":
        """Room for so many bytes, to be laid down."""
        return cls(np.empty(size + cls._PADDING, np.uint8))

    @classmethod
    def around(cls, *texts: bytes | memoryview) -> "Buffer":
        """Lay texts one behind the other."""
        return cls(np.frombuffer(b"".join((*texts, bytes(cls._PADDING))), np.uint8))

    @classmethod
    def of(cls, texts: Sequence[bytes | memoryview]) -> tuple["Buffer", Positions, Positions]:
        """Lay texts one behind the other; returns also where each starts and ends."""
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        ends = np.cumsum(sizes)
        return cls.around(*texts), ends - sizes, ends

    @classmethod
    def encoded(cls, texts: Sequence[str]) -> tuple["Buffer", Positions, Positions]:
        """The same of texts in UTF-8."""
        joined = "".join(texts)
        if not joined.isascii():
            return cls.of([text.encode() for text in texts])
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        ends = np.cumsum(sizes)
        return cls.around(joined.encode()), ends - sizes, ends

    def windows(self, starts: Positions, length: int) -> npt.NDArray[np.bytes_]:
        """(N,) strings of `length` bytes from each start on."""
        return self._everywhere(f"S{length}")[starts]

    def lay(self, starts: Positions, pieces: npt.NDArray[np.void]) -> None:
        """Write pieces of one length, one from each start on; or the same one from all of them."""
        plain = f"V{pieces.dtype.itemsize}"
        self._everywhere(plain)[starts] = pieces.view(plain)

    def _everywhere(self, dtype: str) -> npt.NDArray[Any]:
        """What begins at every byte."""
        size = len(self.characters) - np.dtype(dtype).itemsize
        return np.ndarray((size,), dtype, self.characters, strides=(1,))


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
    found, read = _seconds(buffer, starts)
    found *= 1_000_000
    behind = starts + len(_SECOND)
    is_utc = buffer.characters[ends - 1] == ord("Z")
    left = ends - behind - np.where(is_utc, 1, len(_OFFSET))
    read &= left >= 0
    elsewhere = np.flatnonzero(read & ~is_utc)
    if len(elsewhere):
        offset_us, are_offsets = _offsets(buffer, ends[elsewhere] - len(_OFFSET))
        found[elsewhere] -= offset_us
        read[elsewhere] &= are_offsets
    for shape in _FRACTIONS:
        places = np.flatnonzero(left == len(shape))
        if len(places):
            fraction_us, are_fractions = _fractions(buffer, behind[places], shape)
            found[places] += fraction_us
            read[places] &= are_fractions
    read &= (left == 0) | (left > 1) & (left <= len(_FRACTIONS[-1]))
    return found, read


def _seconds(buffer: Buffer, starts: Positions) -> tuple[Positions, Flags]:
    """The seconds from 2000 on of what begins with a date and a time of day."""
    numbers, read = _numbers(buffer, starts, _SECOND)
    century, year, month, day, hour, minute, second = numbers
    read &= (century == _CENTURY) & (month >= 1) & (month <= 12)
    months = np.where(read, year * 12 + month - 1, 0)
    read &= (day >= 1) & (day <= _MONTH_DAYS[months])
    read &= (hour <= 23) & (minute <= 59) & (second <= 59)
    minutes = ((_MONTH_STARTS[months] + day - 1) * 24 + hour) * 60 + minute
    return minutes * np.int64(60) + second, read


def _offsets(buffer: Buffer, starts: Positions) -> tuple[Positions, Flags]:
    """The µs by which a time of day is ahead of UTC, of what begins with +hh:mm or -hh:mm."""
    (hours, minutes), read = _numbers(buffer, starts, _OFFSET)
    signs = buffer.characters[starts]
    is_behind = signs == ord("-")
    read &= (is_behind | (signs == ord("+"))) & (hours <= 23) & (minutes <= 59)
    return np.where(is_behind, -60_000_000, 60_000_000) * (hours * 60 + minutes), read


def _fractions(
    buffer: Buffer, starts: Positions, shape: npt.NDArray[np.uint8]
) -> tuple[Positions, Flags]:
    """The µs of what begins with a fraction of a second of that many digits."""
    characters, read = _alike(buffer, starts, shape)
    fraction = np.zeros(len(starts), np.int64)
    for digit in characters[1:7]:
        fraction = fraction * 10 + (digit - _ZERO)
    return fraction * 10 ** max(7 - len(shape), 0), read


def _numbers(
    buffer: Buffer, starts: Positions, shape: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int32], Flags]:
    """The two-digit numbers of texts of one shape, a row for each number."""
    characters, read = _alike(buffer, starts, shape)
    digits = characters[shape == _ZERO] - _ZERO
    return digits[0::2].astype(np.int32) * 10 + digits[1::2], read


def _alike(
    buffer: Buffer, starts: Positions, shape: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], Flags]:
    """The characters of texts, a row for each of the shape's; and which texts have the shape."""
    characters = buffer.windows(starts, len(shape)).view(np.uint8).reshape(-1, len(shape)).T.copy()
    is_digit, is_fixed = shape == _ZERO, (shape != _ZERO) & (shape != ord("+"))
    # Below "0" it wraps around: above nine all the same.
    read: Flags = (characters[is_digit] - _ZERO <= 9).all(axis=0)
    read &= (characters[is_fixed] == shape[is_fixed, np.newaxis]).all(axis=0)
    return characters, read


def count(text: bytes, character: bytes) -> int:
    """How often a character stands in a long text; `bytes.count` is slow where it stands often."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(character)))


def holds(text: bytes, word: bytes) -> bool:
    """Whether a word stands in a long text that has its first character hardly ever."""
    at = -1
    for _ in range(_LOOKS_MAX):
        at = text.find(word[:1], at + 1)
        if at < 0:
            return False
        if text.startswith(word, at):
            return True
    return text.find(word, at) >= 0
