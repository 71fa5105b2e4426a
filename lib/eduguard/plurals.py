"""A number with its noun."""


def amount(number: int, one: str, many: str = "") -> str:
    """Return a number and its noun in the singular or plural; a pure function.

    Args:
        number: of the things.
        one: the noun, with its verb if it has one: `photo is`.
        many: the plural; without it, `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
