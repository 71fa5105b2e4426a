"""ClientRequestToken: a repeated request gets the same answer and is not carried out again."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Final

from localcloud.rekognition.exceptions import RekognitionError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from localcloud.rekognition.call import Call, Json

TOKEN_LIFETIME: Final = 8 * 3600.0  # seconds; unknown for AWS


def answer_once(call: Call, operation: str, work: Callable[[sqlite3.Connection], Json]) -> Json:
    """Do the work in a transaction; if the token was seen before, return the earlier answer instead.

    Raises:
        RekognitionError: when the token was used before with other parameters.
    """
    token = call.parameters.get("ClientRequestToken")
    with call.store.removing() as connection:
        if token is None:
            return work(connection)
        digest = hashlib.sha256(json.dumps([operation, call.parameters], sort_keys=True).encode()).hexdigest()
        now = time.time()
        connection.execute("DELETE FROM request WHERE made < ?", (now - TOKEN_LIFETIME,))
        seen = connection.execute("SELECT digest, answer FROM request WHERE token = ?", (token,)).fetchone()
        if seen is None:
            answer = work(connection)
            connection.execute("INSERT INTO request VALUES (?, ?, ?, ?)", (token, digest, json.dumps(answer), now))
            return answer
    if seen["digest"] != digest:
        raise RekognitionError(
            "IdempotentParameterMismatchException",
            f"The ClientRequestToken: {token} you have supplied is already in use.",
        )
    repeated: Json = json.loads(seen["answer"])
    return repeated


def forget_users(connection: sqlite3.Connection) -> None:
    """Delete the stored answers that name a user, because a user is being deleted."""
    connection.execute("DELETE FROM request WHERE answer LIKE '%\"UserId\":%'")
