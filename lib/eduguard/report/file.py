"""Check that a report can be written to a file, before anything is read."""

import os
from pathlib import Path

from eduguard.errors import EduguardError


def check_file(file: Path) -> None:
    """Refuse a file that is not an HTML page or cannot be written; read-only.

    Raises:
        EduguardError: with the reason.
    """
    if file.suffix not in {".html", ".htm"}:
        raise EduguardError(f"{file} is not the name of a page", hint="inv report FILE.html")
    if file.exists() and not file.is_file():
        raise EduguardError(f"{file} is not a file", hint="inv report FILE.html")
    if not file.parent.is_dir():
        raise EduguardError(f"There is no folder {file.parent}", hint=f"mkdir -p {file.parent}")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise EduguardError(f"Cannot write into {file.parent}", hint="Name a file in a folder of yours.")
