"""Obstacles to making or publishing a database: they are dropped if they are ours, otherwise refused."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres import Database, execute_for, exists, read_value, send_for
from eduguard.rebuild.properties import Properties, find_refused
from eduguard.rebuild.protection import DatabaseState, is_expendable

if TYPE_CHECKING:
    from psycopg import Connection

_OWNER = """
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s AND NOT pg_has_role(datdba, 'USAGE')
"""


def note_refused(
    conn: "Connection", database: Database, state: DatabaseState, made: Properties, note: Callable[[str], None]
) -> None:
    """Note the properties of the live database that cannot be carried over."""
    if state.exists:
        for statement in find_refused(conn, database, made):
            note(f"{conn.info.user} may not carry this over; an administrator can, after the publish: {statement}")


def drop_unwanted(conn: "Connection", unwanted: Sequence[Database]) -> None:
    """Drop databases that nobody needs, if they can be dropped."""
    from psycopg import Error

    for each in unwanted:
        with suppress(Error):  # somebody else's, or in use: the step that needs its name will fail and report it
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)


def require_owner(conn: "Connection", database: Database) -> None:
    """Refuse a live database that our role may not rename; the error shows the missing grant."""
    if owner := read_value(conn, _OWNER, database.name):
        raise EduguardError(
            f"{database.name} belongs to the role {owner}: {conn.info.user} may not rename it",
            hint=f"An administrator can grant it: GRANT {owner} TO {conn.info.user}",
        )


def require_expendable(conn: "Connection", live: Database, beside: Database) -> None:
    """Refuse a database beside the live one that we did not make for it."""
    # It is the last copy of a database that we replaced with its owner's consent, or somebody's own database.
    if exists(conn, beside) and not is_expendable(conn, beside, live):
        raise EduguardError(
            f"The database {beside.name} is in the way, and EduGuard DB did not make it for {live.name}",
            hint=f"Drop it yourself, or keep it: ALTER DATABASE {beside.name} RENAME TO another_name",
        )


def leave_to_drop(conn: "Connection", live: Database) -> None:
    """Let the server drop the discarded database as the session's last statement, without waiting for it.

    A DROP DATABASE waits for a checkpoint. If the server stops before the database is dropped, the next rebuild drops
    it.
    """
    if exists(conn, live.discarded) and is_expendable(conn, live.discarded, live):
        send_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", live.discarded)


def drop_ours(conn: "Connection", live: Database, beside: Database) -> None:
    """Drop a database beside the live one, if it is there and we made it."""
    if exists(conn, beside):
        require_expendable(conn, live, beside)
        execute_for(conn, "DROP DATABASE {} WITH (FORCE)", beside)
