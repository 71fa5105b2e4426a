"""IndexFaces and DeleteFaces."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid3, uuid4

import numpy as np

from localcloud.rekognition import engine, images
from localcloud.rekognition.call import FACE_MODEL, find_collection
from localcloud.rekognition.exceptions import collection_missing
from localcloud.rekognition.numbers import stored_box, stored_confidence, write_json
from localcloud.rekognition.quality import Judged, judge
from localcloud.rekognition.store import EMBEDDING_TYPE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from localcloud.rekognition.call import Call, Json
    from localcloud.rekognition.detection import Portrait
    from localcloud.rekognition.engine import Embedding
    from localcloud.rekognition.faces import Image

DEFAULT_FILTER: Final = "AUTO"
UNNAMED_REPEATS_ARE_NEW: Final = True  # reports differ for a picture that is repeated without an ExternalImageId
_IMAGE_NAMESPACE: Final = UUID("5fc40b3a-9b0a-4c1c-9f0e-8c6f3f0f5d11")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newcomer:
    """A face to index: its part of the answer, and the values to store."""

    portrait: Portrait
    embedding: NDArray[np.float32]
    image_id: str
    external_image_id: str | None

    def answered(self, face_id: str) -> Json:
        named = {"ExternalImageId": self.external_image_id} if self.external_image_id else {}
        confidence = {"Confidence": self.portrait.confidence}
        return {"FaceId": face_id, "BoundingBox": self.portrait.box, "ImageId": self.image_id} | named | confidence

    def stored(self, face_id: str) -> Json:
        rounded = {
            "BoundingBox": stored_box(self.portrait.box),
            "Confidence": stored_confidence(self.portrait.confidence),
        }
        return self.answered(face_id) | rounded | {"IndexFacesModelVersion": FACE_MODEL}


def index_faces(call: Call) -> Json:
    """Detect the faces of a picture and add them to a collection."""
    with call.store.reading() as connection:
        call.collection_row(connection)
    encoded = images.read_bytes(call.parameters["Image"], call.buckets)
    wanted = call.parameters.get("DetectionAttributes", ())
    newcomers, unindexed = _newcomers(call, encoded, wanted)
    records = [
        {"Face": newcomer.answered(face_id), "FaceDetail": newcomer.portrait.detail(wanted)}
        for newcomer, face_id in zip(newcomers, _store(call, newcomers), strict=True)
    ]
    return {"FaceRecords": records, "FaceModelVersion": FACE_MODEL, "UnindexedFaces": unindexed}


def _newcomers(call: Call, encoded: bytes, wanted: Collection[str]) -> tuple[list[_Newcomer], list[Json]]:
    """Return the faces of a picture to index, and the UnindexedFaces."""
    named = call.parameters.get("ExternalImageId")
    image_id = _image_id(encoded, named)
    with images.decoded(encoded) as pixels:
        judged = judge(call, pixels, call.parameters.get("QualityFilter", DEFAULT_FILTER))
        chosen, unindexed = _choose(judged, call.parameters.get("MaxFaces", len(judged)), wanted)
        newcomers = [
            _Newcomer(
                portrait=each.portrait,
                embedding=_embedding(call, pixels, each),
                image_id=image_id,
                external_image_id=named,
            )
            for each in chosen
        ]
    return newcomers, unindexed


def delete_faces(call: Call) -> Json:
    """Delete faces by id; say which do not exist or belong to a user."""
    wanted = list(dict.fromkeys(call.parameters["FaceIds"]))
    with call.store.removing() as connection:
        collection = call.collection_row(connection)
        rows = connection.execute(
            "SELECT face.id, face_id, engine, user.user_id FROM face LEFT JOIN user ON user.id = face.user"
            " WHERE face.collection = ? AND face_id IN (SELECT value FROM json_each(?))",
            (collection["id"], json.dumps(wanted)),
        ).fetchall()
        found = {row["face_id"]: row for row in rows}
        free = [row for row in rows if row["user_id"] is None]
        connection.executemany("DELETE FROM face WHERE id = ?", [(row["id"],) for row in free])
        for version in {row["engine"] for row in free}:
            call.store.forget(collection["id"], version, [row["id"] for row in free if row["engine"] == version])
    deleted = {row["face_id"] for row in free}
    return {
        "DeletedFaces": [face_id for face_id in wanted if face_id in deleted],
        "UnsuccessfulFaceDeletions": [_kept(face_id, found) for face_id in wanted if face_id not in deleted],
    }


def _kept(face_id: str, found: dict[str, sqlite3.Row]) -> Json:
    if face_id not in found:
        return {"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]}
    return {
        "FaceId": face_id,
        "UserId": found[face_id]["user_id"],
        "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"],
    }


def _choose(judged: Sequence[Judged], count: int, wanted: Collection[str]) -> tuple[list[Judged], list[Json]]:
    """Split faces into those to index, largest first, and the UnindexedFaces with their reasons."""
    chosen = [each for each in judged if not each.reasons][:count]
    indexed = {id(each) for each in chosen}
    unindexed = [
        {"Reasons": each.reasons or ["EXCEEDS_MAX_FACES"], "FaceDetail": each.portrait.detail(wanted)}
        for each in judged
        if id(each) not in indexed
    ]
    return chosen, unindexed


def _embedding(call: Call, pixels: Image, each: Judged) -> Embedding:
    if each.feature is None:
        return call.engine().embed(pixels, each.portrait.face)
    return engine.unit(each.feature)


def _image_id(encoded: bytes, external_image_id: str | None) -> str:
    digest = hashlib.sha256(encoded).hexdigest()
    return str(uuid3(_IMAGE_NAMESPACE, f"{digest}:{external_image_id or ''}"))


def _store(call: Call, newcomers: Sequence[_Newcomer]) -> list[str]:
    """Add faces to the collection in one transaction; return their ids, the old ones if a picture is repeated."""
    with call.store.writing() as connection:
        collection = find_collection(connection, call.collection_name)
        if collection is None:  # deleted while the picture was processed
            raise collection_missing(call.collection_name)
        known = _known_faces(connection, collection["id"], newcomers)
        face_ids, row_ids, vectors = [], [], []
        for newcomer in newcomers:
            face_id = known.get(json.dumps(stored_box(newcomer.portrait.box)))
            if face_id is None:
                face_id = str(uuid4())
                row_ids.append(_insert(connection, collection["id"], face_id, newcomer))
                vectors.append(newcomer.embedding)
            face_ids.append(face_id)
        if row_ids:
            call.store.remember(collection["id"], engine.VERSION, row_ids, np.stack(vectors))
    return face_ids


def _known_faces(connection: sqlite3.Connection, collection: int, newcomers: Sequence[_Newcomer]) -> dict[str, str]:
    """Return face ids by bounding box of the same picture under the same ExternalImageId."""
    if not newcomers or (newcomers[0].external_image_id is None and UNNAMED_REPEATS_ARE_NEW):
        return {}
    rows = connection.execute(
        "SELECT listed FROM face WHERE collection = ? AND image_id = ?", (collection, newcomers[0].image_id)
    )
    faces = [json.loads(row["listed"]) for row in rows]
    return {json.dumps(face["BoundingBox"]): face["FaceId"] for face in faces}


def _insert(connection: sqlite3.Connection, collection: int, face_id: str, newcomer: _Newcomer) -> int:
    cursor = connection.execute(
        "INSERT INTO face (collection, face_id, image_id, indexed, engine, listed, embedding)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            collection,
            face_id,
            newcomer.image_id,
            time.time(),
            engine.VERSION,
            write_json(newcomer.stored(face_id)),
            newcomer.embedding.astype(EMBEDDING_TYPE).tobytes(),
        ),
    )
    return int(cursor.lastrowid or 0)
