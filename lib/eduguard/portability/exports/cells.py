"""Process many CSV cells at once: their places, their words, and hash numbers of the words and of the cells' forms.

Equal words, and cells of the same form, have equal numbers. A number only says which cells are worth reading: their
text is compared afterwards.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Numbers = NDArray[np.uint64]
Flags = NDArray[np.bool_]

_QUOTE, _NEW_LINE, _HYPHEN = b'"\n-'
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
_MIXER, _HALF = np.uint64(0xD6E8FEB86659FD93), np.uint64(32)
_DIGITS, _LETTERS = b"0123456789", b"abcdefghijklmnopqrstuvwxyz"
_OTHERS = bytes(range(0x80, 0x100))
_UUID, _HYPHENS = 36, (8, 13, 18, 23)  # the length of a UUID in characters, and the places of its hyphens


def _table(*classes: tuple[bytes, bytes]) -> Numbers:
    """Return a number for each byte; each class gives its first bytes the numbers of its second; other bytes get 0."""
    drawn = np.random.default_rng(2026).integers(1, 1 << 63, 256, dtype=np.uint64)
    table = np.zeros(256, np.uint64)
    for members, same in classes:
        table[list(members)] = drawn[list(same)]
    return table


# Words consist of digits, letters (upper and lower case count as equal), and all bytes that are not ASCII.
_WORDS = _table((_DIGITS, _DIGITS), (_LETTERS, _LETTERS), (_LETTERS.upper(), _LETTERS), (_OTHERS, _OTHERS))
# Whether a cell contains a RUT or a telephone number depends on where its digits, letters and signs are, not on which
# ones they are; but a K may be a check digit.
_FORMS = _table(
    (bytes(range(256)), bytes(range(256))), (_DIGITS, b"0"), (_LETTERS + _LETTERS.upper() + b"_", b"a"), (b"kK", b"k")
)
_IS_WORD = bytes(map(bool, _WORDS))
_IS_END = bytes(byte in b",\n" for byte in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of a text, in their order."""

    starts: Places
    ends: Places
    numbers: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of CSV rows, in their order."""

    data: bytes
    array: NDArray[np.uint8]
    starts: Places
    ends: Places
    words: Words

    def of_words(self, chosen: Places | slice) -> Places:
        """Return for each of these words the cell that contains it."""
        return np.searchsorted(self.ends, self.words.starts[chosen])

    def read(self, cell: int) -> str:
        """Return the value of a cell; NULL is read as an empty text too."""
        found = self.data[self.starts[cell] : self.ends[cell]].removesuffix(b"\r")  # any other \r is within quotes
        if found.startswith(b'"'):
            found = found[1:-1].replace(b'""', b'"')
        return found.decode()

    def flag(self, cells: Places) -> Flags:
        """Return a flag for each cell, set for the given cells."""
        flags = np.zeros(len(self.ends), np.bool_)
        flags[cells] = True
        return flags

    def not_ascii(self) -> Flags:
        """Return for each cell whether it contains characters that are not ASCII."""
        if self.data.isascii():
            return np.zeros(len(self.ends), np.bool_)
        return self.flag(np.searchsorted(self.ends, np.flatnonzero(self.array >= _OTHERS[0])))

    def uuids(self) -> Flags:
        """Return for each cell whether it looks like a UUID."""
        found = np.flatnonzero(self.ends - self.starts == _UUID)
        for place in _HYPHENS:
            found = found[self.array[self.starts[found] + place] == _HYPHEN]
        return self.flag(found)

    def forms(self, cells: Places) -> Numbers:
        """Return a number for each of these cells; cells of the same form have the same number."""
        return _sum(_FORMS, self.array, self.starts[cells], self.ends[cells])


def split_rows(data: bytes) -> tuple[Flags, Places]:
    """Return the places where CSV cells end, and where complete rows end."""
    array = np.frombuffer(data, np.uint8)
    is_end: Flags = np.frombuffer(data.translate(_IS_END), np.bool_)
    if _QUOTE in data:  # no cell ends within quotes; a quote in a value is doubled
        is_end = is_end & (np.cumsum(array == _QUOTE, dtype=np.uint8) & 1 == 0)
    return is_end, np.flatnonzero(is_end & (array == _NEW_LINE))


def cells_of(data: bytes, is_end: Flags) -> Cells:
    """Return the cells of complete rows, given where they end."""
    ends = np.flatnonzero(is_end)
    return Cells(
        data=data,
        array=np.frombuffer(data, np.uint8),
        starts=np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1]),
        ends=ends,
        words=words_of(data),
    )


def words_of(data: bytes) -> Words:
    """Return the words of a text; its last character must not be part of a word."""
    inside = np.frombuffer(b"\0" + data.translate(_IS_WORD), np.bool_)
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2], edges[1::2]
    return Words(starts=starts, ends=ends, numbers=_sum(_WORDS, np.frombuffer(data, np.uint8), starts, ends))


def numbers_of(words: Iterable[str]) -> Numbers:
    """Return the numbers of these words."""
    return words_of("".join(f"{word}\n" for word in words).encode("utf-8", "surrogatepass")).numbers


class Few:
    """A small set of numbers: a look at the last bits excludes most numbers that are not in it."""

    def __init__(self, numbers: Numbers) -> None:
        """Keep the numbers."""
        self._numbers, self._ends = np.sort(numbers), np.zeros(1 << 16, np.bool_)
        self._ends[self._numbers.astype(np.uint16)] = True

    def places(self, numbers: Numbers) -> Places:
        """Return the places of the numbers that are in this set."""
        maybe = np.flatnonzero(self._ends[numbers.astype(np.uint16)])
        return maybe[np.isin(numbers[maybe], self._numbers)]


def _sum(table: Numbers, array: NDArray[np.uint8], starts: Places, ends: Places) -> Numbers:
    """Return a number for each part of a text, which does not depend on where the part is."""
    powers, inverse = _powers(1 << len(array).bit_length())
    sums = np.zeros(len(array) + 1, np.uint64)
    np.cumsum(np.take(table, array, mode="clip") * powers[: len(array)], out=sums[1:])
    found: Any = (sums[ends] - sums[starts]) * inverse[starts]
    found ^= found >> _HALF
    found *= _MIXER
    return np.asarray(found)


@cache
def _powers(size: int) -> Sequence[Numbers]:
    bases = (_BASE, pow(_BASE, -1, 1 << 64))
    return [np.cumprod(np.full(size, base, np.uint64), dtype=np.uint64) for base in bases]
