"""Failures an operator can mend; everything else is a bug and keeps its traceback."""


class EduguardError(Exception):
    """A failure with a way out: what is wrong, where, and what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message
