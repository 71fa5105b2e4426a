"""Delete a student's rows from databases that are kept aside: the previous one, discarded ones, snapshots."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eduguard.postgres import Database, connect, execute_for, read_value

if TYPE_CHECKING:
    from psycopg import Connection

_TEMPLATE = "eduguard_template_"  # templates hold only the fixtures, without FaceIds


def choose_copies(names: Iterable[str]) -> list[str]:
    """Return the databases beside the live one that may hold rows of an enrolled student; a pure function."""
    return [name for name in names if not name.startswith(_TEMPLATE)]


def remove_from_copy(copy: Database, student: str) -> int:
    """Delete a student's rows of student_faces in a database that is kept aside; return how many there were.

    Snapshots allow no connections, so a snapshot is opened for this and closed again.
    """
    with _opened(copy) as conn:
        if read_value(conn, "SELECT to_regclass('student_faces')") is None:
            return 0
        return conn.execute("DELETE FROM student_faces WHERE student_id = %s", [student]).rowcount


@contextmanager
def _opened(copy: Database) -> "Iterator[Connection]":
    with connect(copy.maintenance, purpose="unenrol") as conn:
        is_open = read_value(conn, "SELECT datallowconn FROM pg_database WHERE datname = %s", copy.name)
        if not is_open:
            execute_for(conn, "ALTER DATABASE {} ALLOW_CONNECTIONS true", copy)
        try:
            with connect(copy, purpose="unenrol") as inside:
                yield inside
        finally:
            if not is_open:
                execute_for(conn, "ALTER DATABASE {} ALLOW_CONNECTIONS false", copy)
