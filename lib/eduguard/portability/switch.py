"""Switch students and their rows to another collection that has a face for each row: all of them or none."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.schools import OF_SCOPE, Place, Scope
from eduguard.synced import remember

if TYPE_CHECKING:
    from psycopg import Connection

# The lock that enrolment takes: running enrolments finish first, and later ones use the other collection.
_LOCK = f"SELECT FROM students s WHERE {OF_SCOPE} ORDER BY s.id FOR NO KEY UPDATE".encode()
_MAKE = "CREATE TEMP TABLE switched (external_image_id text PRIMARY KEY, face_id text NOT NULL) ON COMMIT DROP"
_UNEQUAL = f"""
SELECT count(*) FROM switched w
FULL JOIN (SELECT f.external_image_id FROM student_faces f JOIN students s ON s.id = f.student_id WHERE {OF_SCOPE}) r
ON r.external_image_id = w.external_image_id WHERE r.external_image_id IS NULL OR w.external_image_id IS NULL
""".encode()  # noqa: S608 -- contains no value from a user
_WRITE = """
UPDATE student_faces f SET face_id = w.face_id, indexed_at = now()
FROM switched w WHERE w.external_image_id = f.external_image_id
"""
_NAME = f"UPDATE students s SET aws_collection_id = %(new)s WHERE {OF_SCOPE}".encode()  # noqa: S608


def switch_collection(conn: "Connection", old: Place, new: str, face_ids: Mapping[str, str], *, arn: str) -> int:
    """Write another collection into the students of a place and its FaceIds into their rows, in one transaction.

    Args:
        conn: a connection to the database.
        old: the place of the students and rows.
        new: the other collection.
        face_ids: the FaceIds of the other collection, by external image id.
        arn: the ARN of the other collection, which is remembered for its next sync.

    Returns:
        How many students were switched.

    Raises:
        EduguardError: if the FaceIds and the rows are not of the same photos; nothing was written.
    """
    parameters = {**Scope(place=old).parameters(), "new": new}
    with conn.transaction():
        conn.execute(_LOCK, parameters)
        conn.execute(_MAKE)
        with conn.cursor().copy("COPY switched FROM STDIN") as copy:
            for pair in face_ids.items():
                copy.write_row(pair)
        ((unequal,),) = conn.execute(_UNEQUAL, parameters).fetchall()
        if unequal:
            raise EduguardError(
                f"{amount(unequal, 'photo')} enrolled or removed while {new} was made: nothing was switched",
                hint="Run the same command again: it indexes what is missing, and switches then.",
            )
        conn.execute(_WRITE)
        students = conn.execute(_NAME, parameters).rowcount
        remember(conn, Place(collection=new, school=old.school), arn)
        remember(conn, Place(collection=new), arn)
    return students
