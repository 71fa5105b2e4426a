"""Behaviour of a filled store: long listings, embeddings of two engines, bounded memory."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localcloud.rekognition import engine
from localcloud.rekognition.store import Store

Launch = Callable[[Path], Any]
REGION_FILE = Path("rekognition") / "123456789012" / "us-east-1.sqlite"


def fill(store: Store, name: str, vectors: np.ndarray, version: str = engine.VERSION) -> list[str]:
    """Write a face for each vector; return their ids."""
    face_ids = [str(uuid.UUID(int=number + 1)) for number in range(len(vectors))]
    with store.writing() as connection:
        connection.execute("INSERT OR IGNORE INTO collection (name, created, face_model) VALUES (?, 0, '7.0')", (name,))
        collection = connection.execute("SELECT id FROM collection WHERE name = ?", (name,)).fetchone()[0]
        connection.executemany(
            "INSERT INTO face (collection, face_id, image_id, indexed, engine, listed, embedding)"
            " VALUES (?, ?, 'i', 0, ?, ?, ?)",
            [
                (collection, face_id, version, json.dumps({"FaceId": face_id}), vector.astype("<f4").tobytes())
                for face_id, vector in zip(face_ids, vectors, strict=True)
            ],
        )
    return face_ids


def basis(*numbers: int) -> np.ndarray:
    """Unit vectors along axes."""
    return np.eye(engine.DIMENSIONS, dtype=np.float32)[list(numbers)]


@pytest.mark.slow
def test_more_faces_than_a_page_are_listed_to_the_last(own_state: Path, launch: Launch):
    store = Store(own_state / REGION_FILE)
    face_ids = fill(store, "many", np.tile(basis(0), (9_000, 1)))
    store.close()
    client = launch(own_state).client("rekognition")
    first = client.list_faces(CollectionId="many", MaxResults=4096)
    assert len(first["Faces"]) == 4096
    assert len(client.list_faces(CollectionId="many")["Faces"]) == 1000
    pages = client.get_paginator("list_faces").paginate(CollectionId="many", PaginationConfig={"PageSize": 4096})
    assert [face["FaceId"] for page in pages for face in page["Faces"]] == face_ids
    assert len(client.search_faces(CollectionId="many", FaceId=face_ids[0])["FaceMatches"]) == 4096
    gone = client.delete_faces(CollectionId="many", FaceIds=face_ids[:4096])["DeletedFaces"]
    assert gone == face_ids[:4096]
    assert client.describe_collection(CollectionId="many")["FaceCount"] == 9_000 - 4096
    assert len(client.search_faces(CollectionId="many", FaceId=face_ids[-1], MaxFaces=4096)["FaceMatches"]) == 4096


@pytest.mark.slow
def test_embeddings_of_two_engines_are_never_compared(own_state: Path, launch: Launch, photo: Any):
    store = Store(own_state / REGION_FILE)
    face_ids = fill(store, "old", basis(0, 0), version="another engine")
    store.close()
    client = launch(own_state).client("rekognition")
    image = {"Bytes": photo(1, 1)}
    client.index_faces(CollectionId="old", Image=image)
    assert len(client.list_faces(CollectionId="old")["Faces"]) == 3
    by_image = client.search_faces_by_image(CollectionId="old", Image=image, FaceMatchThreshold=0)["FaceMatches"]
    assert len(by_image) == 1
    assert by_image[0]["Face"]["FaceId"] not in face_ids
    by_face = client.search_faces(CollectionId="old", FaceId=face_ids[0], FaceMatchThreshold=0)["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in by_face] == face_ids[1:]


@pytest.mark.slow
def test_a_user_has_at_most_100_faces(own_state: Path, launch: Launch):
    store = Store(own_state / REGION_FILE)
    face_ids = fill(store, "c", np.tile(basis(0), (102, 1)))
    store.close()
    client = launch(own_state).client("rekognition")
    user = {"CollectionId": "c", "UserId": "u"}
    client.create_user(**user)
    assert len(client.associate_faces(**user, FaceIds=face_ids[:99])["AssociatedFaces"]) == 99
    with pytest.raises(client.exceptions.ServiceQuotaExceededException):
        client.associate_faces(**user, FaceIds=face_ids[99:])
    assert len(client.associate_faces(**user, FaceIds=face_ids[99:100])["AssociatedFaces"]) == 1


def test_a_failed_request_changes_neither_file_nor_memory(tmp_path: Path):
    store = Store(tmp_path / "store.sqlite")
    fill(store, "c", basis(0, 1))

    def fail() -> None:
        with store.writing() as connection:
            connection.execute("DELETE FROM face")
            store.forget(1, engine.VERSION, [1, 2])
            raise KeyError

    with store.reading():
        assert len(store.matrix(1, engine.VERSION)) == 2
    with pytest.raises(KeyError):
        fail()
    with store.reading() as connection:
        assert len(store.matrix(1, engine.VERSION)) == 2
        assert connection.execute("SELECT count(*) FROM face").fetchone()[0] == 2
    store.close()


def test_collections_searched_long_ago_leave_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("localcloud.rekognition.store._ROWS_IN_MEMORY", 3)
    store = Store(tmp_path / "store.sqlite")
    for name in ("a", "b", "c"):
        fill(store, name, basis(0))
    fill_more = basis(1, 2, 3)
    with store.writing() as connection:
        connection.executemany(
            "INSERT INTO face (collection, face_id, image_id, indexed, engine, listed, embedding)"
            " VALUES (3, ?, 'i', 0, ?, '{}', ?)",
            [(str(uuid.uuid4()), engine.VERSION, vector.tobytes()) for vector in fill_more],
        )
    with store.reading():
        for collection in (1, 2, 3, 1):
            store.matrix(collection, engine.VERSION)
        assert list(store._matrices) == [(1, engine.VERSION)]
    store.close()
