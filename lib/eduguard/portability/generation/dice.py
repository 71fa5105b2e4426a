"""Random numbers that are the same on every machine: streams that depend only on their names."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

Draw = Callable[[], float]
"""returns the next number of a stream, from 0 to below 1"""
_Any = TypeVar("_Any")


def stream(*names: object) -> Draw:
    """Return the numbers that belong to these names.

    Python promises that `Random(whole number).random()` gives the same numbers in every version (docs of the module
    `random`, "Notes on Reproducibility"). It does not promise this for other methods, so no other one is used.
    """
    text = "\0".join(map(str, names)).encode()
    return Random(int.from_bytes(blake2b(text, digest_size=8).digest(), "big")).random  # noqa: S311 -- not a secret


def below(draw: Draw, limit: int) -> int:
    """Return a whole number from 0 to below the limit."""
    return int(draw() * limit)


def pool(words: str) -> tuple[str, ...]:
    """Return the words; · is the space inside one."""
    return tuple(word.replace("·", " ") for word in words.split())


def pick(draw: Draw, choices: Sequence[_Any]) -> _Any:
    """Return one of the choices."""
    return choices[below(draw, len(choices))]


def token(*names: object) -> str:
    """Return 32 hexadecimal digits that belong to these names."""
    return blake2b("\0".join(map(str, names)).encode(), digest_size=16).hexdigest()
