"""A copy of a collection, for tests: AWS has no such operation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from localcloud.rekognition.call import find_collection
from localcloud.rekognition.exceptions import collection_exists, collection_missing

if TYPE_CHECKING:
    from localcloud.rekognition.store import Store


def clone_collection(store: Store, source: str, target: str) -> None:
    """Make a new collection with the faces and users of another; FaceIds stay the same, as they are per collection.

    Raises:
        RekognitionError: when the source does not exist, or the target does.
    """
    with store.writing() as connection:
        found = find_collection(connection, source)
        if found is None:
            raise collection_missing(source)
        if find_collection(connection, target) is not None:
            raise collection_exists(target)
        made = connection.execute(
            "INSERT INTO collection (name, created, face_model, tags) VALUES (?, ?, ?, ?)",
            (target, time.time(), found["face_model"], found["tags"]),
        )
        places = {"source": found["id"], "target": made.lastrowid}
        connection.execute(
            "INSERT INTO user (collection, user_id, key, changed)"
            " SELECT :target, user_id, key, changed FROM user WHERE collection = :source",
            places,
        )
        connection.execute(
            "INSERT INTO face (collection, face_id, image_id, user, indexed, engine, listed, embedding)"
            " SELECT :target, face_id, image_id, copy.id, indexed, engine, listed, embedding"
            " FROM face LEFT JOIN user ON user.id = face.user"
            " LEFT JOIN user AS copy ON copy.collection = :target AND copy.user_id = user.user_id"
            " WHERE face.collection = :source ORDER BY face.id",
            places,
        )
