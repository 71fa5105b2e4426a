"""A set of numbers in memory of fixed size; it may contain a few numbers that were never added."""

import numpy as np

from eduguard.portability.exports.cells import Flags, Numbers, Places

_PLACES = 22  # bits: 2**22 groups of 64 marks, 32 MiB
_ONE, _SIX, _TWELVE, _LOW = np.uint64(1), np.uint64(6), np.uint64(12), np.uint64(63)
_REST = np.uint64(64 - _PLACES)


class Marks:
    """A Bloom filter: three marks for each number, all in one group, so that the processor fetches memory only once."""

    def __init__(self) -> None:
        """Start without marks."""
        self._groups = np.zeros(1 << _PLACES, np.uint64)

    def add(self, numbers: Numbers) -> None:
        """Mark numbers; checking first is faster, because most words are repeated."""
        groups, marks = _place(numbers[~self.has(numbers)])
        np.bitwise_or.at(self._groups, groups, marks)

    def has(self, numbers: Numbers) -> Flags:
        """Return for each number whether it was marked."""
        groups, marks = _place(numbers)
        found: Flags = self._groups[groups] & marks == marks
        return found


def _place(numbers: Numbers) -> tuple[Places, Numbers]:
    """Return the group of each number, from its first bits, and its marks, from its last bits."""
    marks = _ONE << (numbers & _LOW)
    marks |= _ONE << (numbers >> _SIX & _LOW)
    marks |= _ONE << (numbers >> _TWELVE & _LOW)
    return (numbers >> _REST).astype(np.int64), marks
