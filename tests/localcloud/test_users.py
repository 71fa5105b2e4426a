"""Users and the faces that belong to them."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

ErrorOf = Callable[..., tuple[str, str, int]]
Photo = Callable[[int, int], bytes]
Index = Callable[[int, int], str]


@pytest.fixture
def index(rekognition: Any, collection: str, photo: Photo) -> Index:
    """Index a sample photo and return its face id."""

    def call(student: int, number: int) -> str:
        answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": photo(student, number)})
        return str(answer["FaceRecords"][0]["Face"]["FaceId"])

    return call


@pytest.fixture
def user(rekognition: Any, collection: str) -> dict[str, str]:
    """A user without faces, as the parameters that name it."""
    named = {"CollectionId": collection, "UserId": "school:ana"}
    rekognition.create_user(**named)
    return named


def test_a_user_is_created_listed_and_deleted(rekognition: Any, collection: str, user: dict[str, str]):
    assert rekognition.list_users(CollectionId=collection)["Users"] == [
        {"UserId": "school:ana", "UserStatus": "CREATED"}
    ]
    assert rekognition.describe_collection(CollectionId=collection)["UserCount"] == 1
    answer = rekognition.delete_user(**user)
    assert list(answer) == ["ResponseMetadata"]
    assert rekognition.list_users(CollectionId=collection)["Users"] == []


def test_a_second_user_of_a_name_is_a_conflict(rekognition: Any, user: dict[str, str], error_of: ErrorOf):
    assert error_of(rekognition.create_user, **user)[0] == "ConflictException"


def test_a_request_with_the_same_token_is_done_once(rekognition: Any, collection: str, error_of: ErrorOf):
    named = {"CollectionId": collection, "UserId": "u", "ClientRequestToken": uuid4().hex}
    rekognition.create_user(**named)
    rekognition.create_user(**named)
    code, message, _ = error_of(rekognition.create_user, **(named | {"UserId": "v"}))
    assert code == "IdempotentParameterMismatchException"
    assert message == f"The ClientRequestToken: {named['ClientRequestToken']} you have supplied is already in use."


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("delete_user", {}),
        ("associate_faces", {"FaceIds": [str(uuid4())]}),
        ("disassociate_faces", {"FaceIds": [str(uuid4())]}),
        ("search_users", {}),
        ("list_faces", {}),
    ],
)
def test_an_unknown_user_is_not_found(
    rekognition: Any, collection: str, error_of: ErrorOf, operation: str, more: dict[str, Any]
):
    call = getattr(rekognition, operation)
    assert error_of(call, CollectionId=collection, UserId="nobody", **more)[0] == "ResourceNotFoundException"


def test_users_are_listed_in_pages(rekognition: Any, collection: str):
    for number in range(5):
        rekognition.create_user(CollectionId=collection, UserId=f"user-{number}")
    pages = list(
        rekognition.get_paginator("list_users").paginate(CollectionId=collection, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert {user["UserId"] for page in pages for user in page["Users"]} == {f"user-{number}" for number in range(5)}


def test_faces_are_associated_listed_and_released(rekognition: Any, user: dict[str, str], index: Index):
    faces = [index(1, 1), index(1, 2)]
    answer = rekognition.associate_faces(**user, FaceIds=faces)
    assert answer["AssociatedFaces"] == [{"FaceId": face_id} for face_id in faces]
    assert answer["UnsuccessfulFaceAssociations"] == []
    assert answer["UserStatus"] == "UPDATING"
    assert rekognition.list_users(CollectionId=user["CollectionId"])["Users"][0]["UserStatus"] == "ACTIVE"
    listed = rekognition.list_faces(**user)["Faces"]
    assert {face["FaceId"]: face["UserId"] for face in listed} == dict.fromkeys(faces, "school:ana")
    released = rekognition.disassociate_faces(**user, FaceIds=faces[:1])
    assert released["DisassociatedFaces"] == [{"FaceId": faces[0]}]
    assert [face["FaceId"] for face in rekognition.list_faces(**user)["Faces"]] == faces[1:]


def test_a_face_that_cannot_be_associated_says_why(rekognition: Any, user: dict[str, str], index: Index):
    own, other, stranger, unknown = index(1, 1), index(2, 1), index(3, 1), str(uuid4())
    rekognition.create_user(CollectionId=user["CollectionId"], UserId="other")
    rekognition.associate_faces(CollectionId=user["CollectionId"], UserId="other", FaceIds=[other])
    rekognition.associate_faces(**user, FaceIds=[own])
    answer = rekognition.associate_faces(**user, FaceIds=[own, other, stranger, unknown], UserMatchThreshold=99)
    refused = {failure["FaceId"]: failure for failure in answer["UnsuccessfulFaceAssociations"]}
    assert answer["AssociatedFaces"] == []
    assert own not in refused
    assert refused[unknown] == {"FaceId": unknown, "Reasons": ["FACE_NOT_FOUND"]}
    assert refused[other] == {"FaceId": other, "UserId": "other", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}
    assert refused[stranger]["Reasons"] == ["LOW_MATCH_CONFIDENCE"]
    again = rekognition.associate_faces(**user, FaceIds=[stranger], UserMatchThreshold=99)
    assert (again["AssociatedFaces"], again["UserStatus"]) == ([], "ACTIVE")
    assert 0 < refused[stranger]["Confidence"] < 99
    assert "UserId" not in refused[stranger]


def test_a_face_of_a_user_cannot_be_deleted(rekognition: Any, user: dict[str, str], index: Index):
    face_id, collection = index(1, 1), user["CollectionId"]
    rekognition.associate_faces(**user, FaceIds=[face_id])
    answer = rekognition.delete_faces(CollectionId=collection, FaceIds=[face_id])
    assert answer["DeletedFaces"] == []
    assert answer["UnsuccessfulFaceDeletions"] == [
        {"FaceId": face_id, "UserId": "school:ana", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}
    ]
    rekognition.delete_user(**user)
    assert rekognition.delete_faces(CollectionId=collection, FaceIds=[face_id])["DeletedFaces"] == [face_id]


def test_users_are_found_by_face_by_user_and_by_picture(
    rekognition: Any, collection: str, index: Index, photo: Photo, class_photo: bytes
):
    for student in (1, 2):
        rekognition.create_user(CollectionId=collection, UserId=f"u{student}")
        faces = [index(student, number) for number in (1, 2)]
        rekognition.associate_faces(CollectionId=collection, UserId=f"u{student}", FaceIds=faces)
    loose = index(2, 3)
    by_face = rekognition.search_users(CollectionId=collection, FaceId=loose, UserMatchThreshold=0)
    assert by_face["UserMatches"][0]["User"] == {"UserId": "u2", "UserStatus": "ACTIVE"}
    assert by_face["SearchedFace"] == {"FaceId": loose}
    assert "SearchedUser" not in by_face
    by_user = rekognition.search_users(CollectionId=collection, UserId="u1", UserMatchThreshold=0)
    assert [match["User"]["UserId"] for match in by_user["UserMatches"]] == ["u2"]
    assert by_user["SearchedUser"] == {"UserId": "u1"}
    by_image = rekognition.search_users_by_image(CollectionId=collection, Image={"Bytes": photo(1, 3)}, MaxUsers=1)
    assert [match["User"]["UserId"] for match in by_image["UserMatches"]] == ["u1"]
    assert by_image["SearchedFace"]["FaceDetail"]["Confidence"] > 80
    in_class = rekognition.search_users_by_image(CollectionId=collection, Image={"Bytes": class_photo})
    assert [face["Reasons"] for face in in_class["UnsearchedFaces"]] == [["FACE_NOT_LARGEST"]] * 5


def test_searching_follows_every_change_of_a_user(rekognition: Any, user: dict[str, str], index: Index):
    face_id, collection = index(1, 1), user["CollectionId"]

    def found() -> list[str]:
        answer = rekognition.search_users(CollectionId=collection, FaceId=face_id)
        return [match["User"]["UserId"] for match in answer["UserMatches"]]

    assert found() == []
    rekognition.associate_faces(**user, FaceIds=[face_id])
    assert found() == ["school:ana"]
    rekognition.disassociate_faces(**user, FaceIds=[face_id])
    assert found() == []


def test_a_picture_without_a_face_matches_no_user_and_is_not_an_error(rekognition: Any, collection: str, blank: bytes):
    answer = rekognition.search_users_by_image(CollectionId=collection, Image={"Bytes": blank})
    assert (answer["UserMatches"], answer["UnsearchedFaces"]) == ([], [])
    assert "SearchedFace" not in answer


@pytest.mark.parametrize("named", [{}, {"UserId": "u", "FaceId": str(uuid4())}], ids=["neither", "both"])
def test_users_are_searched_by_face_or_user(
    rekognition: Any, collection: str, error_of: ErrorOf, named: dict[str, str]
):
    assert error_of(rekognition.search_users, CollectionId=collection, **named)[0] == "InvalidParameterException"


def test_comparing_splits_the_faces_of_a_picture(rekognition: Any, photo: Photo, class_photo: bytes):
    answer = rekognition.compare_faces(
        SourceImage={"Bytes": photo(1, 1)}, TargetImage={"Bytes": class_photo}, SimilarityThreshold=95
    )
    assert len(answer["FaceMatches"]) == 1
    assert answer["FaceMatches"][0]["Similarity"] >= 95
    assert list(answer["FaceMatches"][0]["Face"]) == ["BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"]
    assert len(answer["UnmatchedFaces"]) == 5
    assert answer["SourceImageFace"].keys() == {"BoundingBox", "Confidence"}


@pytest.mark.parametrize("place", ["SourceImage", "TargetImage"])
def test_comparing_needs_a_face_in_both_pictures(
    rekognition: Any, photo: Photo, blank: bytes, error_of: ErrorOf, place: str
):
    images = {"SourceImage": {"Bytes": photo(1, 1)}, "TargetImage": {"Bytes": photo(1, 1)}, place: {"Bytes": blank}}
    assert error_of(rekognition.compare_faces, **images) == (
        "InvalidParameterException",
        "Request has invalid parameters",
        400,
    )
