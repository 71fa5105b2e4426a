"""Apply a plan: read the rows of a collection, write what was planned and nothing else, in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.faces import PLACEHOLDER, Face, FaceRow, Plan, split_external_image_id

if TYPE_CHECKING:
    from psycopg import Connection

_FEW = 10  # linked rows; fewer than this are never a mass change
_MASS_CHANGE = 0.3
# A student says which collection holds their faces. A collection that no student names stands in for all of them:
# that is how one set of seeds works with another collection on each target.
_ROWS = """
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


def read_rows(conn: "Connection", scope: Scope) -> list[FaceRow]:
    """Return the rows of the scope; read-only."""
    return [
        FaceRow(external_image_id=external, face_id=face) for external, face in conn.execute(_ROWS, scope.parameters())
    ]


def read_collections(conn: "Connection") -> list[str]:
    """Return the collections that students name, sorted; read-only."""
    query = "SELECT DISTINCT aws_collection_id FROM students ORDER BY 1"
    return [collection for (collection,) in conn.execute(query)]


def keep_in_scope(conn: "Connection", faces: Sequence[Face], scope: Scope) -> list[Face]:
    """Return the faces of the students in the scope; all of them where it is not narrow.

    Raises:
        EduguardError: when no student is in the scope.
    """
    if not scope.is_narrow:
        return list(faces)
    students = {student for (student,) in conn.execute(_STUDENTS, scope.parameters())}
    if not students:
        raise EduguardError(
            f"There is no student {scope.student or f'in grade {scope.grade}'}",
            hint="--student takes the id of a student, --grade the id of a grade.",
        )
    parts = ((face, split_external_image_id(face.external_image_id or "")) for face in faces)
    return [face for face, part in parts if part and part[0] in students]


def count_placeholders(conn: "Connection") -> int:
    """Return how many rows wait for their first sync; read-only."""
    row = conn.execute("SELECT count(*) FROM student_faces WHERE face_id = %s", [PLACEHOLDER]).fetchone()
    return int(row[0]) if row else 0


def check_plausible(
    plan: Plan, *, place: str, face_count: int, name: str, confirm: str, ask: Callable[[str], str | None]
) -> None:
    """Return unless so many rows would lose their FaceId that collection, account or region must be the wrong one.

    Args:
        plan: what would be done.
        place: the collection with its account and region, for the message.
        face_count: as the collection counts its faces.
        name: the collection's name, which confirms.
        confirm: the name as passed by a flag, or empty.
        ask: shows a question and returns the answer, None without a terminal.

    Raises:
        EduguardError: with the numbers, unless the collection's name is passed or typed.
    """
    if plan.linked < _FEW or plan.lost <= _MASS_CHANGE * plan.linked:
        return
    numbers = (
        f"{plan.lost} of {plan.linked} linked rows would be relinked or find no face: {place} has {face_count} faces"
    )
    if confirm != name and ask(f"{numbers}.\nType the collection's name to go on:") != name:
        raise EduguardError(
            f"{numbers}: is it the right collection, account and region?",
            hint=f"Nothing was written. If it is, pass --confirm-collection {name}",
        )


def apply_plan(conn: "Connection", plan: Plan) -> None:
    """Write the plan's FaceIds in one transaction.

    Raises:
        EduguardError: when a row no longer holds what the plan saw; then nothing was written.
    """
    changes = plan.changes
    if not changes:
        return
    with conn.transaction():
        conn.execute("CREATE TEMP TABLE planned (external_image_id text, before text, after text) ON COMMIT DROP")
        with conn.cursor().copy("COPY planned FROM STDIN") as copy:
            for change in changes:
                copy.write_row((change.external_image_id, change.before, change.after))
        held = conn.execute(
            "SELECT count(*) FROM (SELECT FROM student_faces f JOIN planned p USING (external_image_id) "
            "WHERE f.face_id = p.before FOR UPDATE OF f) s"
        ).fetchone()
        stale = len(changes) - (held[0] if held else 0)
        if stale:
            raise EduguardError(
                f"The plan is stale: {stale} of {len(changes)} rows changed meanwhile",
                hint="Nothing was written; run `inv sync-faces` again.",
            )
        # A FaceId that passes from one row to another is let go first: the unique index allows no moment of sharing.
        conn.execute(
            "UPDATE student_faces f SET face_id = %s FROM planned p WHERE f.external_image_id = p.external_image_id "
            "AND p.before IN (SELECT after FROM planned WHERE after <> %s)",
            [PLACEHOLDER, PLACEHOLDER],
        )
        conn.execute(
            "UPDATE student_faces f SET face_id = p.after, "
            "indexed_at = CASE WHEN p.after = %s THEN NULL ELSE coalesce(f.indexed_at, now()) END "
            "FROM (SELECT * FROM planned ORDER BY external_image_id) p WHERE f.external_image_id = p.external_image_id",
            [PLACEHOLDER],
        )


def adopt_orphans(conn: "Connection", plan: Plan) -> list[str]:
    """Make a row for each face without one whose external image id names a known student; return these ids."""
    best_first = sorted(plan.orphan, key=lambda face: (-face.confidence, face.face_id))
    parts = [(face, split_external_image_id(face.external_image_id or "")) for face in best_first]
    adopted = []
    with conn.transaction():
        for face, part in parts:
            if part is None:
                continue
            done = conn.execute(
                "INSERT INTO student_faces (id, student_id, external_image_id, face_id, photo_url, indexed_at) "
                "SELECT %s, id, %s, %s, %s, now() FROM students WHERE id = %s ON CONFLICT DO NOTHING",
                [
                    face.external_image_id,
                    face.external_image_id,
                    face.face_id,
                    f"students/{part[0]}/photo-{part[1]}.jpg",
                    part[0],
                ],
            )
            if done.rowcount:
                adopted.append(str(face.external_image_id))
    return adopted
