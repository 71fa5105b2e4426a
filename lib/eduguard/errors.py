"""Failures an operator can mend; everything else is a bug and keeps its traceback."""

from collections.abc import Iterable


class EduguardError(Exception):
    """A failure with a way out: what is wrong, where, and what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


def suggest(word: str, known: Iterable[str], hint: str = "", *, form: str = "{}") -> str:
    """Return a hint that begins with the known names that are near a word, if any is; a pure function.

    Args:
        word: the name that is not known.
        known: the names that are.
        hint: what follows.
        form: how a name is shown, {} in its place.
    """
    import difflib

    near = [form.format(name) for name in difflib.get_close_matches(word, sorted(set(known)), n=3)]
    return " ".join(filter(None, [f"Did you mean {' or '.join(near)}?" if near else "", hint]))
