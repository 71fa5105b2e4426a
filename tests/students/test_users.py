"""Which faces belong to which user depends only on rows and faces: pure functions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from eduguard.aws import Collection, Face, open_collection, read_faces
from eduguard.errors import EduguardError
from eduguard.identifiers import PLACEHOLDER
from eduguard.students.users import UserPlan, apply_users, find_mixed, plan_users
from eduguard.sync.plan import FaceRow


def face(face_id: str, user: str | None = None) -> Face:
    return Face(face_id=face_id, external_image_id=f"{user}-photo-1" if user else None, confidence=99, user_id=user)


def row(student: str, number: int, face_id: str) -> FaceRow:
    return FaceRow(external_image_id=f"{student}-photo-{number}", face_id=face_id)


def test_faces_of_rows_go_to_the_users_of_their_students() -> None:
    rows = [
        row("ana", 2, "b"),
        row("ana", 1, "a"),
        row("luz", 1, "c"),
        row("eva", 1, PLACEHOLDER),
        row("isa", 1, "new"),
    ]
    plan = plan_users(rows, [face("a"), face("b"), face("c", "luz"), face("orphan")])
    assert plan.missing == (("ana", ("a", "b")), ("isa", ("new",)))
    assert plan.unchanged == 1


def test_a_face_is_never_taken_from_another_user_and_that_user_gets_no_more() -> None:
    rows = [row("ana", 1, "a"), row("luz", 1, "l")]
    strange = Face("a", "ana-photo-1", 99, "luz")
    plan = plan_users(rows, [strange, Face("l", "luz-photo-1", 99)])
    assert (plan.missing, plan.unchanged, plan.mixed) == ((), 0, (strange,))


@pytest.mark.parametrize("name", ["ana-photo-1", "visitor", None])
def test_a_users_faces_must_all_carry_its_id(name: str | None) -> None:
    strange = Face("x", name, 99, "luz")
    assert find_mixed([Face("l", "luz-photo-1", 99, "luz"), strange, Face("y", name, 99)]) == [strange]


PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos" / "students"


@pytest.fixture
def collection(cloud_access: dict[str, Any]) -> Collection:
    opened = open_collection(f"users-{uuid4().hex[:12]}", **cloud_access)
    opened.create()
    return opened


def index(collection: Collection, student: str, number: int, name: str) -> str:
    return collection.index_face((PHOTOS / student / f"photo-{number}.jpg").read_bytes(), name).face_id


def owners(collection: Collection) -> dict[str, str | None]:
    return {face.face_id: face.user_id for page in collection.list_faces() for face in page}


def unseen(
    relay: Callable[..., str], access: dict[str, Any], collection: Collection, face_id: str, times: int
) -> tuple[Collection, list[list[str]]]:
    """Make a face look newly indexed: AssociateFaces answers FACE_NOT_FOUND this many times."""
    asked: list[list[str]] = []

    def answer(request: Any, body: bytes) -> tuple[int, bytes] | None:
        if not request.headers.get("X-Amz-Target", "").endswith(".AssociateFaces"):
            return None
        asked.append(json.loads(body)["FaceIds"])
        if len(asked) > times:
            return None
        refused = [{"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]}]
        return 200, json.dumps({"AssociatedFaces": [], "UnsuccessfulFaceAssociations": refused}).encode()

    return open_collection(collection.name, **(access | {"endpoint": relay(answer)})), asked


@pytest.mark.slow
def test_a_face_that_was_just_indexed_is_given_to_its_user_as_soon_as_it_is_found(
    collection: Collection, relay: Callable[..., str], cloud_access: dict[str, Any]
) -> None:
    face_id = index(collection, "student-001", 1, "ana-photo-1")
    opened, asked = unseen(relay, cloud_access, collection, face_id, times=2)
    plan = UserPlan(missing=(("ana", (face_id,)),), unchanged=3)
    assert apply_users(opened, plan) == "1 face given to 1 user, 3 unchanged"
    assert asked == [[face_id]] * 3
    assert owners(collection) == {face_id: "ana"}


@pytest.mark.slow
def test_refused_faces_are_counted_and_only_those_that_were_not_found_are_tried_again(
    collection: Collection, relay: Callable[..., str], cloud_access: dict[str, Any]
) -> None:
    faces = [index(collection, "student-001", number, f"ana-photo-{number}") for number in (1, 2)]
    stranger, gone = index(collection, "student-002", 1, "ana-photo-3"), str(uuid4())
    collection.create_user("ana")
    assert collection.associate_faces("ana", faces[:1]) == {}
    opened, asked = unseen(relay, cloud_access, collection, gone, times=0)
    plan = UserPlan(missing=(("ana", (faces[1], stranger, gone)),), unchanged=1)
    with pytest.raises(EduguardError) as raised:
        apply_users(opened, plan)
    named = f"{stranger} (LOW_MATCH_CONFIDENCE), {gone} (FACE_NOT_FOUND)"
    assert raised.value.message == f"1 face given to 1 user, 1 unchanged; 2 refused: {named}"
    assert owners(collection) == {faces[0]: "ana", faces[1]: "ana", stranger: None}
    assert asked == [[faces[1], stranger, gone], [gone], [gone], [gone]]


def test_a_student_whose_id_is_too_long_for_a_user_is_named_and_the_others_get_theirs(collection: Collection) -> None:
    face_id = index(collection, "student-002", 1, "luz-photo-1")
    plan = UserPlan(missing=(("a" * 129, ("x",)), ("luz", (face_id,))), unchanged=0)
    with pytest.raises(EduguardError, match="1 refused: x .a user's id has at most 128 characters: aaa"):
        apply_users(collection, plan)
    assert owners(collection) == {face_id: "luz"}


def test_a_face_of_another_students_user_is_named_with_the_command_that_takes_it_away(
    collection: Collection, client: Any
) -> None:
    one, two = (index(collection, f"student-00{number}", 1, f"student-00{number}-photo-1") for number in (1, 2))
    collection.create_user("student-002")
    assert collection.associate_faces("student-002", [one]) == {}
    rows = [FaceRow("student-001-photo-1", one), FaceRow("student-002-photo-1", two)]
    with pytest.raises(EduguardError) as raised:
        apply_users(collection, plan_users(rows, read_faces(collection)))
    assert f"user student-002 has student-001-photo-1 ({one})" in raised.value.message
    assert "LOW_MATCH_CONFIDENCE" not in str(raised.value)
    flags = str(raised.value.hint).partition("aws rekognition disassociate-faces ")[2].split()
    assert flags == ["--collection-id", collection.name, "--user-id", "student-002", "--face-ids", one]
    client.disassociate_faces(CollectionId=flags[1], UserId=flags[3], FaceIds=[flags[5]])
    apply_users(collection, plan_users(rows, read_faces(collection)))
    assert owners(collection) == {one: "student-001", two: "student-002"}
