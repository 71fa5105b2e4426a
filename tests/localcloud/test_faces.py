"""Faces: index, list, search, delete."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from botocore.exceptions import ClientError

ErrorOf = Callable[..., tuple[str, str, int]]
Photo = Callable[[int, int], bytes]


@pytest.fixture
def enrolled(rekognition: Any, collection: str, photo: Photo) -> dict[str, str]:
    """Face ids by ExternalImageId: three students, two photos each."""
    return {
        name: rekognition.index_faces(
            CollectionId=collection, Image={"Bytes": photo(student, number)}, ExternalImageId=name
        )["FaceRecords"][0]["Face"]["FaceId"]
        for student in (1, 2, 3)
        for number in (1, 2)
        for name in [f"student-{student:03}-photo-{number}"]
    }


def test_indexing_answers_in_the_shape_of_aws(rekognition: Any, collection: str, photo: Photo):
    bodies = []
    rekognition.meta.events.register("after-call", lambda http_response, **_: bodies.append(http_response.text))
    rekognition.index_faces(CollectionId=collection, Image={"Bytes": photo(1, 1)}, ExternalImageId="s:1")
    answer = json.loads(bodies[-1])
    assert list(answer) == ["FaceRecords", "FaceModelVersion", "UnindexedFaces"]
    record = answer["FaceRecords"][0]
    assert list(record["Face"]) == ["FaceId", "BoundingBox", "ImageId", "ExternalImageId", "Confidence"]
    assert list(record["FaceDetail"]) == ["BoundingBox", "Landmarks", "Pose", "Quality", "Confidence"]
    assert UUID(record["Face"]["FaceId"]).version == 4
    assert UUID(record["Face"]["ImageId"]).version == 3
    assert [mark["Type"] for mark in record["FaceDetail"]["Landmarks"]] == [
        "eyeLeft",
        "eyeRight",
        "mouthLeft",
        "mouthRight",
        "nose",
    ]
    eyes = {mark["Type"]: mark["X"] for mark in record["FaceDetail"]["Landmarks"]}
    assert eyes["eyeLeft"] < eyes["eyeRight"]
    assert answer["UnindexedFaces"] == []


def test_a_listed_face_is_rounded_and_names_its_model(rekognition: Any, collection: str, photo: Photo):
    indexed = rekognition.index_faces(CollectionId=collection, Image={"Bytes": photo(1, 1)})["FaceRecords"][0]["Face"]
    listed = rekognition.list_faces(CollectionId=collection)["Faces"][0]
    assert listed.pop("IndexFacesModelVersion") == "7.0"
    assert listed["BoundingBox"] != indexed["BoundingBox"]
    for name, number in listed.pop("BoundingBox").items():
        assert number == pytest.approx(indexed["BoundingBox"][name], rel=1e-5)
    assert listed.pop("Confidence") == pytest.approx(indexed["Confidence"], abs=1e-4)
    assert listed == {"FaceId": indexed["FaceId"], "ImageId": indexed["ImageId"]}


def test_every_face_of_a_picture_is_indexed_the_largest_first(rekognition: Any, collection: str, class_photo: bytes):
    answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": class_photo}, ExternalImageId="class")
    boxes = [record["Face"]["BoundingBox"] for record in answer["FaceRecords"]]
    areas = [box["Width"] * box["Height"] for box in boxes]
    assert len(areas) == 6
    assert areas == sorted(areas, reverse=True)
    assert {record["Face"]["ExternalImageId"] for record in answer["FaceRecords"]} == {"class"}


def test_faces_beyond_max_faces_are_named(rekognition: Any, collection: str, class_photo: bytes):
    answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": class_photo}, MaxFaces=2)
    assert len(answer["FaceRecords"]) == 2
    assert [face["Reasons"] for face in answer["UnindexedFaces"]] == [["EXCEEDS_MAX_FACES"]] * 4
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 2


def test_the_same_picture_under_the_same_name_is_stored_once(rekognition: Any, collection: str, class_photo: bytes):
    first, again = (
        rekognition.index_faces(CollectionId=collection, Image={"Bytes": class_photo}, ExternalImageId="class")
        for _ in range(2)
    )
    assert [record["Face"] for record in first["FaceRecords"]] == [record["Face"] for record in again["FaceRecords"]]
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 6


@pytest.mark.parametrize(
    ("names", "image_ids"),
    [pytest.param(("a", "b"), 2, id="two names"), pytest.param((None, None), 1, id="no name")],
)
def test_the_same_picture_under_another_name_or_none_is_stored_again(
    rekognition: Any, collection: str, photo: Photo, names: tuple[str | None, str | None], image_ids: int
):
    faces = [
        rekognition.index_faces(
            CollectionId=collection,
            Image={"Bytes": photo(1, 1)},
            **({"ExternalImageId": name} if name else {}),
        )["FaceRecords"][0]["Face"]
        for name in names
    ]
    assert len({face["FaceId"] for face in faces}) == 2
    assert len({face["ImageId"] for face in faces}) == image_ids


def test_a_face_that_was_deleted_comes_back_under_a_new_id(rekognition: Any, collection: str, photo: Photo):
    def index() -> Any:
        image = {"Bytes": photo(1, 1)}
        return rekognition.index_faces(CollectionId=collection, Image=image, ExternalImageId="a")["FaceRecords"][0]

    first = index()["Face"]
    rekognition.delete_faces(CollectionId=collection, FaceIds=[first["FaceId"]])
    second = index()["Face"]
    assert first["ImageId"] == second["ImageId"]
    assert first["FaceId"] != second["FaceId"]


def test_faces_are_listed_in_pages_by_ascending_id(rekognition: Any, collection: str, enrolled: dict[str, str]):
    pages = list(
        rekognition.get_paginator("list_faces").paginate(CollectionId=collection, PaginationConfig={"PageSize": 4})
    )
    assert [len(page["Faces"]) for page in pages] == [4, 2]
    assert [face["FaceId"] for page in pages for face in page["Faces"]] == sorted(enrolled.values())
    assert "NextToken" in pages[0]
    assert "NextToken" not in pages[1]


def test_a_full_last_page_has_no_token(rekognition: Any, collection: str, enrolled: dict[str, str]):
    assert "NextToken" not in rekognition.list_faces(CollectionId=collection, MaxResults=len(enrolled))
    assert len(rekognition.list_faces(CollectionId=collection, MaxResults=0)["Faces"]) == len(enrolled)


def test_faces_are_filtered_by_id_and_unknown_ids_are_left_out(
    rekognition: Any, collection: str, enrolled: dict[str, str]
):
    wanted = enrolled["student-001-photo-1"]
    answer = rekognition.list_faces(CollectionId=collection, FaceIds=[wanted, str(uuid4())])
    assert [face["FaceId"] for face in answer["Faces"]] == [wanted]


def test_a_token_of_another_collection_is_refused(
    rekognition: Any, collection: str, enrolled: dict[str, str], error_of: ErrorOf
):
    assert enrolled
    token = rekognition.list_faces(CollectionId=collection, MaxResults=1)["NextToken"]
    rekognition.create_collection(CollectionId="another")
    assert error_of(rekognition.list_faces, CollectionId="another", NextToken=token) == (
        "InvalidPaginationTokenException",
        "Invalid Pagination Token",
        400,
    )
    rekognition.delete_collection(CollectionId="another")


def test_a_search_finds_the_same_person_best_first_and_never_itself(
    rekognition: Any, collection: str, enrolled: dict[str, str]
):
    face_id = enrolled["student-002-photo-1"]
    answer = rekognition.search_faces(CollectionId=collection, FaceId=face_id, FaceMatchThreshold=0)
    scores = [match["Similarity"] for match in answer["FaceMatches"]]
    assert answer["SearchedFaceId"] == face_id
    assert answer["FaceModelVersion"] == "7.0"
    assert answer["FaceMatches"][0]["Face"]["ExternalImageId"] == "student-002-photo-2"
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == len(enrolled) - 1


def test_the_threshold_is_inclusive_and_max_faces_cuts(rekognition: Any, collection: str, enrolled: dict[str, str]):
    named = {"CollectionId": collection, "FaceId": enrolled["student-002-photo-1"]}
    scores = [match["Similarity"] for match in rekognition.search_faces(**named, FaceMatchThreshold=0)["FaceMatches"]]
    at_third = rekognition.search_faces(**named, FaceMatchThreshold=scores[2])["FaceMatches"]
    assert [match["Similarity"] for match in at_third] == scores[:3]
    assert len(rekognition.search_faces(**named, FaceMatchThreshold=0, MaxFaces=2)["FaceMatches"]) == 2
    assert all(match["Similarity"] >= 80 for match in rekognition.search_faces(**named)["FaceMatches"])


def test_an_unknown_face_is_an_invalid_parameter(rekognition: Any, collection: str, error_of: ErrorOf):
    assert error_of(rekognition.search_faces, CollectionId=collection, FaceId=str(uuid4())) == (
        "InvalidParameterException",
        "faceId was not found in the collection.",
        400,
    )


def test_another_photo_of_a_student_finds_the_student(
    rekognition: Any, collection: str, enrolled: dict[str, str], photo: Photo
):
    answer = rekognition.search_faces_by_image(CollectionId=collection, Image={"Bytes": photo(3, 3)})
    best = {match["Face"]["ExternalImageId"] for match in answer["FaceMatches"][:2]}
    assert enrolled
    assert best == {"student-003-photo-1", "student-003-photo-2"}
    assert answer["SearchedFaceBoundingBox"].keys() == {"Width", "Height", "Left", "Top"}
    assert answer["SearchedFaceConfidence"] > 80


def test_a_picture_without_a_face_can_be_indexed_but_not_searched(
    rekognition: Any, collection: str, blank: bytes, error_of: ErrorOf
):
    answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": blank})
    assert (answer["FaceRecords"], answer["UnindexedFaces"]) == ([], [])
    assert rekognition.detect_faces(Image={"Bytes": blank})["FaceDetails"] == []
    assert error_of(rekognition.search_faces_by_image, CollectionId=collection, Image={"Bytes": blank}) == (
        "InvalidParameterException",
        "There are no faces in the image. Should be at least 1.",
        400,
    )


def test_deleting_says_which_faces_were_not_there(rekognition: Any, collection: str, enrolled: dict[str, str]):
    unknown, known = str(uuid4()), enrolled["student-001-photo-1"]
    for deleted in ([known], []):
        answer = rekognition.delete_faces(CollectionId=collection, FaceIds=[unknown, known, known])
        assert answer["DeletedFaces"] == deleted
        missing = {failure["FaceId"]: failure["Reasons"] for failure in answer["UnsuccessfulFaceDeletions"]}
        assert missing == {face_id: ["FACE_NOT_FOUND"] for face_id in (unknown, known) if face_id not in deleted}


@pytest.mark.slow
def test_concurrent_requests_neither_lose_nor_double_a_face(cloud: Any, collection: str, photo: Photo):
    pictures = [(student, number) for student in range(1, 7) for number in (1, 2, 3)] * 2

    def index(picture: tuple[int, int]) -> str:
        client = cloud.client("rekognition")
        named = {"Image": {"Bytes": photo(*picture)}, "ExternalImageId": "-".join(map(str, picture))}
        face = client.index_faces(CollectionId=collection, **named)["FaceRecords"][0]["Face"]
        matches = client.search_faces(CollectionId=collection, FaceId=face["FaceId"], FaceMatchThreshold=0)
        assert face["FaceId"] not in {match["Face"]["FaceId"] for match in matches["FaceMatches"]}
        return str(face["FaceId"])

    with ThreadPoolExecutor(6) as pool:
        face_ids = set(pool.map(index, pictures))
    listed = cloud.client("rekognition").list_faces(CollectionId=collection)["Faces"]
    assert len(face_ids) == 18
    assert {face["FaceId"] for face in listed} == face_ids


def test_a_constraint_is_checked_before_anything_else(rekognition: Any, error_of: ErrorOf):
    code, message, status = error_of(
        rekognition.index_faces, CollectionId="nobody", Image={"Bytes": b"x"}, ExternalImageId="a/b"
    )
    assert (code, status) == ("ValidationException", 400)
    assert "at 'externalImageId' failed to satisfy constraint" in message


def test_an_error_of_the_service_has_three_members(cloud: Any, rekognition: Any):
    bodies = []
    rekognition.meta.events.register("after-call", lambda http_response, **_: bodies.append(http_response.text))
    with pytest.raises(ClientError):
        rekognition.describe_collection(CollectionId="nobody")
    answer = json.loads(bodies[-1])
    assert list(answer) == ["__type", "Code", "Message"]
    assert answer["__type"] == answer["Code"] == "ResourceNotFoundException"
