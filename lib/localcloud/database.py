"""SQLite files that lose no acknowledged write: a write-ahead log, and every commit is on disk before it returns.

synchronous=FULL costs one flush per request and also protects against a power cut; NORMAL would protect only against
the end of the process.
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
_LOG_LIMIT: Final = 64 * 1024 * 1024  # bytes that the log may keep between large requests
_CACHE: Final = 64 * 1024  # KiB


def open_database(path: Path, schema: str) -> sqlite3.Connection:
    """Open a file, or create it with a schema; the caller must prevent threads from using it at once.

    Raises:
        LocalCloudError: when a newer version of this package wrote the file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise LocalCloudError(f"{path} is of version {version}, this package reads up to {_SCHEMA_VERSION}")
    if version == 0:
        connection.execute("PRAGMA auto_vacuum=FULL")  # returns the space of deleted rows
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # a deleted face is overwritten, not only unlinked
        f"journal_size_limit={_LOG_LIMIT}",
        f"cache_size=-{_CACHE}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if version == 0:
        connection.executescript(f"BEGIN; {schema} PRAGMA user_version={_SCHEMA_VERSION}; COMMIT;")
    return connection


def scrub(connection: sqlite3.Connection) -> None:
    """Move the log into the file and empty it: until then it holds the pages from before a removal.

    For the caller, removed rows are gone already. A full disk is not an error here: the next removal tries again.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        note(f"The log of a file could not be emptied: {error}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the changes of the block, or undo all of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
