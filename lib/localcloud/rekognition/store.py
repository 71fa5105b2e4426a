"""The collections of one account and region: an SQLite file, and embeddings in memory for searches.

Every request is one transaction, and requests take turns, so file and memory never disagree.
"""

from __future__ import annotations

import functools
import itertools
import threading
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np

from localcloud.database import open_database, scrub, transaction
from localcloud.rekognition.engine import DIMENSIONS, unit
from localcloud.rekognition.matrix import Matrix

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS_IN_MEMORY: Final = 1_500_000  # about 1 GiB for all collections of the file
_LOADED_AT_ONCE: Final = 16_384  # rows
EMBEDDING_TYPE: Final = np.dtype("<f4")


class Store:
    """The connection to one file; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._after_commit: list[Callable[[], object]] = []
        self._matrices: dict[tuple[int, str], Matrix] = {}
        self._users: dict[tuple[int, str], Matrix] = {}
        schema = resources.files("localcloud.rekognition").joinpath("schema.sql").read_text()
        self._connection = open_database(path, schema)
        self.secret: bytes = self._connection.execute("SELECT signing FROM secret").fetchone()[0]

    def close(self) -> None:
        """Move the log into the file and close it."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Take the turn for a request that changes nothing."""
        with self._lock:
            yield self._connection

    @contextmanager
    def removing(self) -> Iterator[sqlite3.Connection]:
        """Take the turn for one transaction; afterwards the log of the file contains no removed data."""
        with self._lock:
            with self.writing() as connection:
                yield connection
            scrub(self._connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Take the turn for one transaction; the embeddings in memory are updated when it is committed."""
        with self._lock:
            self._after_commit.clear()
            with transaction(self._connection):
                yield self._connection
            while self._after_commit:
                self._after_commit.pop(0)()

    def matrix(self, collection: int, engine: str) -> Matrix:
        """Return the embeddings that one engine made for a collection; load them once; inside a turn only."""
        matrix = self._matrices.pop((collection, engine), None)
        if matrix is None:
            matrix = Matrix()
            self._load(matrix, collection, engine)
        self._matrices[collection, engine] = matrix  # the matrix used last is at the end
        self._drop_unused()
        return matrix

    def remember(self, collection: int, engine: str, row_ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Add new faces to the embeddings in memory, if those are loaded; inside a transaction only."""
        matrix = self._matrices.get((collection, engine))
        if matrix is not None and row_ids:
            self._after_commit.append(lambda: matrix.add(np.array(row_ids, np.int64), vectors))

    def forget(self, collection: int, engine: str, row_ids: Sequence[int]) -> None:
        """Remove faces from memory, if they are loaded; inside a transaction only."""
        matrix = self._matrices.get((collection, engine))
        if matrix is not None:
            self._after_commit.append(lambda: matrix.remove(row_ids))

    def user_matrix(self, collection: int, engine: str) -> Matrix:
        """Return one vector per user, the mean of the user's faces; load them once; inside a turn only."""
        matrix = self._users.get((collection, engine))
        if matrix is None:
            matrix = self._users[collection, engine] = Matrix()
            self._load_users(matrix, collection, engine)
        return matrix

    def forget_users(self, collection: int) -> None:
        """Remove the vectors of users from memory; inside a transaction only."""
        for key in [key for key in self._users if key[0] == collection]:
            self._after_commit.append(functools.partial(self._users.pop, key))

    def forget_collection(self, collection: int) -> None:
        """Remove a whole collection from memory; inside a transaction only."""
        self.forget_users(collection)
        for key in [key for key in self._matrices if key[0] == collection]:
            self._after_commit.append(functools.partial(self._matrices.pop, key))

    def _drop_unused(self) -> None:
        """Remove the collections that were not searched for longest from memory, down to the limit or to one."""
        while len(self._matrices) > 1 and sum(map(len, self._matrices.values())) > _ROWS_IN_MEMORY:
            del self._matrices[next(iter(self._matrices))]

    def _load(self, matrix: Matrix, collection: int, engine: str) -> None:
        rows = self._connection.execute(
            "SELECT id, embedding FROM face WHERE collection = ? AND engine = ?", (collection, engine)
        )
        while batch := rows.fetchmany(_LOADED_AT_ONCE):
            row_ids, embeddings = zip(*batch, strict=True)
            vectors = np.frombuffer(b"".join(embeddings), EMBEDDING_TYPE)
            matrix.add(np.array(row_ids, np.int64), vectors.reshape(-1, DIMENSIONS))

    def _load_users(self, matrix: Matrix, collection: int, engine: str) -> None:
        rows = self._connection.execute(
            "SELECT user, embedding FROM face WHERE collection = ? AND engine = ? AND user IS NOT NULL ORDER BY user",
            (collection, engine),
        )
        for user, faces in itertools.groupby(rows, key=lambda row: int(row["user"])):
            vector = user_vector([face["embedding"] for face in faces])
            matrix.add(np.array([user], np.int64), vector.reshape(1, -1))


def user_vector(embeddings: Sequence[bytes]) -> NDArray[np.float32]:
    """Return the unit vector that represents all faces of a user."""
    return unit(np.frombuffer(b"".join(embeddings), EMBEDDING_TYPE).reshape(-1, DIMENSIONS).mean(axis=0))
