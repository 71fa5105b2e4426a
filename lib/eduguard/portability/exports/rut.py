"""Parse RUTs, the identity numbers in Chile, and replace them one-to-one with numbers that belong to nobody.

The replacements are a range of numbers that are given to nobody, and a keyed permutation of that range chooses one. If
two source numbers get the same one, the larger source number takes the next free one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from eduguard.errors import EduguardError
from eduguard.portability.exports.keyed import Key

LOWEST, HIGHEST = 32_000_000, 45_999_999
"""above the numbers of people, below those of companies"""
_SIZE = HIGHEST - LOWEST + 1
_HALF_BITS = 12  # two halves hold 16.8 million numbers, just above the size of the range
_MASK = (1 << _HALF_BITS) - 1
_ROUNDS = 8
_WEIGHTS = (2, 3, 4, 5, 6, 7)
_DIGITS = "0K987654321"  # the check digits, by the weighted sum modulo 11
_FORM = re.compile(r"(?P<body>[1-9][0-9]{0,2}(?:\.[0-9]{3}){1,2}|[1-9][0-9]{5,7})(?P<hyphen>-?)(?P<digit>[0-9kK])")
_OF_THE_SOURCE, _GIVEN = 1, 2
_NOT_A_RUT = 1 << 40  # texts that are not RUTs get numbers from here on, so that each of them is replaced too


def check_digit(body: int) -> str:
    """Return the check digit of a number: 0 to 9 or K."""
    total, place = 0, 0
    while body:
        body, digit = divmod(body, 10)
        total += digit * _WEIGHTS[place % len(_WEIGHTS)]
        place += 1
    return _DIGITS[total % 11]


def parse(text: str) -> int | None:
    """Return the number of a RUT in any of its forms; None if it is not a RUT or its check digit is wrong."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    body = int(found["body"].replace(".", ""))
    return body if check_digit(body) == found["digit"].upper() else None


@dataclass(frozen=True)
class Permutation:
    """A keyed permutation of the numbers below the size of the range.

    It is a Feistel network of two halves. A number outside the range is permuted again until it is back in the range.
    """

    tables: tuple[tuple[int, ...], ...]

    @staticmethod
    @cache
    def of(key: Key) -> "Permutation":
        """Return the permutation of a key."""
        numbers = range(1 << _HALF_BITS)
        return Permutation(
            tuple(tuple(key.number(f"rut round {r}", str(n)) & _MASK for n in numbers) for r in range(_ROUNDS))
        )

    def __call__(self, number: int) -> int:
        """Return the replacement of a number below the size of the range."""
        while True:
            left, right = number >> _HALF_BITS, number & _MASK
            for table in self.tables:
                left, right = right, left ^ table[right]
            number = (left << _HALF_BITS) | right
            if number < _SIZE:
                return number


class RutMap:
    """The replacement of every RUT of a source: all are different, and none is a number that the source has."""

    def __init__(self, key: Key, source: Iterable[str]) -> None:
        self._key, self._permute = key, Permutation.of(key)
        self._moved: dict[int, int] = {}
        self._taken = bytearray(_SIZE)
        numbers = np.unique(np.fromiter(map(self._number, source), dtype=np.uint64))
        for number in map(int, numbers):
            if LOWEST <= number <= HIGHEST:
                self._taken[number - LOWEST] = _OF_THE_SOURCE
        for number in map(int, numbers):
            place = home = self._permute(number % _SIZE)
            while self._taken[place]:
                place = (place + 1) % _SIZE
                if place == home:
                    raise EduguardError(f"The source has too many RUTs: {len(numbers):,} of at most {_SIZE:,}")
            self._taken[place] = _GIVEN
            if place != home:
                self._moved[number] = place

    def replace(self, text: str) -> str:
        """Return the replacement of a RUT, written in the same form."""
        number = self._number(text)
        place = self._moved.get(number, -1)
        if place < 0:
            place = self._permute(number % _SIZE)
            while self._taken[place] == _OF_THE_SOURCE:  # happens only if the RUT is not in a column of RUTs
                place = (place + 1) % _SIZE
        body = LOWEST + place
        form = _FORM.fullmatch(text)
        written = f"{body:,}".replace(",", ".") if form and "." in form["body"] else str(body)
        digit = check_digit(body)
        is_small = form is not None and form["digit"] == "k"
        return f"{written}{form['hyphen'] if form else '-'}{digit.lower() if is_small else digit}"

    def _number(self, text: str) -> int:
        number = parse(text)
        return number if number is not None else _NOT_A_RUT | (self._key.number("not a rut", text) & (_NOT_A_RUT - 1))
