"""The SQLite file that keeps buckets, objects and the parts of unfinished uploads."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA_VERSION: Final = 1
_LOG_LIMIT: Final = 64 * 1024 * 1024  # bytes the log may keep between large objects


class ObjectStore:
    """The connection to the file; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._prepare()

    def _prepare(self) -> None:
        is_new = self._connection.execute("PRAGMA user_version").fetchone()[0] == 0
        if is_new:
            self._connection.execute("PRAGMA auto_vacuum=FULL")  # gives the space of deleted objects back
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"journal_size_limit={_LOG_LIMIT}"):
            self._connection.execute(f"PRAGMA {pragma}")
        if is_new:
            schema = resources.files("localcloud").joinpath("object_schema.sql").read_text()
            self._connection.executescript(f"BEGIN; {schema} PRAGMA user_version={_SCHEMA_VERSION}; COMMIT;")

    def close(self) -> None:
        """Fold the log into the file and close it."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Take the turn for one transaction, on disk when the block ends."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def read(self, content: int) -> bytes:
        """Return one content."""
        found = self.rows("SELECT value FROM content WHERE id = ?", content)
        return bytes(found[0]["value"]) if found else b""


class StoredContent:
    """A file as moto reads the value of a key from, whose bytes are fetched when they are wanted."""

    def __init__(self, store: ObjectStore, content: int) -> None:
        self.content = content
        self._store = store
        self._position = 0

    def seek(self, position: int) -> None:
        """Move to a position from the start."""
        self._position = position

    def read(self, size: int | None = None) -> bytes:
        """Return the bytes from the position on."""
        value = self._store.read(self.content)[self._position :]
        value = value if size is None else value[:size]
        self._position += len(value)
        return value

    def close(self) -> None:
        """Hold nothing, so release nothing."""
