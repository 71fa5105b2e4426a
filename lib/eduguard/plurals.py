"""Numbers with their nouns and units."""

import math


def amount(number: int, one: str, many: str = "") -> str:
    """Return a number and its noun in the singular or plural; a pure function.

    Args:
        number: how many there are.
        one: the noun, with its verb if it has one: `photo is`.
        many: the plural; by default, `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def describe_time(seconds: float) -> str:
    """Return a time in words, such as 4 min 15 s; a pure function."""
    whole = math.ceil(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    parts = ((hours, "h"), (minutes, "min"), (whole % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
