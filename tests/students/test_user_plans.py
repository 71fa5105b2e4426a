"""The texts about users and their faces, counted and sorted."""

import pytest

from eduguard.aws import Face
from eduguard.identifiers import PLACEHOLDER
from eduguard.students.users import UserPlan, find_mixed, name_mixed, plan_users


def face(face_id: str, user: str | None = None, name: str | None = None) -> Face:
    return Face(face_id=face_id, external_image_id=name, confidence=99, user_id=user)


def test_faces_go_to_the_users_of_their_students_and_those_that_have_theirs_stay() -> None:
    rows = [
        ("luz-photo-2", "l2"),
        ("ana-photo-2", "b"),
        ("ana-photo-1", "a"),
        ("luz-photo-1", "l1"),
        ("isa-photo-1", PLACEHOLDER),
        ("no form of ours", "x"),
        ("eva-photo-1", "not listed yet"),
    ]
    faces = [face("a"), face("b"), face("l1", "luz", "luz-photo-1"), face("l2", "luz", "luz-photo-2"), face("x")]
    plan = plan_users(rows, faces)
    assert plan == UserPlan(missing=(("ana", ("a", "b")), ("eva", ("not listed yet",))), unchanged=2)
    assert plan.summary() == "3 faces given to 2 users, 2 unchanged"
    assert plan.summary(refused=2) == "1 face given to 2 users, 2 unchanged"
    assert plan_users([("ana-photo-1", "a")], [face("a", "ana", "ana-photo-1")]).missing == ()


def test_a_user_with_a_face_of_another_student_gets_no_more_and_the_student_keeps_its_own() -> None:
    strange = face("s", "luz", "ana-photo-1")
    rows = [("ana-photo-1", "s"), ("ana-photo-2", "a"), ("luz-photo-1", "l"), ("luz-photo-2", "m")]
    plan = plan_users(rows, [strange, face("a"), face("l"), face("m", "luz", "luz-photo-2")])
    assert plan == UserPlan(missing=(("ana", ("a",)),), unchanged=1, mixed=(strange,))


def test_mixed_faces_are_sorted_by_user_then_name_then_face() -> None:
    sorted_ones = [
        face("9", "ana", None),
        face("1", "ana", "luz-photo-1"),
        face("2", "ana", "luz-photo-1"),
        face("0", "ana", "visitor"),
        face("3", "luz", "ana-photo-1"),
    ]
    own = [face("4", "ana", "ana-photo-7"), face("5", None, "luz-photo-2"), face("6")]
    assert find_mixed([*own, *sorted_ones[::-1]]) == sorted_ones
    assert find_mixed(own) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("ana-photo-1", "user luz has ana-photo-1 (f)"), (None, "user luz has a face without an id (f)")],
)
def test_a_mixed_face_is_named_with_its_user(name: str | None, said: str) -> None:
    assert name_mixed([face("f", "luz", name)]) == said
    assert name_mixed([face("f", "luz", name)] * 2) == f"{said}; {said}"
