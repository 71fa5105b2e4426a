"""Compare the rows of a scope with faces as they are listed: a page of them in memory, more inside the database."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from eduguard.aws.listing import Take
from eduguard.aws.types import Face
from eduguard.identifiers import PLACEHOLDER
from eduguard.sync.comparison_tables import compare_copied, copying_faces
from eduguard.sync.plan import FaceRow, Plan, plan_sync
from eduguard.sync.scope import Scope, read_rows

if TYPE_CHECKING:
    from psycopg import Connection

_FEW = 4096  # rows, and faces, that are compared in memory: as many as a page of ListFaces has at most
# One text: psycopg would make an array of strings one by one, which takes longer than the query. The placeholder is
# left out in the words of the unique index, which is used then.
_HOLDERS = f"""
SELECT face_id, external_image_id FROM student_faces
WHERE face_id <> '{PLACEHOLDER}' AND face_id = ANY (string_to_array(%s, ','))
"""  # noqa: S608 -- no value of a user is in it


class Comparison:
    """The faces listed, beside which the rows of a scope are laid as often as wanted.

    A school of a thousand photos is compared sooner than the tables to do so would be made in the database; one of a
    million is compared in the database, and memory stays flat. The plan is the same.
    """

    def __init__(self, conn: "Connection", scope: Scope) -> None:
        """Begin without a face."""
        self._conn, self._scope = conn, scope
        self._few: list[Face] | None = []

    @contextmanager
    def taking_faces(self) -> Iterator[Take]:
        """Take faces page by page, and forget those taken before; an error that leaves the block leaves none."""
        self._few, few, copy = [], list[Face](), None
        with ExitStack() as copying:

            def take(faces: list[Face]) -> None:
                nonlocal copy
                if copy is None and len(few) + len(faces) <= _FEW:
                    few.extend(faces)
                    return
                if copy is None:
                    copy = copying.enter_context(copying_faces(self._conn))
                    copy(few)
                copy(faces)

            yield take
        self._few = few if copy is None else None

    def plan(self, *, unlink_missing: bool, in_full: bool = False) -> Plan:
        """Return the plan for the rows as they are now.

        It is what `plan_sync` makes of rows, faces and the rows out of the scope that hold a FaceId of these. One that
        passes to such a row in the same moment is found when it is to be written.
        """
        if self._few is not None:
            rows = read_rows(self._conn, self._scope, limit=_FEW + 1)
            if len(rows) <= _FEW:
                holders = self._read_holders(rows, self._few)
                return plan_sync(rows, self._few, holders=holders, unlink_missing=unlink_missing, in_full=in_full)
            with copying_faces(self._conn) as copy:
                copy(self._few)
            self._few = None
        return compare_copied(self._conn, self._scope, unlink_missing=unlink_missing, in_full=in_full)

    def _read_holders(self, rows: Sequence[FaceRow], faces: Sequence[Face]) -> dict[str, str]:
        """Return those of the FaceIds that no row of the scope holds and another does, with its external image id."""
        wanted = {face.face_id for face in faces}.difference(row.face_id for row in rows)
        return dict(self._conn.execute(_HOLDERS, [",".join(wanted)]).fetchall()) if wanted else {}
