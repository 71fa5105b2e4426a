"""What the server says of itself: lines of its log, which may be on a disk that is full."""

from __future__ import annotations

import contextlib
import sys
import traceback


def note(text: str) -> None:
    """Write a line; a log that cannot be written must not hinder an answer."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def note_failure(error: BaseException) -> None:
    """Write a traceback."""
    note("".join(traceback.format_exception(error)).rstrip())
