"""Make the next database beside the live one, put it in its place, and swap back.

A publish is one transaction of renames, so a crash at any moment leaves the old or the new database in place. The
database that was replaced is kept as `..._previous`; the one kept before is renamed to `..._discarded` in the same
transaction, and dropped by the next rebuild while it makes a new one: PostgreSQL does both at once in a fraction of the
time that they take one after the other.
"""

import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard import ahead, clones
from eduguard.clones import Kept
from eduguard.database import Database, connect, connect_alone, execute_for, exists, lending, read_value
from eduguard.errors import EduguardError
from eduguard.protection import is_expendable
from eduguard.sessions import Session, kept_out, unheard

if TYPE_CHECKING:
    from psycopg import Connection

Note = Callable[[str], None]
_HOLDER = """
SELECT a.pid, a.backend_start, a.application_name, a.usename FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid::bigint = %s
"""
_OWNER = """
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s AND NOT pg_has_role(datdba, 'USAGE')
"""
_POLL = 0.1  # seconds between two attempts to take the lock
_PATIENCE = 50  # attempts: as long as PostgreSQL itself waits for the sessions in a database that is to be copied
_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())  # databases whose lock this command holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What putting a database in another's place took."""

    ended: tuple[Session, ...]
    pause: float  # seconds in which nobody could connect

    def summary(self) -> str:
        """Return the pause and the sessions ended as the end of a line."""
        ended = f", {len(self.ended)} sessions ended: {', '.join(map(str, self.ended))}" if self.ended else ""
        return f" ({1000 * self.pause:.1f} ms in which nobody could connect{ended})"


@contextmanager
def hold_lock(database: Database) -> Iterator[None]:
    """Hold the lock that lets one command at a time rebuild this database; it ends with the session, whatever happens.

    A command that holds it may ask for it again. The session does what else is to be done beside the database. A lock
    that is held is waited for, 5 s at most: PostgreSQL ends the statement of a command that was killed before it lets
    its lock go. It could be told to break such a statement off (client_connection_check_interval), and is not: after a
    CREATE DATABASE that was broken off, a crash of the server can leave it unable to recover.

    Raises:
        EduguardError: naming the session that holds it.
    """
    if database.name in _held.get():
        yield
        return
    who = f"lock, process {os.getpid()} on {socket.gethostname()}"
    with connect_alone(database.maintenance, purpose=who) as conn, lending(conn, database.maintenance):
        _lock(conn, database)
        token = _held.set(_held.get() | {database.name})
        try:
            yield
        finally:
            _held.reset(token)


def _lock(conn: "Connection", database: Database) -> None:
    key = _key(database)
    for _ in range(_PATIENCE):
        if read_value(conn, "SELECT pg_try_advisory_lock(%s)", key):
            return
        time.sleep(_POLL)
    holder = conn.execute(_HOLDER, [key]).fetchone()
    if holder is None:  # it ended between the two questions
        raise EduguardError(f"Another command was rebuilding {database.name} just now", hint="Run this again.")
    pid, since, application, user = holder
    raise EduguardError(
        f"Another command is rebuilding {database.name}: session {Session(pid=pid, application=application, user=user)}"
        f", since {since:%Y-%m-%d %H:%M:%S}",
        hint="Wait for it to end and run this again.",
    )


def list_beside(database: Database) -> list[str]:
    """Return the databases on the server that belong to this one, kept or left behind; read-only."""
    with connect(database.maintenance, purpose="status") as conn:
        beside = [each.name for each in (database.next, database.previous, database.discarded) if exists(conn, each)]
        key = f"{zlib.crc32(database.name.encode()):08x}"
        aside = conn.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY 1", [f"^eduguard_(template|snapshot)_{key}_"]
        )
        return [*beside, *(name for (name,) in aside)]


def is_being_made(database: Database) -> bool:
    """Say whether the next database was made by the command that holds the lock now; read-only."""
    with connect(database.next, purpose="publish") as conn:
        holder = conn.execute(_HOLDER, [_key(database)]).fetchone()
        return bool(
            holder and read_value(conn, "SELECT created_at >= %s FROM eduguard.origin LIMIT 1", holder[1]) is True
        )


def _key(database: Database) -> int:
    return zlib.crc32(f"eduguard {database.name}".encode())


def read_clone(database: Database) -> str | None:
    """Return the hash of the files that the next database, a clone with the fixtures in it, stands for; read-only."""
    with connect(database.next, purpose="seed") as conn:
        # A mark made by an earlier version of ours has no such column.
        inputs: str | None = read_value(conn, "SELECT to_jsonb(o) ->> 'inputs' FROM eduguard.origin o LIMIT 1")
        return inputs


def create_next(database: Database, *, target: str, command: str, template: Kept | None = None) -> None:
    """Make a database beside this one, empty or a clone, marked as ours.

    What an earlier run left there is dropped, and what the last publish discarded.

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
        try:
            with _dropping(database.discarded):
                if template:
                    clones.clone(conn, template, database.next)
                else:
                    execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database.next)
        except errors.InsufficientPrivilege as error:
            raise EduguardError(
                f"The role {conn.info.user} may not create databases on this server",
                hint=f"An administrator can grant it: ALTER ROLE {conn.info.user} CREATEDB",
            ) from error
    with connect(database.next, purpose="rebuild") as conn, conn.transaction():
        encoding = read_value(conn, "SELECT current_setting('server_encoding')")
        if encoding != "UTF8":
            raise EduguardError(
                f"The server's encoding is {encoding}", hint="EduGuard DB needs a server set up with UTF8."
            )
        conn.execute("CREATE SCHEMA IF NOT EXISTS eduguard")
        conn.execute("DROP TABLE IF EXISTS eduguard.origin")
        conn.execute(
            "CREATE TABLE eduguard.origin (target text NOT NULL, command text NOT NULL, "
            "created_at timestamptz NOT NULL DEFAULT now(), inputs text)"
        )
        conn.execute(
            "INSERT INTO eduguard.origin (target, command, inputs) VALUES (%s, %s, %s)",
            [target, command, template.facts.get("inputs") if template else None],
        )


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


@contextmanager
def _dropping(database: Database) -> Iterator[None]:
    def drop() -> None:
        with connect_alone(database.maintenance, purpose="rebuild") as conn:
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    wait = ahead.begin(drop)
    try:
        yield
    finally:
        wait()


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
