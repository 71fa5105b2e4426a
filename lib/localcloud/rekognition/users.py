"""Users: create, delete, list, and the faces that belong to them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import numpy as np

from localcloud.rekognition.engine import similarity
from localcloud.rekognition.exceptions import USER_EXISTS, USER_FULL, RekognitionError, user_missing
from localcloud.rekognition.idempotency import answer_once, forget_users
from localcloud.rekognition.numbers import single
from localcloud.rekognition.store import EMBEDDING_TYPE, user_vector

if TYPE_CHECKING:
    import sqlite3

    from localcloud.rekognition.call import Call, Json

DEFAULT_PAGE: Final = 500  # unknown for AWS; also the maximum of one page
MOST_FACES: Final = 100  # per user
DEFAULT_THRESHOLD: Final = 75.0


def create_user(call: Call) -> Json:
    """Create a user without faces."""

    def work(connection: sqlite3.Connection) -> Json:
        collection, user_id = call.collection_row(connection), call.parameters["UserId"]
        if find_user(connection, collection["id"], user_id) is not None:
            message = USER_EXISTS.format(user=user_id, collection=call.collection_name)
            raise RekognitionError("ConflictException", message)
        connection.execute(
            "INSERT INTO user (collection, user_id, key, changed) VALUES (?, ?, ?, ?)",
            (collection["id"], user_id, uuid4().hex, time.time()),
        )
        return {}

    return answer_once(call, "CreateUser", work)


def delete_user(call: Call) -> Json:
    """Delete a user; its faces stay without a user."""

    def work(connection: sqlite3.Connection) -> Json:
        collection, user = _existing(call, connection)
        connection.execute("DELETE FROM user WHERE id = ?", (user["id"],))
        forget_users(connection)
        call.store.forget_users(collection["id"])
        return {}

    return answer_once(call, "DeleteUser", work)


def list_users(call: Call) -> Json:
    """List the users of a collection in the order of an internal key, page by page."""
    listing = ["ListUsers", call.collection_name]
    count = call.parameters.get("MaxResults", DEFAULT_PAGE)
    token = call.parameters.get("NextToken")
    with call.store.reading() as connection:
        collection = call.collection_row(connection)
        after = call.tokens.read(listing, token) if token else ""
        rows = connection.execute(
            "SELECT user.*, EXISTS (SELECT 1 FROM face WHERE face.user = user.id) AS has_faces FROM user"
            " WHERE collection = ? AND key > ? ORDER BY key LIMIT ?",
            (collection["id"], after, count + 1),
        ).fetchall()
    page = rows[:count]
    answer: Json = {"Users": [shown_user(call, row) for row in page]}
    if len(rows) > count:
        answer["NextToken"] = call.tokens.make(listing, page[-1]["key"])
    return answer


def associate_faces(call: Call) -> Json:
    """Assign faces to a user, if they resemble the user's other faces."""
    return answer_once(call, "AssociateFaces", lambda connection: _associate(call, connection))


def disassociate_faces(call: Call) -> Json:
    """Remove faces from a user."""
    return answer_once(call, "DisassociateFaces", lambda connection: _disassociate(call, connection))


def find_user(connection: sqlite3.Connection, collection: int, user_id: str) -> sqlite3.Row | None:
    """Return the row of a user, None if there is none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT *, EXISTS (SELECT 1 FROM face WHERE face.user = user.id) AS has_faces FROM user"
        " WHERE collection = ? AND user_id = ?",
        (collection, user_id),
    ).fetchone()
    return row


def shown_user(call: Call, row: sqlite3.Row) -> Json:
    """Return a user with its status: UPDATING only while a visibility delay is simulated."""
    settled = "ACTIVE" if row["has_faces"] else "CREATED"
    is_updating = row["has_faces"] and time.time() - row["changed"] < call.visibility_delay
    return {"UserId": row["user_id"], "UserStatus": "UPDATING" if is_updating else settled}


def _associate(call: Call, connection: sqlite3.Connection) -> Json:
    collection, user = _existing(call, connection)
    faces = _faces(call, connection, collection["id"])
    own = _embeddings(connection, user["id"])
    associated, refused = [], []
    for face_id in dict.fromkeys(call.parameters["FaceIds"]):
        face = faces.get(face_id)
        if face is not None and face["user"] == user["id"]:
            continue
        refusal = _refusal(call, face_id, face, own)
        if refusal is not None:
            refused.append(refusal)
        else:
            associated.append(face_id)
    _refuse_too_many(user["user_id"], sum(map(len, own.values())) + len(associated))
    _assign(
        call, connection, collection["id"], user["id"], [faces[face_id]["id"] for face_id in associated], user["id"]
    )
    return {
        "AssociatedFaces": [{"FaceId": face_id} for face_id in associated],
        "UnsuccessfulFaceAssociations": refused,
        "UserStatus": _status(user, has_changed=bool(associated)),
    }


def _refusal(call: Call, face_id: str, face: sqlite3.Row | None, own: dict[str, list[bytes]]) -> Json | None:
    """Return why a face cannot be assigned to a user, None if it can."""
    if face is None:
        return {"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]}
    if face["user"] is not None:
        return {"FaceId": face_id, "UserId": face["user_id"], "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}
    if face["engine"] not in own:
        return None
    cosine = np.frombuffer(face["embedding"], EMBEDDING_TYPE) @ user_vector(own[face["engine"]])
    confidence = single(float(similarity(cosine)))
    if confidence >= call.parameters.get("UserMatchThreshold", DEFAULT_THRESHOLD):
        return None
    return {"FaceId": face_id, "Confidence": confidence, "Reasons": ["LOW_MATCH_CONFIDENCE"]}


def _refuse_too_many(user_id: str, count: int) -> None:
    if count > MOST_FACES:
        message = USER_FULL.format(user=user_id, limit=MOST_FACES)
        raise RekognitionError("ServiceQuotaExceededException", message)


def _disassociate(call: Call, connection: sqlite3.Connection) -> Json:
    collection, user = _existing(call, connection)
    faces = _faces(call, connection, collection["id"])
    released, refused = [], []
    for face_id in dict.fromkeys(call.parameters["FaceIds"]):
        face = faces.get(face_id)
        if face is None:
            refused.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
        elif face["user"] == user["id"]:
            released.append(face_id)
        elif face["user"] is not None:
            other = {"UserId": face["user_id"], "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}
            refused.append({"FaceId": face_id} | other)
    _assign(call, connection, collection["id"], user["id"], [faces[face_id]["id"] for face_id in released], None)
    return {
        "DisassociatedFaces": [{"FaceId": face_id} for face_id in released],
        "UnsuccessfulFaceDisassociations": refused,
        "UserStatus": _status(user, has_changed=bool(released)),
    }


def _status(user: sqlite3.Row, *, has_changed: bool) -> str:
    """Return the status after a change: AWS continues to work, while here everything is finished."""
    if has_changed:
        return "UPDATING"
    return "ACTIVE" if user["has_faces"] else "CREATED"


def _existing(call: Call, connection: sqlite3.Connection) -> tuple[sqlite3.Row, sqlite3.Row]:
    collection = call.collection_row(connection)
    user = find_user(connection, collection["id"], call.parameters["UserId"])
    if user is None:
        raise user_missing(call.collection_name, call.parameters["UserId"])
    return collection, user


def _faces(call: Call, connection: sqlite3.Connection, collection: int) -> dict[str, sqlite3.Row]:
    rows = connection.execute(
        "SELECT face.*, user.user_id FROM face LEFT JOIN user ON user.id = face.user"
        " WHERE face.collection = ? AND face_id IN (SELECT value FROM json_each(?))",
        (collection, json.dumps(call.parameters["FaceIds"])),
    )
    return {row["face_id"]: row for row in rows}


def _embeddings(connection: sqlite3.Connection, user: int) -> dict[str, list[bytes]]:
    """Return the embeddings of a user's faces by the engine that made them."""
    found: dict[str, list[bytes]] = {}
    for row in connection.execute("SELECT engine, embedding FROM face WHERE user = ?", (user,)):
        found.setdefault(row["engine"], []).append(row["embedding"])
    return found


def _assign(
    call: Call, connection: sqlite3.Connection, collection: int, user: int, faces: list[int], owner: int | None
) -> None:
    connection.executemany("UPDATE face SET user = ? WHERE id = ?", [(owner, face) for face in faces])
    connection.execute("UPDATE user SET changed = ? WHERE id = ?", (time.time(), user))
    call.store.forget_users(collection)
