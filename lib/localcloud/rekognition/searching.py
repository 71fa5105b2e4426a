"""SearchFaces and SearchFacesByImage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from localcloud.rekognition import engine, images
from localcloud.rekognition.exceptions import FACE_ID_NOT_FOUND, NO_FACES, invalid_parameter
from localcloud.rekognition.listing import listed_face
from localcloud.rekognition.numbers import single, write_json
from localcloud.rekognition.quality import judge
from localcloud.rekognition.store import EMBEDDING_TYPE

if TYPE_CHECKING:
    import sqlite3

    from localcloud.rekognition.call import Call, Json
    from localcloud.rekognition.engine import Embedding

DEFAULT_THRESHOLD: Final = 80.0
MOST_MATCHES: Final = 4096  # also used without MaxFaces, for which AWS documents no default
_DEFAULT_FILTER: Final = "NONE"


def search_faces(call: Call) -> str:
    """Find the faces that look like a stored one; return the JSON text of the answer."""
    face_id = call.parameters["FaceId"]
    with call.store.reading() as connection:
        collection = call.collection_row(connection)
        row = connection.execute(
            "SELECT id, engine, embedding FROM face WHERE collection = ? AND face_id = ? AND indexed <= ?",
            (collection["id"], face_id, call.newest_visible),
        ).fetchone()
        if row is None:
            raise invalid_parameter(FACE_ID_NOT_FOUND)
        query = np.frombuffer(row["embedding"], EMBEDDING_TYPE)
        matches = _matches(call, connection, collection["id"], row["engine"], query, without=row["id"])
    return _answer({"SearchedFaceId": face_id}, matches, collection)


def search_faces_by_image(call: Call) -> str:
    """Find the faces that look like the largest one of a picture; return the JSON text of the answer."""
    with call.store.reading() as connection:
        call.collection_row(connection)
    level = call.parameters.get("QualityFilter", _DEFAULT_FILTER)
    with images.opened(call.parameters["Image"], call.buckets) as pixels:
        found = [each.portrait for each in judge(call, pixels, level) if not each.reasons]
        if not found:
            raise invalid_parameter(NO_FACES)
        query = call.engine().embed(pixels, found[0].face)
    with call.store.reading() as connection:
        collection = call.collection_row(connection)
        matches = _matches(call, connection, collection["id"], engine.VERSION, query)
    searched = {"SearchedFaceBoundingBox": found[0].box, "SearchedFaceConfidence": found[0].confidence}
    return _answer(searched, matches, collection)


def _matches(
    call: Call, connection: sqlite3.Connection, collection: int, version: str, query: Embedding, without: int = 0
) -> list[str]:
    """Return FaceMatches as JSON texts, the most similar first."""
    count = call.parameters.get("MaxFaces", MOST_MATCHES)
    row_ids, cosines = call.store.matrix(collection, version).search(query, count + 1)
    scores = engine.similarity(cosines)
    threshold = np.float32(call.parameters.get("FaceMatchThreshold", DEFAULT_THRESHOLD))
    chosen = [
        (row_id, score)
        for row_id, score in zip(row_ids.tolist(), scores.tolist(), strict=True)
        if score >= threshold and row_id != without
    ][:count]
    rows = _rows(connection, [row_id for row_id, _ in chosen], call.newest_visible)
    return [
        f'{{"Similarity":{write_json(single(score))},"Face":{listed_face(*rows[row_id])}}}'
        for row_id, score in chosen
        if row_id in rows
    ]


def _rows(connection: sqlite3.Connection, row_ids: list[int], visible: float) -> dict[int, tuple[str, str | None]]:
    rows = connection.execute(
        "SELECT face.id, face.listed, user.user_id FROM face LEFT JOIN user ON user.id = face.user"
        " WHERE face.id IN (SELECT value FROM json_each(?)) AND face.indexed <= ?",
        (json.dumps(row_ids), visible),
    )
    return {row["id"]: (row["listed"], row["user_id"]) for row in rows}


def _answer(searched: Json, matches: list[str], collection: sqlite3.Row) -> str:
    start = write_json(searched)[:-1]
    version = json.dumps(collection["face_model"])
    return f'{start},"FaceMatches":[{",".join(matches)}],"FaceModelVersion":{version}}}'
