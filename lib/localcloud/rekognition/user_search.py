"""SearchUsers and SearchUsersByImage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from localcloud.rekognition import engine, images
from localcloud.rekognition.exceptions import FACE_ID_NOT_FOUND, invalid_parameter, user_missing
from localcloud.rekognition.numbers import single
from localcloud.rekognition.quality import judge
from localcloud.rekognition.store import EMBEDDING_TYPE, user_vector
from localcloud.rekognition.users import find_user, shown_user

if TYPE_CHECKING:
    import sqlite3

    from localcloud.rekognition.call import Call, Json
    from localcloud.rekognition.detection import Portrait
    from localcloud.rekognition.engine import Embedding
    from localcloud.rekognition.quality import Judged

DEFAULT_THRESHOLD: Final = 80.0
MOST_MATCHES: Final = 500  # also used without MaxUsers, for which AWS documents no default
_DEFAULT_FILTER: Final = "NONE"


def search_users(call: Call) -> Json:
    """Find the users that look like a stored face or like a user."""
    parameters = call.parameters
    if ("UserId" in parameters) == ("FaceId" in parameters):
        raise invalid_parameter()
    with call.store.reading() as connection:
        collection = call.collection_row(connection)
        if "FaceId" in parameters:
            matches = _like_face(call, connection, collection["id"])
            searched = {"SearchedFace": {"FaceId": parameters["FaceId"]}}
        else:
            matches = _like_user(call, connection, collection["id"])
            searched = {"SearchedUser": {"UserId": parameters["UserId"]}}
    return {"UserMatches": matches, "FaceModelVersion": collection["face_model"]} | searched


def search_users_by_image(call: Call) -> Json:
    """Find the users that look like the largest face of a picture; a picture without a face has no matches."""
    with call.store.reading() as connection:
        collection = call.collection_row(connection)
    level = call.parameters.get("QualityFilter", _DEFAULT_FILTER)
    with images.opened(call.parameters["Image"], call.buckets) as pixels:
        judged = judge(call, pixels, level)
        good = [each.portrait for each in judged if not each.reasons]
        query = call.engine().embed(pixels, good[0].face) if good else None
    answer: Json = {"UserMatches": [], "FaceModelVersion": collection["face_model"]}
    if query is not None:
        with call.store.reading() as connection:
            collection = call.collection_row(connection)
            answer["UserMatches"] = _matches(call, connection, collection["id"], engine.VERSION, query)
        answer["SearchedFace"] = {"FaceDetail": good[0].detail()}
    return answer | {"UnsearchedFaces": _unsearched(judged, good[:1])}


def _unsearched(judged: list[Judged], searched: list[Portrait]) -> list[Json]:
    return [
        {"FaceDetails": each.portrait.detail(), "Reasons": each.reasons or ["FACE_NOT_LARGEST"]}
        for each in judged
        if each.portrait not in searched
    ]


def _like_face(call: Call, connection: sqlite3.Connection, collection: int) -> list[Json]:
    face = connection.execute(
        "SELECT engine, embedding FROM face WHERE collection = ? AND face_id = ? AND indexed <= ?",
        (collection, call.parameters["FaceId"], call.newest_visible),
    ).fetchone()
    if face is None:
        raise invalid_parameter(FACE_ID_NOT_FOUND)
    return _matches(call, connection, collection, face["engine"], np.frombuffer(face["embedding"], EMBEDDING_TYPE))


def _like_user(call: Call, connection: sqlite3.Connection, collection: int) -> list[Json]:
    user = find_user(connection, collection, call.parameters["UserId"])
    if user is None:
        raise user_missing(call.collection_name, call.parameters["UserId"])
    rows = connection.execute(
        "SELECT embedding FROM face WHERE user = ? AND engine = ?", (user["id"], engine.VERSION)
    ).fetchall()
    if not rows:
        return []
    query = user_vector([row["embedding"] for row in rows])
    return _matches(call, connection, collection, engine.VERSION, query, without=user["id"])


def _matches(
    call: Call, connection: sqlite3.Connection, collection: int, version: str, query: Embedding, without: int = 0
) -> list[Json]:
    count = call.parameters.get("MaxUsers", MOST_MATCHES)
    row_ids, cosines = call.store.user_matrix(collection, version).search(query, count + 1)
    threshold = np.float32(call.parameters.get("UserMatchThreshold", DEFAULT_THRESHOLD))
    chosen = {
        row_id: single(score)
        for row_id, score in zip(row_ids.tolist(), engine.similarity(cosines).tolist(), strict=True)
        if score >= threshold and row_id != without
    }
    rows = connection.execute(
        "SELECT *, 1 AS has_faces FROM user WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(chosen)),)
    )
    users = {row["id"]: shown_user(call, row) for row in rows}
    return [{"Similarity": score, "User": users[row_id]} for row_id, score in list(chosen.items())[:count]]
