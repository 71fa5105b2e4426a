"""The SQLite file of buckets, objects and the parts of unfinished uploads."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING

from localcloud.database import open_database, scrub, transaction
from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


class ObjectStore:
    """The connection to the file; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        schema = resources.files("localcloud.s3").joinpath("schema.sql").read_text()
        self._connection = open_database(path, schema)

    def close(self) -> None:
        """Move the log into the file and close it."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Take the turn for one transaction, which is on disk when the block ends."""
        with self._lock, transaction(self._connection):
            yield self._connection

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def scrub(self) -> None:
        """Remove deleted data from the log of the file."""
        with self._lock:
            scrub(self._connection)

    def read(self, content: int) -> bytes:
        """Return one content.

        Raises:
            LocalCloudError: when it does not exist.
        """
        found = self.rows("SELECT value FROM content WHERE id = ?", content)
        if not found:
            raise LocalCloudError(f"The content {content} of an object is not in its file")
        return bytes(found[0]["value"])


class StoredContent:
    """A file object from which moto reads the value of a key; its bytes are fetched when they are read."""

    def __init__(self, store: ObjectStore, content: int) -> None:
        self.content = content
        self._store = store
        self._position = 0

    def seek(self, position: int) -> None:
        """Move to a position from the start."""
        self._position = position

    def read(self, size: int | None = None) -> bytes:
        """Return the bytes from the current position on."""
        value = self._store.read(self.content)[self._position :]
        value = value if size is None else value[:size]
        self._position += len(value)
        return value

    def close(self) -> None:
        """Do nothing, because there is nothing to release."""
