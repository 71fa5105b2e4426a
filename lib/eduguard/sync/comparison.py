"""Compare the rows of a scope with the listed faces in PostgreSQL, which returns only the differences."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from eduguard.aws import Face
from eduguard.identifiers import PLACEHOLDER, split_external_image_id
from eduguard.schools import OF_SCOPE, Place, Scope
from eduguard.sync.plan import MISSING, MOVING, SETTLED, FaceRow, Pair, Plan, plan_sync

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 4096  # pairs fetched together
_ROWS = f"""
SELECT f.external_image_id, f.face_id FROM student_faces f JOIN students s ON s.id = f.student_id WHERE {OF_SCOPE}
"""  # noqa: S608 -- no value of a user is in it
# The lengths are Rekognition's. A table whose rows are certainly short needs no second table for long values, so
# creating it takes half the time.
_PREPARE = f"""
CREATE TEMP TABLE IF NOT EXISTS listed (
    external_image_id varchar(255), face_id varchar(36) NOT NULL, confidence float8 NOT NULL
);
CREATE TEMP TABLE IF NOT EXISTS pairs (of_row text, of_face text, held text, face_id text, confidence float8);
SELECT FROM ({_ROWS}) r LIMIT 1
"""
# All queries of a comparison see the same rows; up to millions of rows are joined and sorted once.
_BEGIN = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off;
DELETE FROM pairs
"""
# One pass over the rows counts them and keeps the pairs that do not agree, or all pairs if all are to be named.
_PAIR_UP = f"""
WITH r AS MATERIALIZED ({_ROWS}), kept AS (
    INSERT INTO pairs
    SELECT r.external_image_id, l.external_image_id, r.face_id, l.face_id, l.confidence
    FROM r FULL JOIN listed l ON l.external_image_id = r.external_image_id
    WHERE %(in_full)s OR r.face_id IS DISTINCT FROM l.face_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM r), (SELECT count(*) FROM kept)
"""  # noqa: S608 -- no value of a user is in it
# If a row has another face, its own face is needed too, if listed: the other one is then a duplicate.
_PAIRS = f"""
WITH p AS (
    SELECT * FROM pairs
    UNION ALL
    SELECT p.of_row, p.of_row, p.held, own.face_id, own.confidence
    FROM pairs p JOIN listed own ON own.external_image_id = p.of_row AND own.face_id = p.held
    WHERE p.face_id <> p.held AND p.held <> '{PLACEHOLDER}'
), holders AS (
    SELECT h.face_id, h.external_image_id, CASE
        WHEN bool_and(r.external_image_id IS NULL) OR bool_or(l.face_id = h.face_id) THEN '{SETTLED}'
        WHEN count(l.face_id) = 0 THEN '{MISSING}'
        ELSE '{MOVING}'
    END AS state
    FROM pairs p
    JOIN student_faces h ON h.face_id = p.face_id AND h.face_id <> '{PLACEHOLDER}' AND h.external_image_id <> p.of_row
    LEFT JOIN ({_ROWS}) r ON r.external_image_id = h.external_image_id
    LEFT JOIN listed l ON l.external_image_id = h.external_image_id
    GROUP BY h.face_id, h.external_image_id
), claims AS (
    SELECT face_id, min(of_row COLLATE "C") AS claimant FROM pairs WHERE of_row = of_face
    GROUP BY face_id HAVING min(of_row COLLATE "C") <> max(of_row COLLATE "C")
)
SELECT coalesce(p.of_row, p.of_face, ''), coalesce(p.held, ''), coalesce(p.face_id, ''), coalesce(p.confidence, 0),
    holders.external_image_id, holders.state, claims.claimant
FROM p
LEFT JOIN holders ON holders.face_id = p.face_id AND holders.external_image_id <> p.of_row
LEFT JOIN claims ON claims.face_id = p.face_id
ORDER BY coalesce(p.of_row, p.of_face) COLLATE "C" NULLS LAST
"""  # noqa: S608 -- no value of a user is in it


def read_rows(conn: "Connection", scope: Scope) -> list[FaceRow]:
    """Return the rows of the scope; read-only."""
    return list(map(FaceRow._make, conn.execute(_ROWS, scope.parameters())))


def count_place(conn: "Connection", place: Place) -> tuple[int, int]:
    """Return how many rows of faces a place has, and how many of them wait for a sync; read-only."""
    query = f"SELECT count(*), count(*) FILTER (WHERE face_id = '{PLACEHOLDER}') FROM ({_ROWS}) r"  # noqa: S608
    return conn.execute(query.encode(), Scope(place=place).parameters()).fetchone() or (0, 0)


def prepare(conn: "Connection", scope: Scope) -> None:
    """Make the temporary tables and read one row, so that a missing right is reported before the faces are listed."""
    from psycopg import ClientCursor

    ClientCursor(conn).execute(_PREPARE, scope.parameters())


def copy_faces(conn: "Connection", pages: Iterable[list[Face]], *, students: Container[str] | None = None) -> int:
    """Copy faces, page by page, for the next comparisons in this session; return how many were listed.

    The server stores a page while the next one is being fetched. Faces that were copied before are removed; after an
    error there are none. If students are named, only their faces are copied.
    """
    listed = 0
    conn.execute("TRUNCATE listed, pairs")  # not DELETE: a session that syncs many collections would read dead rows
    with conn.cursor().copy("COPY listed FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["varchar", "varchar", "float8"])
        for page in pages:
            listed += len(page)
            for face_id, external, confidence, _ in page:
                parts = split_external_image_id(external or "") if students else None
                if students is None or (parts and parts[0] in students):
                    copy.write_row((external, face_id, float(confidence)))
    return listed


def compare(conn: "Connection", scope: Scope, *, unlink_missing: bool, in_full: bool = False) -> Plan:
    """Return the plan for the current rows of a scope and the copied faces.

    The database returns only the pairs that do not agree, as a stream, so memory use stays constant. If a FaceId moves
    to a row outside the scope at the same moment, that is found when the FaceId is written.
    """
    parameters = {**scope.parameters(), "in_full": in_full}
    with conn.transaction():
        conn.execute(_BEGIN)
        rows, kept = conn.execute(_PAIR_UP, parameters).fetchone() or (0, 0)
        found = conn.cursor().stream(_PAIRS, parameters, size=_AT_ONCE) if kept else ()
        return plan_sync(map(Pair._make, found), rows=rows, unlink_missing=unlink_missing, in_full=in_full)
