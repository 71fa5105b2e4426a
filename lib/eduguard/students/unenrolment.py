"""Remove all data about a student's face: faces, photos, rows; families have the right to this."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws import Collection, read_faces
from eduguard.identifiers import PLACEHOLDER, photos_prefix, split_external_image_id
from eduguard.plurals import amount
from eduguard.students.completion import Tell
from eduguard.students.storage import Storage

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """All stored data about a student's face; every tuple is sorted."""

    student_id: str
    faces: tuple[str, ...]
    photos: tuple[str, ...]
    rows: tuple[str, ...]
    user: str | None

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is left."""
        return not (self.faces or self.photos or self.rows or self.user)

    def counts(self) -> str:
        """Return the counts as one line."""
        counts = {"face": len(self.faces), "photo": len(self.photos), "row": len(self.rows)}
        return ", ".join([*(amount(number, noun) for noun, number in counts.items()), *["1 user"] * bool(self.user)])

    def __str__(self) -> str:
        groups = (
            ("face", self.faces),
            ("photo", self.photos),
            ("row", self.rows),
            ("user", (self.user,) if self.user else ()),
        )
        return "\n".join(f"{kind:<6} {name}" for kind, names in groups for name in names)


def find_traces(conn: "Connection", student: str, storage: Storage) -> Traces:
    """Find a student's faces, photos and rows, each independently of the others; read-only."""
    query = "SELECT id, face_id FROM student_faces WHERE student_id = %s ORDER BY id"
    rows = conn.execute(query, [student]).fetchall()
    exists = storage.collection.describe() is not None
    owners = _owners(storage.collection) if exists else {}
    # A face that was just indexed may not be listed yet; a face with another student's id does not belong to this one.
    unlisted = {face for _, face in rows if exists and face != PLACEHOLDER} - owners.keys()
    faces = unlisted | {face for face, owner in owners.items() if owner == student}
    return Traces(
        student_id=student,
        faces=tuple(sorted(faces)),
        photos=tuple(sorted(storage.bucket.sizes(photos_prefix(student)))) if storage.bucket.exists() else (),
        rows=tuple(row for row, _ in rows),
        user=student if exists and student in storage.collection.list_users() else None,
    )


def _owners(collection: Collection) -> dict[str, str]:
    parts = ((face.face_id, split_external_image_id(face.external_image_id or "")) for face in read_faces(collection))
    return {face_id: found[0] if found else "" for face_id, found in parts}


def remove_traces(conn: "Connection", student: str, storage: Storage, *, tell: Tell = lambda _: None) -> Traces:
    """Remove all data about a student's face and return what was removed.

    After the first step the student is no longer recognised. Rows say what else exists, so they are deleted last: after
    a crash, a new run removes the rest. The student's row is locked, so that nothing is enrolled at the same time.
    """
    with conn.transaction():
        conn.execute("SELECT FROM students WHERE id = %s FOR NO KEY UPDATE", [student])
        traces = find_traces(conn, student, storage)
        if traces.user:
            storage.collection.delete_user(traces.user)  # Rekognition does not delete a face that belongs to a user
        tell("user")
        storage.collection.delete_faces(list(traces.faces))
        tell("faces")
        storage.bucket.delete(traces.photos)
        tell("photos")
        conn.execute("DELETE FROM student_faces WHERE student_id = %s", [student])
        tell("rows")
    tell("committed")
    return traces
