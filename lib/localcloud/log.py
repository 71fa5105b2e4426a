"""The server's log; writing to it must not fail if the disk is full."""

from __future__ import annotations

import contextlib
import sys
import traceback


def note(text: str) -> None:
    """Write a line; a log that cannot be written must not prevent an answer."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def note_failure(error: BaseException) -> None:
    """Write a traceback."""
    note("".join(traceback.format_exception(error)).rstrip())
