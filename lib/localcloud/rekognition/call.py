"""One request to Rekognition, as its operation sees it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from localcloud.rekognition.exceptions import collection_missing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from localcloud.rekognition.engine import Engine
    from localcloud.rekognition.images import Buckets
    from localcloud.rekognition.store import Store
    from localcloud.rekognition.tokens import TokenMaker

    Json: TypeAlias = dict[str, Any]

FACE_MODEL: Final = "7.0"  # for new collections, as AWS answered in 2024 and 2025


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The checked parameters of a request, and what is needed to answer it.

    Attributes:
        parameters: as the client sent them, with blobs as bytes.
        engine: returns the networks, loading them on first use.
        visibility_delay: seconds during which a new face is not yet found or listed; a fault on demand.
    """

    parameters: Json
    store: Store
    engine: Callable[[], Engine]
    buckets: Buckets
    tokens: TokenMaker
    account: str
    region: str
    partition: str
    visibility_delay: float = 0.0

    @property
    def newest_visible(self) -> float:
        """The time in seconds since 1970; faces indexed after it are not visible yet."""
        # Without a delay the clock is not used: if it is set back, it must not hide faces.
        return time.time() - self.visibility_delay if self.visibility_delay else math.inf

    @property
    def collection_name(self) -> str:
        """The CollectionId of the request."""
        return str(self.parameters["CollectionId"])

    def collection_arn(self, name: str) -> str:
        """Return the ARN of a collection, with its prefix."""
        return f"arn:{self.partition}:rekognition:{self.region}:{self.account}:collection/{name}"

    def collection_row(self, connection: sqlite3.Connection) -> sqlite3.Row:
        """Return the collection that the request names.

        Raises:
            RekognitionError: when it does not exist.
        """
        found = find_collection(connection, self.collection_name)
        if found is None:
            raise collection_missing(self.collection_name)
        return found


def find_collection(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """Return the row of a collection, None if there is none."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM collection WHERE name = ?", (name,)).fetchone()
    return row
