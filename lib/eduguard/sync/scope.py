"""Which rows a sync is about: those of a collection, and of one student or grade where named."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws.types import Face
from eduguard.errors import EduguardError
from eduguard.identifiers import split_external_image_id
from eduguard.sync.plan import FaceRow

if TYPE_CHECKING:
    from psycopg import Connection

# A student says which collection holds their faces. A collection that no student names stands in for all of them:
# that is how one set of seeds works with another collection on each target.
ROWS = """
SELECT f.external_image_id, f.face_id FROM student_faces f JOIN students s ON s.id = f.student_id
WHERE (s.aws_collection_id = %(collection)s
       OR NOT EXISTS (SELECT FROM students WHERE aws_collection_id = %(collection)s))
AND (%(student)s = '' OR s.id = %(student)s) AND (%(grade)s = '' OR s.grade_id = %(grade)s)
"""
_STUDENTS = """
SELECT id FROM students
WHERE (%(student)s = '' OR id = %(student)s) AND (%(grade)s = '' OR grade_id = %(grade)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which rows a sync compares: those of a collection, and of one student or grade where named."""

    collection: str
    student: str = ""
    grade: str = ""

    @property
    def is_narrow(self) -> bool:
        """Say whether it leaves out rows of the collection."""
        return bool(self.student or self.grade)

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the queries that read it."""
        return {"collection": self.collection, "student": self.student, "grade": self.grade}


def read_rows(conn: "Connection", scope: Scope, *, limit: int | None = None) -> list[FaceRow]:
    """Return the rows of the scope, or as many of them as the limit says; read-only."""
    rows = conn.execute(ROWS + "LIMIT %(limit)s", {**scope.parameters(), "limit": limit})
    return list(map(FaceRow._make, rows))


def read_students(conn: "Connection", scope: Scope) -> set[str]:
    """Return the ids of the students in the scope, whatever their collection; read-only.

    Raises:
        EduguardError: when there are none.
    """
    students = {student for (student,) in conn.execute(_STUDENTS, scope.parameters())}
    if not students:
        raise EduguardError(
            f"There is no student {scope.student or f'in grade {scope.grade}'}",
            hint="--student takes the id of a student, --grade the id of a grade.",
        )
    return students


def keep_students(faces: Iterable[Face], students: Container[str]) -> list[Face]:
    """Return the faces whose external image id names one of the students."""
    parts = ((face, split_external_image_id(face.external_image_id or "")) for face in faces)
    return [face for face, part in parts if part and part[0] in students]
