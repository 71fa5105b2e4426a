"""Collections: create, describe, list, delete."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from localcloud.rekognition.call import FACE_MODEL, find_collection
from localcloud.rekognition.exceptions import RekognitionError, collection_exists, collection_missing
from localcloud.rekognition.idempotency import forget_users

if TYPE_CHECKING:
    from localcloud.rekognition.call import Call, Json

DEFAULT_PAGE: Final = 1000  # unknown for AWS: the model and the documentation name no default of MaxResults


def create_collection(call: Call) -> Json:
    """Create an empty collection."""
    name = call.collection_name
    with call.store.writing() as connection:
        if find_collection(connection, name) is not None:
            raise collection_exists(name)
        connection.execute(
            "INSERT INTO collection (name, created, face_model, tags) VALUES (?, ?, ?, ?)",
            (name, time.time(), FACE_MODEL, json.dumps(call.parameters.get("Tags", {}))),
        )
    # Only here does AWS omit the prefix.
    arn = call.collection_arn(name).removeprefix("arn:")
    return {"StatusCode": 200, "CollectionArn": arn, "FaceModelVersion": FACE_MODEL}


def describe_collection(call: Call) -> Json:
    """Count the faces and users of a collection."""
    name = call.collection_name
    with call.store.reading() as connection:
        found = find_collection(connection, name)
        if found is None:
            # AWS uses other words here than in its other operations.
            raise RekognitionError("ResourceNotFoundException", f"Collection:{name} not found!")
        faces, users = (
            connection.execute(f"SELECT count(*) FROM {table} WHERE collection = ?", (found["id"],)).fetchone()[0]  # noqa: S608 -- two fixed names
            for table in ("face", "user")
        )
    return {
        "FaceCount": faces,
        "FaceModelVersion": found["face_model"],
        "CollectionARN": call.collection_arn(name),
        "CreationTimestamp": round(found["created"], 3),
        "UserCount": users,
    }


def list_collections(call: Call) -> Json:
    """List collections, the oldest first, page by page; AWS documents no order."""
    listing = ["ListCollections"]
    count = call.parameters.get("MaxResults") or DEFAULT_PAGE
    token = call.parameters.get("NextToken")
    after = int(call.tokens.read(listing, token)) if token else 0
    with call.store.reading() as connection:
        rows = connection.execute(
            "SELECT * FROM collection WHERE id > ? ORDER BY id LIMIT ?", (after, count + 1)
        ).fetchall()
    page = rows[:count]
    answer: Json = {"CollectionIds": [row["name"] for row in page]}
    if len(rows) > count:
        answer["NextToken"] = call.tokens.make(listing, str(page[-1]["id"]))
    return answer | {"FaceModelVersions": [row["face_model"] for row in page]}


def delete_collection(call: Call) -> Json:
    """Delete a collection with its faces and users."""
    with call.store.removing() as connection:
        found = find_collection(connection, call.collection_name)
        if found is None:
            raise collection_missing(call.collection_name)
        call.store.forget_collection(found["id"])
        connection.execute("DELETE FROM collection WHERE id = ?", (found["id"],))
        forget_users(connection)
    return {"StatusCode": 200}
