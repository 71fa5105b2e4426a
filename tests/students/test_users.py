"""Who belongs to which user is a pure function of rows and faces."""

from eduguard.aws.types import Face
from eduguard.identifiers import PLACEHOLDER
from eduguard.students.users import plan_users
from eduguard.sync import FaceRow


def face(face_id: str, user: str | None = None) -> Face:
    return Face(face_id=face_id, external_image_id=None, confidence=99, user_id=user)


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


def test_a_face_is_never_taken_from_another_user() -> None:
    assert plan_users([row("ana", 1, "a")], [face("a", "luz")]).missing == ()
