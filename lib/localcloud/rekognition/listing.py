"""ListFaces: ascending FaceId; the stored JSON texts are joined without parsing them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localcloud.rekognition.collection import DEFAULT_PAGE
from localcloud.rekognition.exceptions import user_missing
from localcloud.rekognition.users import find_user

if TYPE_CHECKING:
    import sqlite3

    from localcloud.rekognition.call import Call


def list_faces(call: Call) -> str:
    """List the faces of a collection, page by page; return the JSON text of the answer."""
    parameters = call.parameters
    filters = [parameters.get("UserId", ""), *sorted(parameters.get("FaceIds", []))]
    listing = ["ListFaces", call.collection_name, *filters]
    count = parameters.get("MaxResults") or DEFAULT_PAGE
    with call.store.reading() as connection:
        collection = call.collection_row(connection)
        if "UserId" in parameters and find_user(connection, collection["id"], parameters["UserId"]) is None:
            raise user_missing(call.collection_name, parameters["UserId"])
        after = call.tokens.read(listing, parameters["NextToken"]) if parameters.get("NextToken") else ""
        rows = _page(connection, collection["id"], call, after, count + 1)
    faces = ",".join(listed_face(row["listed"], row["user_id"]) for row in rows[:count])
    token = call.tokens.make(listing, rows[count - 1]["face_id"]) if len(rows) > count else None
    following = f'"NextToken":{json.dumps(token)},' if token else ""
    return f'{{"Faces":[{faces}],{following}"FaceModelVersion":{json.dumps(collection["face_model"])}}}'


def listed_face(listed: str, user_id: str | None) -> str:
    """Return the JSON text of a stored face, with the user it is associated to."""
    return listed if user_id is None else f'{listed[:-1]},"UserId":{json.dumps(user_id)}}}'


def _page(connection: sqlite3.Connection, collection: int, call: Call, after: str, count: int) -> list[sqlite3.Row]:
    conditions = ["face.collection = :collection", "face.face_id > :after", "face.indexed <= :visible"]
    if "FaceIds" in call.parameters:
        conditions.append("face.face_id IN (SELECT value FROM json_each(:face_ids))")
    if "UserId" in call.parameters:
        conditions.append("user.user_id = :user_id")
    return connection.execute(
        "SELECT face.face_id, face.listed, user.user_id FROM face LEFT JOIN user ON user.id = face.user"  # noqa: S608 -- fixed texts
        f" WHERE {' AND '.join(conditions)} ORDER BY face.face_id LIMIT :count",
        {
            "collection": collection,
            "after": after,
            "visible": call.newest_visible,
            "face_ids": json.dumps(call.parameters.get("FaceIds", [])),
            "user_id": call.parameters.get("UserId"),
            "count": count,
        },
    ).fetchall()
