"""SQLite files that lose nothing acknowledged: write-ahead log, and every commit on disk before it returns.

synchronous=FULL costs one flush a request and covers a power cut too; NORMAL would only cover the end of the process.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from localcloud.errors import LocalCloudError
from localcloud.log import note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA_VERSION: Final = 1
_LOG_LIMIT: Final = 64 * 1024 * 1024  # bytes the log may keep between large requests
_CACHE: Final = 64 * 1024  # KiB


def open_database(path: Path, schema: str) -> sqlite3.Connection:
    """Open a file, or make it with a schema; the caller keeps threads from using it at once.

    Raises:
        LocalCloudError: a newer version of this package wrote the file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise LocalCloudError(f"{path} is of version {version}, this package reads up to {_SCHEMA_VERSION}")
    if version == 0:
        connection.execute("PRAGMA auto_vacuum=FULL")  # gives the space of what is deleted back
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # a deleted face is overwritten, not only forgotten
        f"journal_size_limit={_LOG_LIMIT}",
        f"cache_size=-{_CACHE}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if version == 0:
        connection.executescript(f"BEGIN; {schema} PRAGMA user_version={_SCHEMA_VERSION}; COMMIT;")
    return connection


def scrub(connection: sqlite3.Connection) -> None:
    """Move the log into the file and empty it: until then it holds the pages as they were before a removal.

    What is removed is gone for the caller already. A full disk fails nothing here: the next removal tries again.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        note(f"The log of a file could not be emptied: {error}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, or undo all of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
