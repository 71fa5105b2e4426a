"""Apply a plan: write what was planned and nothing else, in one transaction."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.identifiers import PLACEHOLDER, photo_key, split_external_image_id
from eduguard.sync.plan import Plan
from eduguard.sync.scope import ROWS, Scope

if TYPE_CHECKING:
    from psycopg import Connection

_FEW = 10  # linked rows; fewer than this are never a mass change
_MASS_CHANGE = 0.3
_INDEX = "student_faces_face_id"
_PLANNED = """
CREATE TEMP TABLE IF NOT EXISTS planned (external_image_id text, before text, after text);
DELETE FROM planned
"""
_BULK = 1_000  # rows to be written, and their share of the table, from which making the index anew is the faster way
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
# The rows are planned in the order of external image ids, in which they mostly lie: written in the order in which the
# faces were listed, it takes twice as long (benchmarks/sync.py).
_UPDATE = """
UPDATE student_faces f SET face_id = p.after,
    indexed_at = CASE WHEN p.after = %(placeholder)s THEN NULL ELSE coalesce(f.indexed_at, now()) END
FROM planned p WHERE f.external_image_id = p.external_image_id AND f.face_id = p.before
"""
_COUNTS = """
SELECT (SELECT count(*) FROM students), count(*), count(*) FILTER (WHERE face_id = %(placeholder)s) FROM student_faces
"""
_ADOPT = """
INSERT INTO student_faces (id, student_id, external_image_id, face_id, photo_url, indexed_at)
SELECT %s, id, %s, %s, %s, now() FROM students WHERE id = %s ON CONFLICT DO NOTHING
"""


def prepare(conn: "Connection", scope: Scope) -> None:
    """Make the temporary table for what is to be written, and read one row, while the first faces are on their way.

    The role must be allowed to do both: that is tried at once, not after the last page. And the server learns of the
    tables, which takes it as long as reading a thousand rows.
    """
    from psycopg import ClientCursor

    ClientCursor(conn).execute(f"{_PLANNED}; SELECT FROM ({ROWS}) r LIMIT 1", scope.parameters())


def read_collections(conn: "Connection") -> list[str]:
    """Return the collections that students name, sorted; read-only."""
    query = "SELECT DISTINCT aws_collection_id FROM students ORDER BY 1"
    return [collection for (collection,) in conn.execute(query)]


def count_school(conn: "Connection") -> tuple[int, int, int]:
    """Return how many students and rows of faces there are, and how many of those wait for a sync; read-only."""
    row = conn.execute(_COUNTS, {"placeholder": PLACEHOLDER}).fetchone()
    return row or (0, 0, 0)


def list_placeholders(conn: "Connection", limit: int) -> list[str]:
    """Return the external image ids of the first rows that wait for a sync; read-only."""
    query = "SELECT external_image_id FROM student_faces WHERE face_id = %s ORDER BY 1 LIMIT %s"
    return [external for (external,) in conn.execute(query, [PLACEHOLDER, limit])]


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
    from psycopg.errors import UniqueViolation

    if not plan.changed:
        return
    try:
        with conn.transaction():
            stale = plan.changed - _write(conn, plan)
            if stale:
                raise EduguardError(
                    f"The plan is stale: {stale} of {plan.changed} rows changed meanwhile",
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
        # A FaceId that passes from one row to another is let go first: the unique index allows no moment of sharing.
        conn.execute(_LET_GO, {"placeholder": PLACEHOLDER})
    written = conn.execute(_UPDATE, {"placeholder": PLACEHOLDER}).rowcount
    if definition is not None:
        conn.execute(definition)
    return written


def _drop_index_for(conn: "Connection", plan: Plan) -> bytes | None:
    """Drop the unique index of FaceIds if that pays; return the statement that makes it again, else None.

    Without it a rewritten row stays on its page and no other index is touched (heap-only tuples, PostgreSQL manual
    66.7), and the index is sorted once instead of being filled in random order: three to four times as fast. It takes
    a lock that nobody may hold up or wait for long, so it is done only while nobody uses the table.
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
    """Make a row for each face without one whose external image id names a known student; return these ids."""
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


def keep_unused(conn: "Connection", face_ids: Sequence[str]) -> list[str]:
    """Return those of the FaceIds that no row holds, whatever its collection; read-only."""
    used = conn.execute("SELECT face_id FROM student_faces WHERE face_id = ANY (%s)", [list(face_ids)])
    return sorted(set(face_ids) - {face_id for (face_id,) in used})
