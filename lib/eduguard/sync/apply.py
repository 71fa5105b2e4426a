"""Write exactly what was planned, in one transaction."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from eduguard.aws import PAGE_SIZE, Collection, Face
from eduguard.errors import EduguardError
from eduguard.identifiers import PLACEHOLDER, photo_key, split_external_image_id
from eduguard.plurals import amount
from eduguard.sync.plan import Plan

if TYPE_CHECKING:
    from psycopg import Connection

_INDEX = "student_faces_face_id"
_PLANNED = """
CREATE TEMP TABLE IF NOT EXISTS planned (external_image_id text, before text, after text);
DELETE FROM planned
"""
_BULK = 1_000  # rows to write, and their share of the table; from both on, recreating the index is faster
_BULK_SHARE = 0.5
_ROWS_AND_INDEX = "SELECT count(*), pg_get_indexdef(to_regclass(%s)) FROM student_faces"
_LET_GO = """
WITH freed AS (
    UPDATE student_faces f SET face_id = %(placeholder)s FROM planned p
    WHERE f.external_image_id = p.external_image_id AND f.face_id = p.before AND p.before <> %(placeholder)s
    AND p.before IN (SELECT after FROM planned)
    RETURNING f.external_image_id
)
UPDATE planned p SET before = %(placeholder)s FROM freed WHERE freed.external_image_id = p.external_image_id
"""
# The rows are planned in the order of external image ids, which is mostly their order on disk: writing them in the
# order in which the faces were listed takes twice as long (benchmarks/sync.py).
_UPDATE = """
UPDATE student_faces f SET face_id = p.after,
    indexed_at = CASE WHEN p.after = %(placeholder)s THEN NULL ELSE coalesce(f.indexed_at, now()) END
FROM planned p WHERE f.external_image_id = p.external_image_id AND f.face_id = p.before
"""
_ADOPT = """
INSERT INTO student_faces (id, student_id, external_image_id, face_id, photo_url, indexed_at)
SELECT %s, id, %s, %s, %s, now() FROM students WHERE id = %s ON CONFLICT DO NOTHING
"""
_UNUSED = f"""
SELECT f.face_id FROM unnest(%s::text[], %s::text[]) AS f (face_id, external_image_id)
WHERE NOT EXISTS (
    SELECT FROM student_faces r WHERE r.face_id = f.face_id
    OR r.external_image_id = f.external_image_id AND r.face_id = '{PLACEHOLDER}'
)
"""  # noqa: S608 -- no value of a user is in it
_LOCK = "SELECT FROM students WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE"


def apply_plan(conn: "Connection", plan: Plan) -> None:
    """Write the plan's FaceIds in one transaction.

    Raises:
        EduguardError: when a row has changed since the plan was made; then nothing was written.
    """
    from psycopg.errors import UniqueViolation

    if not plan.changed:
        return
    try:
        with conn.transaction():
            stale = plan.changed - _write(conn, plan)
            if stale:
                raise EduguardError(
                    f"The plan is stale: {stale} of {amount(plan.changed, 'row')} changed meanwhile",
                    hint="Nothing was written; run `inv sync-faces` again.",
                )
    except UniqueViolation as error:
        raise EduguardError(
            f"Two rows would hold one FaceId: {error.diag.message_detail}",
            hint="Nothing was written. A row took it meanwhile; run `inv sync-faces` again.",
        ) from error


def _write(conn: "Connection", plan: Plan) -> int:
    conn.execute(_PLANNED)
    with conn.cursor().copy("COPY planned FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text", "text", "text"])
        for change in plan.changes():
            copy.write_row(change)
    definition = _drop_index_for(conn, plan)
    if definition is None and (plan.relink or plan.unlink):
        # A FaceId that moves from one row to another is removed first: two rows may not share it, even for a moment.
        conn.execute(_LET_GO, {"placeholder": PLACEHOLDER})
    written = conn.execute(_UPDATE, {"placeholder": PLACEHOLDER}).rowcount
    if definition is not None:
        conn.execute(definition)
    return written


def _drop_index_for(conn: "Connection", plan: Plan) -> bytes | None:
    """Drop the unique index of FaceIds if that is faster; return the statement that recreates it, or None.

    Without the index, a rewritten row stays on its page and no other index is touched (heap-only tuples, PostgreSQL
    manual 66.7). The new index is sorted once instead of being filled in random order: three to four times as fast.
    Dropping it takes an exclusive lock, so it is done only while nobody else uses the table.
    """
    from psycopg.errors import InsufficientPrivilege, LockNotAvailable

    if plan.changed < _BULK:
        return None
    rows, definition = conn.execute(_ROWS_AND_INDEX, [_INDEX]).fetchone() or (0, None)
    if definition is None or plan.changed < _BULK_SHARE * rows:
        return None
    try:
        with conn.transaction():
            conn.execute(f"LOCK TABLE student_faces IN ACCESS EXCLUSIVE MODE NOWAIT; DROP INDEX {_INDEX}")
    except (InsufficientPrivilege, LockNotAvailable):
        return None
    return str(definition).encode()


def adopt_orphans(conn: "Connection", plan: Plan) -> list[str]:
    """Insert a row for each face without a row whose external image id names a known student; return these ids."""
    adopted = []
    with conn.transaction():
        for external, faces in groupby(plan.orphan, key=lambda face: face.external_image_id or ""):
            parts = split_external_image_id(external)
            if parts is None:
                continue
            face = min(faces, key=lambda face: (-face.confidence, face.face_id))
            if conn.execute(_ADOPT, [external, external, face.face_id, photo_key(*parts), parts[0]]).rowcount:
                adopted.append(external)
    return adopted


def keep_unused(conn: "Connection", faces: Sequence[Face]) -> list[Face]:
    """Return the faces that no row of any collection holds or waits for; read-only."""
    found = conn.execute(_UNUSED, [[face.face_id for face in faces], [face.external_image_id for face in faces]])
    unused = {face_id for (face_id,) in found}
    return sorted({face for face in faces if face.face_id in unused})


def delete_unused(conn: "Connection", collection: Collection, faces: Sequence[Face]) -> int:
    """Delete the listed faces that are still unused, and return how many were deleted.

    The rows of their students are locked, as enrolment locks them, and rows and faces are read again. So faces that
    somebody has enrolled, synced or adopted since the listing are kept.
    """
    deleted = 0
    for start in range(0, len(faces), PAGE_SIZE):
        batch = faces[start : start + PAGE_SIZE]
        parts = (split_external_image_id(face.external_image_id or "") for face in batch)
        with conn.transaction():
            conn.execute(_LOCK, [sorted({part[0] for part in parts if part})])
            there = {face[:2] for face in collection.find_faces([face.face_id for face in batch])}
            gone = [face.face_id for face in keep_unused(conn, batch) if face[:2] in there]
            collection.delete_faces(gone)
        deleted += len(gone)
    return deleted
