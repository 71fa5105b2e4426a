"""Compare rows and faces inside the database: only what may not agree ever reaches this process.

The faces are copied into a temporary table page by page, as they are listed. One join leaves out the rows that hold the
FaceId of their face, and the plan is made of the rest; so memory stays flat whatever the size of the collection.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eduguard.aws.listing import Take
from eduguard.aws.types import Face
from eduguard.identifiers import PLACEHOLDER
from eduguard.sync.plan import FaceRow, Group, Plan, plan_groups
from eduguard.sync.scope import ROWS, Scope

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 4096  # rows fetched together
# What is listed has the lengths of Rekognition: a table whose rows are short for certain needs no other beside it for
# long values, which takes half of the time of making one.
_TABLES = """
CREATE TEMP TABLE IF NOT EXISTS listed (
    external_image_id varchar(255), face_id varchar(36) NOT NULL, confidence float8 NOT NULL
);
CREATE TEMP TABLE IF NOT EXISTS drift (of_row text, of_face text, held text, face_id text, confidence float8);
DELETE FROM listed
"""
# One snapshot for all queries; one join and one sort of up to millions of rows.
_BEGIN = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off;
DELETE FROM drift
"""
# One pass over the rows counts them and keeps those that do not agree with the faces, or all that are to be named.
_COMPARE = f"""
WITH r AS MATERIALIZED ({ROWS}), drifted AS (
    INSERT INTO drift
    SELECT r.external_image_id, l.external_image_id, r.face_id, l.face_id, l.confidence
    FROM r FULL JOIN listed l ON l.external_image_id = r.external_image_id
    WHERE %(in_full)s OR r.face_id IS DISTINCT FROM l.face_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM r), (SELECT count(*) FROM drifted)
"""  # noqa: S608 -- no value of a user is in it
# Whether a row's own face is listed too makes the difference between another face to take and a duplicate.
_GROUPS = """
SELECT coalesce(d.of_row, d.of_face), d.held, d.face_id, d.confidence, own.confidence
FROM drift d LEFT JOIN listed own ON own.external_image_id = d.of_row AND own.face_id = d.held
ORDER BY coalesce(d.of_row, d.of_face) COLLATE "C" NULLS LAST
"""
# FaceIds listed for one row and held by another that keeps them: it is out of the scope, or has this face too, or none.
_KEPT = f"""
SELECT h.face_id, h.external_image_id FROM student_faces h JOIN drift d ON d.face_id = h.face_id
WHERE h.face_id <> %(placeholder)s AND h.external_image_id <> coalesce(d.of_face, '')
AND (h.external_image_id NOT IN (SELECT external_image_id FROM ({ROWS}) r)
     OR EXISTS (SELECT FROM listed l WHERE l.external_image_id = h.external_image_id AND l.face_id = h.face_id)
     OR (NOT %(unlink_missing)s
         AND NOT EXISTS (SELECT FROM listed l WHERE l.external_image_id = h.external_image_id)))
"""  # noqa: S608 -- no value of a user is in it
# FaceIds listed for several rows, and which of these has a claim to it.
_CLAIMED = """
SELECT face_id, min(of_face COLLATE "C") FROM drift WHERE of_row = of_face
GROUP BY face_id HAVING min(of_face COLLATE "C") <> max(of_face COLLATE "C")
"""


@contextmanager
def copying_faces(conn: "Connection") -> Iterator[Take]:
    """Copy faces, page by page, to be compared with rows; those that were copied in this session before are forgotten.

    The server takes them in while the next page is on its way. An error that leaves the block leaves no face copied.
    """
    conn.execute(_TABLES)
    with conn.cursor().copy("COPY listed FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["varchar", "varchar", "float8"])

        def take(faces: list[Face]) -> None:
            for face_id, external_image_id, confidence, _ in faces:
                copy.write_row((external_image_id, face_id, float(confidence)))

        yield take


def compare_copied(conn: "Connection", scope: Scope, *, unlink_missing: bool, in_full: bool = False) -> Plan:
    """Return what `plan_sync` makes of the rows of the scope, the faces copied before and the rows that hold these."""
    parameters = {
        **scope.parameters(),
        "unlink_missing": unlink_missing,
        "in_full": in_full,
        "placeholder": PLACEHOLDER,
    }
    with conn.transaction():
        conn.execute(_BEGIN)
        rows, drifted = conn.execute(_COMPARE, parameters).fetchone() or (0, 0)
        kept: dict[str, str] = {}
        if drifted:
            kept = dict(conn.execute(_CLAIMED).fetchall()) | dict(conn.execute(_KEPT, parameters).fetchall())
        read = (lambda: _read_groups(conn)) if drifted else tuple[Group, ...]
        return plan_groups(read, rows=rows, kept=kept, unlink_missing=unlink_missing, in_full=in_full)


def _read_groups(conn: "Connection") -> Iterator[Group]:
    group: Group | None = None
    for external, held, face_id, confidence, own_confidence in conn.cursor().stream(_GROUPS, size=_AT_ONCE):
        if group is None or group.external_image_id != external:
            if group:
                yield group
            group = Group(external, None if held is None else FaceRow(external, held), [])
            if own_confidence is not None:
                group.faces.append(Face(held, external, own_confidence))
        if face_id is not None:
            group.faces.append(Face(face_id, external, confidence))
    if group:
        yield group
