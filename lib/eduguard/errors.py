"""Failures an operator can mend; everything else is a bug and keeps its traceback."""

import re
from collections.abc import Iterable
from traceback import walk_tb

FAILED = 1
"""exit status: the command failed"""
LEFT = 2
"""exit status: the command succeeded, but there is drift or something is left to do"""
_FILE = r"[^\s:]+\.(?:ya?ml|csv|sql|json|py|env)(?::\d+)?(?=:)"  # a message may begin with a place in a file


class EduguardError(Exception):
    """A failure with a way out: what is wrong, where, and what to do about it."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        place: str | None = None,
        status: int = FAILED,
    ) -> None:
        """Make a failure.

        Args:
            message: what is wrong.
            hint: what to do about it.
            code: a word for programs; by default the room that raises the error.
            place: a table or URL; by default the file and line that the message begins with, if any.
            status: the exit status.
        """
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place
        self.status = status
        self._code = code

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    @property
    def code(self) -> str:
        """Return the word for programs: the given one, `left`, or the raising room, such as `fixtures`."""
        if self.status == LEFT:
            return "left"
        names = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(self.__traceback__)]
        rooms = [name.split(".")[1] for name in names if name.startswith("eduguard.")]
        return (self._code or (rooms[-1] if rooms else "failed")).replace("_", "-")

    def as_json(self) -> dict[str, str | None]:
        """Return plain values."""
        found = re.match(_FILE, self.message)
        place = self.place or (found[0] if found else None)
        return {"code": self.code, "message": self.message, "hint": self.hint, "place": place}


class UsageError(EduguardError):
    """A command line that cannot be followed; nothing was done."""

    @property
    def code(self) -> str:
        """Return the word for programs."""
        return "usage"


def suggest(word: str, known: Iterable[str], hint: str = "", *, form: str = "{}") -> str:
    """Return a hint that begins with the known names that resemble a word, if any; a pure function.

    Args:
        word: the unknown name.
        known: the known names.
        hint: the text that follows.
        form: how a name is shown, {} in its place.
    """
    import difflib

    near = [form.format(name) for name in difflib.get_close_matches(word, sorted(set(known)), n=3)]
    return " ".join(filter(None, [f"Did you mean {' or '.join(near)}?" if near else "", hint]))
