"""External image ids, and the plan that makes rows agree with the faces of a collection."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import Connection

PLACEHOLDER = "placeholder"
# The last `-photo-{n}` is the suffix: a student's id may contain the word itself. Characters and length are those that
# the Rekognition API reference allows in an ExternalImageId.
_EXTERNAL_IMAGE_ID = re.compile(r"(?=.{1,255}\Z)(?P<student_id>[a-zA-Z0-9_.\-:]+)-photo-(?P<number>[1-9][0-9]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceRow:
    """One row of student_faces, as far as sync is concerned."""

    external_image_id: str
    face_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face of a collection."""

    face_id: str
    external_image_id: str | None
    confidence: float
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """A row whose FaceId is to be written: from what it holds to what the collection says."""

    external_image_id: str
    before: str
    after: str

    @property
    def is_link(self) -> bool:
        """Say whether the row holds the placeholder so far."""
        return self.before == PLACEHOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What sync would do, and what it found; every tuple is sorted."""

    changes: tuple[Change, ...]
    unchanged: int
    missing: tuple[str, ...]
    """External image ids of rows that no face carries."""
    orphans: tuple[Face, ...]
    """Faces that no row claims, those that lost against another of the same external image id included."""

    @property
    def is_empty(self) -> bool:
        """Say whether applying it would change nothing."""
        return not self.changes

    def summary(self, *, dry_run: bool = False) -> str:
        """Return the counts as one line."""
        return (
            f"{len(self.changes)} {'to sync' if dry_run else 'synced'}, {self.unchanged} unchanged, "
            f"{len(self.missing)} not in collection, {len(self.orphans)} in collection only"
        )


def external_image_id(student_id: str, number: int) -> str:
    """Return the external image id of a student's photo; number starts at 1."""
    return f"{student_id}-photo-{number}"


def split_external_image_id(text: str) -> tuple[str, int] | None:
    """Return student id and photo number, or None where the text is not an external image id of ours."""
    match = _EXTERNAL_IMAGE_ID.match(text)
    return (match["student_id"], int(match["number"])) if match else None


def is_student_id(text: str) -> bool:
    """Say whether external image ids can be made of the text."""
    return split_external_image_id(external_image_id(text, 1)) == (text, 1)


def plan_sync(rows: Iterable[FaceRow], faces: Iterable[Face]) -> Plan:
    """Compare rows with faces; a pure function, whose result does not depend on the order of its arguments.

    Where several faces carry one external image id, the one the row already has stays; without it the face with the
    highest confidence is taken, then the one with the lowest FaceId.
    """
    candidates: defaultdict[str | None, list[Face]] = defaultdict(list)
    for face in faces:
        candidates[face.external_image_id].append(face)
    changes, missing, unchanged = [], [], 0
    for row in rows:
        rivals = candidates.pop(row.external_image_id, [])
        if not rivals:
            missing.append(row.external_image_id)
            continue
        chosen = min(rivals, key=lambda face: (face.face_id != row.face_id, -face.confidence, face.face_id))
        rivals.remove(chosen)
        candidates[None] += rivals
        if chosen.face_id == row.face_id:
            unchanged += 1
        else:
            changes.append(Change(external_image_id=row.external_image_id, before=row.face_id, after=chosen.face_id))
    orphans = (face for rest in candidates.values() for face in rest)
    return Plan(
        changes=tuple(sorted(changes)),
        unchanged=unchanged,
        missing=tuple(sorted(missing)),
        orphans=tuple(sorted(orphans, key=lambda face: (face.external_image_id or "", face.face_id))),
    )


def read_rows(conn: "Connection") -> list[FaceRow]:
    """Return every row of student_faces; read-only."""
    query = "SELECT external_image_id, face_id FROM student_faces"
    return [FaceRow(external_image_id=external, face_id=face) for external, face in conn.execute(query)]


def count_placeholders(conn: "Connection") -> int:
    """Return how many rows wait for their first sync; read-only."""
    row = conn.execute("SELECT count(*) FROM student_faces WHERE face_id = %s", [PLACEHOLDER]).fetchone()
    return int(row[0]) if row else 0


def apply_plan(conn: "Connection", plan: Plan) -> int:
    """Write the plan's FaceIds in one transaction; return how many rows changed.

    A row is touched only while it holds the FaceId that the plan saw.
    """
    if plan.is_empty:
        return 0
    with conn.transaction():
        conn.execute("CREATE TEMP TABLE planned (external_image_id text, before text, after text) ON COMMIT DROP")
        with conn.cursor().copy("COPY planned FROM STDIN") as copy:
            for change in plan.changes:
                copy.write_row((change.external_image_id, change.before, change.after))
        # Two rows may swap their FaceIds: the placeholder in between keeps the unique index satisfied.
        conn.execute(
            "UPDATE student_faces f SET face_id = DEFAULT FROM planned p "
            "WHERE f.external_image_id = p.external_image_id AND f.face_id = p.before AND p.before <> %s",
            [PLACEHOLDER],
        )
        done = conn.execute(
            "UPDATE student_faces f SET face_id = p.after, indexed_at = coalesce(f.indexed_at, now()) FROM planned p "
            "WHERE f.external_image_id = p.external_image_id AND f.face_id = %s",
            [PLACEHOLDER],
        )
        return done.rowcount
