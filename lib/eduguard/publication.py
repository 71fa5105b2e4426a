"""Make the next database beside the live one, put it in its place, and swap back.

A publish is one transaction of renames, so a crash at any moment leaves the old or the new database in place. The
database that was replaced is kept as `..._previous`; the one kept before is renamed in the same transaction and dropped
after it, and a drop that a crash prevented is made up for by the next rebuild.
"""

import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.database import APPLICATION, Database, connect, execute_for, exists, read_value
from eduguard.errors import EduguardError
from eduguard.protection import inspect

if TYPE_CHECKING:
    from psycopg import Connection

_POLL = 0.01  # seconds between two looks for sessions that are in the way
_PATIENCE = 200  # looks; PostgreSQL itself then waits 5 s more
_END = """
SELECT pid, application_name, usename, pg_terminate_backend(pid)
FROM pg_stat_activity WHERE datname = ANY (%s) AND backend_type = 'client backend'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of somebody else that a publish ended."""

    pid: int
    application: str
    user: str

    def __str__(self) -> str:
        return f"{self.pid} ({self.application or 'unnamed'}, {self.user})"


@contextmanager
def hold_lock(database: Database) -> Iterator[None]:
    """Hold the lock that lets one command at a time rebuild this database; it ends with the session, whatever happens.

    Raises:
        EduguardError: naming the session that holds it.
    """
    key = zlib.crc32(f"eduguard {database.name}".encode())
    with connect(database.maintenance, purpose=f"rebuilds {database.name}") as conn:
        if not read_value(conn, "SELECT pg_try_advisory_lock(%s)", key):
            holder = conn.execute(
                "SELECT a.pid, a.backend_start::timestamptz(0) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid::bigint = %s",
                [key],
            ).fetchone()
            pid, since = holder or ("unknown", "just now")
            raise EduguardError(
                f"Another command is rebuilding {database.name}: session {pid}, since {since}",
                hint="Wait for it to end and run this again.",
            )
        yield


def create_next(database: Database, *, target: str, command: str) -> None:
    """Make an empty database beside this one and mark it as ours; what an earlier run left there is dropped.

    Raises:
        EduguardError: when there is a database of that name which we did not make, or the role may not create
        databases.
    """
    from psycopg import errors

    with connect(database.maintenance, purpose="rebuild") as conn:
        for leftover in (database.discarded, database.next):
            if exists(conn, leftover):
                _drop_ours(conn, leftover)
        try:
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
        conn.execute("CREATE SCHEMA eduguard")
        conn.execute(
            "CREATE TABLE eduguard.origin (target text NOT NULL, command text NOT NULL, "
            "created_at timestamptz NOT NULL DEFAULT now())"
        )
        conn.execute("INSERT INTO eduguard.origin (target, command) VALUES (%s, %s)", [target, command])


def _drop_ours(conn: "Connection", database: Database) -> None:
    state = inspect(database)
    if not (state.is_ours or state.is_empty):
        raise EduguardError(
            f"The database {database.name} is in the way, and it was not made by EduGuard DB",
            hint="Rename it, or give the target's database another name.",
        )
    execute_for(conn, "DROP DATABASE {} WITH (FORCE)", database)


def publish(database: Database) -> tuple[Session, ...]:
    """Put the next database in this one's place, which is kept as the previous; return the sessions that were ended.

    Raises:
        EduguardError: when there is no next database.
    """
    with connect(database.maintenance, purpose="publish") as conn:
        if not exists(conn, database.next):
            raise EduguardError(f"There is no {database.next.name} to publish", hint="`inv rebuild` makes it.")
        renames = [(database.next, database)]
        if exists(conn, database):
            renames.insert(0, (database, database.previous))
            if exists(conn, database.previous):
                renames.insert(0, (database.previous, database.discarded))
        ended = _rename(conn, database, renames)
        execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database.discarded)
    return ended


def undo(database: Database) -> tuple[Session, ...]:
    """Swap this database and the previous one; return the sessions that were ended.

    Raises:
        EduguardError: when no previous database was kept.
    """
    with connect(database.maintenance, purpose="undo") as conn:
        if not exists(conn, database.previous):
            raise EduguardError(f"There is no {database.previous.name} to bring back", hint="One publish keeps one.")
        renames = [
            (database, database.discarded),
            (database.previous, database),
            (database.discarded, database.previous),
        ]
        return _rename(conn, database, renames if exists(conn, database) else renames[1:2])


def _rename(
    conn: "Connection", database: Database, renames: Sequence[tuple[Database, Database]]
) -> tuple[Session, ...]:
    # ALTER DATABASE RENAME locks out new sessions and then waits up to 5 s for those that are there. Sessions are ended
    # before, and while it waits, so that a client that reconnects at once cannot make it fail.
    names = [before.name for before, _ in renames]
    with connect(database.maintenance, purpose="publish") as watcher:
        ended = _end_sessions(watcher, names)
        done = threading.Event()
        thread = threading.Thread(target=_keep_ending, args=(watcher, names, done))
        thread.start()
        try:
            with conn.transaction():
                for before, after in renames:
                    execute_for(conn, "ALTER DATABASE {} RENAME TO {}", before, after)
        finally:
            done.set()
            thread.join()
    return ended


def _keep_ending(conn: "Connection", names: list[str], done: threading.Event) -> None:
    while not done.wait(_POLL):
        conn.execute(_END, [names])


def _end_sessions(conn: "Connection", names: list[str]) -> tuple[Session, ...]:
    ended: dict[int, Session] = {}
    for _ in range(_PATIENCE):
        rows = conn.execute(_END, [names]).fetchall()
        if not rows:
            break
        ended |= {pid: Session(pid=pid, application=application, user=user) for pid, application, user, _ in rows}
        time.sleep(_POLL)
    return tuple(session for session in ended.values() if not session.application.startswith(APPLICATION))
