"""Make the next database beside the live one, put it in its place, and swap back.

A publish is one transaction of renames, so a crash at any moment leaves the old or the new database in place. The
database that was replaced is kept as `..._previous`; the one kept before is renamed to `..._discarded` in the same
transaction, and dropped by the next rebuild.
"""

import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, create_as, execute_for, exists, read_value
from eduguard.postgres.sessions import Session, kept_out, unheard
from eduguard.rebuild import clones, templates
from eduguard.rebuild.clones import Kept
from eduguard.rebuild.lock import is_being_made
from eduguard.rebuild.protection import is_expendable

if TYPE_CHECKING:
    from psycopg import Connection

Note = Callable[[str], None]
# A clone holds the mark of what it was cloned from, which an earlier version may have made.
_MARK = """
CREATE SCHEMA IF NOT EXISTS eduguard;
DROP TABLE IF EXISTS eduguard.origin;
CREATE TABLE eduguard.origin (target text NOT NULL, command text NOT NULL, created_at timestamptz NOT NULL, inputs text)
"""
_OWNER = """
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s AND NOT pg_has_role(datdba, 'USAGE')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What putting a database in another's place took."""

    ended: tuple[Session, ...]
    pause: float  # seconds in which nobody could connect

    def summary(self) -> str:
        """Return the pause and the sessions ended as the end of a line."""
        ended = f", {len(self.ended)} sessions ended: {', '.join(map(str, self.ended))}" if self.ended else ""
        return f" ({1000 * self.pause:.1f} ms in which nobody could connect{ended})"


def list_beside(database: Database) -> list[str]:
    """Return the databases on the server that belong to this one, kept, made ahead or left behind; read-only."""
    with connect(database.maintenance, purpose="status") as conn:
        beside = [each.name for each in (database.next, database.previous, database.discarded) if exists(conn, each)]
        key = f"{zlib.crc32(database.name.encode()):08x}"
        aside = conn.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY 1",
            [f"^eduguard_(template|snapshot)_{key}_"],
        )
        return [*beside, *(name for (name,) in aside)]


def is_seeded_clone(database: Database, inputs: str) -> bool:
    """Say whether this process made the next database by cloning a template with just these fixtures; read-only.

    Args:
        database: the live one.
        inputs: the hash of the fixtures and of all else that decides what is in a template.

    Raises:
        EduguardError: when it is the clone of a template with other fixtures.
    """
    with connect(database.next, purpose="seed") as conn:
        # A mark made by an earlier version of ours has no such column.
        cloned_for = read_value(conn, "SELECT to_jsonb(o) ->> 'inputs' FROM eduguard.origin o LIMIT 1")
    if cloned_for not in (None, inputs):
        raise EduguardError(
            f"{database.next.name} was cloned before a file changed: a row that is no longer in the fixtures may be in"
            " it",
            hint="Run the command again; `inv rebuild` makes the next database anew.",
        )
    return cloned_for == inputs and is_being_made(database)


def create_next(database: Database, *, target: str, command: str, template: Kept | None = None) -> None:
    """Make a database beside this one, empty or a clone, marked as ours.

    What an earlier run left there, what the last publish discarded, and retired templates are dropped before: a DROP
    DATABASE waits for a checkpoint, which takes long after so much was written as a new database is made of.

    Args:
        database: the live one.
        target: for the mark.
        command: for the mark.
        template: what is cloned.

    Raises:
        EduguardError: when a database that we did not make is in the way, now or of the publish, or when the role may
            not create databases or not rename the live one.
    """
    from psycopg import errors

    with connect(database.maintenance, purpose="rebuild") as conn:
        _require_owner(conn, database)
        for each in (database.previous, database.discarded):
            _require_expendable(conn, each)
        _drop_ours(conn, database.next)
        _drop_unwanted(conn, [database.discarded, *templates.list_unwanted(conn, database)])
        try:
            if template:
                clones.clone(conn, template, database.next)
            else:
                create_as(conn, "CREATE DATABASE {} TEMPLATE template0 ENCODING UTF8", database.next)
        except errors.InsufficientPrivilege as error:
            raise EduguardError(
                f"The role {conn.info.user} may not create databases on this server",
                hint=f"An administrator can grant it: ALTER ROLE {conn.info.user} CREATEDB",
            ) from error
    with connect(database.next, purpose="rebuild") as conn, conn.transaction():
        conn.execute(_MARK)
        inputs = template.facts.get("inputs") if template else None
        conn.execute("INSERT INTO eduguard.origin VALUES (%s, %s, now(), %s)", [target, command, inputs])


def _drop_unwanted(conn: "Connection", unwanted: Sequence[Database]) -> None:
    from psycopg import Error

    for each in unwanted:
        with suppress(Error):  # somebody else's, or in use: who needs its name fails, and says so
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)


def _require_owner(conn: "Connection", database: Database) -> None:
    if owner := read_value(conn, _OWNER, database.name):
        raise EduguardError(
            f"{database.name} belongs to the role {owner}: {conn.info.user} may not rename it",
            hint=f"An administrator can grant it: GRANT {owner} TO {conn.info.user}",
        )


def _require_expendable(conn: "Connection", database: Database) -> None:
    # The last copy of a database that we replaced with its owner's consent, or somebody's own of the same name.
    if exists(conn, database) and not is_expendable(database):
        raise EduguardError(
            f"The database {database.name} is in the way, and it was not made by EduGuard DB",
            hint=f"Drop it yourself, or keep it: ALTER DATABASE {database.name} RENAME TO another_name",
        )


def _drop_ours(conn: "Connection", database: Database) -> None:
    if exists(conn, database):
        _require_expendable(conn, database)
        execute_for(conn, "DROP DATABASE {} WITH (FORCE)", database)


def publish(database: Database, note: Note = unheard) -> Swap:
    """Put the next database in this one's place, which is kept as the previous; sessions are noted, then ended.

    The one that was the previous is discarded: the next rebuild drops it.

    Raises:
        EduguardError: when there is no next database, or the previous one, which is discarded, was not made by us.
    """
    with connect(database.maintenance, purpose="publish") as conn:
        if not exists(conn, database.next):
            raise EduguardError(f"There is no {database.next.name} to publish", hint="`inv rebuild` makes it.")
        _require_expendable(conn, database.previous)
        _drop_ours(conn, database.discarded)
        renames = [(database.next, database)]
        if exists(conn, database):
            renames.insert(0, (database, database.previous))
            if exists(conn, database.previous):
                renames.insert(0, (database.previous, database.discarded))
        return _rename(conn, renames, note)


def undo(database: Database, note: Note = unheard) -> Swap:
    """Swap this database and the previous one; sessions are noted, then ended.

    Raises:
        EduguardError: when no previous database was kept.
    """
    with connect(database.maintenance, purpose="undo") as conn:
        if not exists(conn, database.previous):
            raise EduguardError(f"There is no {database.previous.name} to bring back", hint="One publish keeps one.")
        _drop_ours(conn, database.discarded)
        renames = [
            (database, database.discarded),
            (database.previous, database),
            (database.discarded, database.previous),
        ]
        return _rename(conn, renames if exists(conn, database) else renames[1:2], note)


def _rename(conn: "Connection", renames: Sequence[tuple[Database, Database]], note: Note) -> Swap:
    with kept_out([before for before, _ in renames], note) as ended:
        began = time.perf_counter()
        with conn.transaction():
            for before, after in renames:
                execute_for(conn, "ALTER DATABASE {} RENAME TO {}", before, after)
    return Swap(ended=ended, pause=time.perf_counter() - began)
