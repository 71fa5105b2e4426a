"""Sessions in databases that will be renamed or copied: they are listed, then ended and kept out."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres.connection import APPLICATION, connect, read_value
from eduguard.postgres.database import Database

if TYPE_CHECKING:
    from psycopg import Connection

_POLL = 0.01  # seconds between two checks for sessions that are in the way
_PATIENCE = 200  # checks; PostgreSQL itself then waits 5 s more
# A role without the right to see other sessions sees their name but no type; workers of the server have no name.
_CLIENTS = """
FROM pg_stat_activity WHERE datname = ANY (%s)
AND (backend_type IN ('client backend', 'walsender') OR backend_type IS NULL AND usename IS NOT NULL)
AND pid <> coalesce(%s::int, pg_backend_pid())
"""
_LIST = f"SELECT pid, coalesce(application_name, ''), usename {_CLIENTS} ORDER BY pid"
_END = f"SELECT pg_terminate_backend(pid) {_CLIENTS}"
_OTHERS = f"SELECT count(*) {_CLIENTS}"
_PREPARED = "SELECT gid, database FROM pg_prepared_xacts WHERE database = ANY (%s) ORDER BY 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of somebody else that was ended."""

    pid: int
    application: str
    user: str

    def __str__(self) -> str:
        return f"{self.pid} ({self.application or 'unnamed'}, {self.user})"


@contextmanager
def kept_out(
    databases: Sequence[Database], note: Callable[[str], None], *, spared: int | None = None
) -> Iterator[tuple[Session, ...]]:
    """End the sessions in these databases, each noted first, and keep ending new ones until the block is left.

    PostgreSQL locks new sessions out of a database that it renames or copies, and then waits up to 5 s for existing
    ones. Sessions are ended before that and during the wait, so that a client that reconnects at once cannot make the
    statement fail.

    Args:
        databases: the databases whose sessions are ended.
        note: is called for each session before it is ended.
        spared: the pid of one of our sessions that may stay.

    Raises:
        EduguardError: for a session that the role may not end, or a prepared transaction, which nobody can end.
    """
    names = [database.name for database in databases]
    with connect(databases[0].maintenance, purpose="watches") as watcher:
        _refuse_prepared(watcher, names)
        ended = _end_sessions(watcher, names, note, spared)
        done = threading.Event()
        thread = threading.Thread(target=_keep_ending, args=(watcher, names, done, spared))
        thread.start()
        try:
            yield ended
        finally:
            done.set()
            thread.join()


def is_alone(conn: "Connection", database: Database) -> bool:
    """Say whether nobody else uses the database of a connection; read-only."""
    return not read_value(conn, _OTHERS, [database.name], None)


def unheard(_: str) -> None:
    """Ignore the message; used when only our own sessions can be in the way."""


def _refuse_prepared(conn: "Connection", names: list[str]) -> None:
    if prepared := conn.execute(_PREPARED, [names]).fetchone():
        gid, name = prepared
        raise EduguardError(
            f"The prepared transaction {gid!r} is open in {name}",
            hint=f"In {name}, run ROLLBACK PREPARED '{gid}' or COMMIT PREPARED '{gid}' first.",
        )


def _keep_ending(conn: "Connection", names: list[str], done: threading.Event, spared: int | None) -> None:
    from psycopg import Error

    try:
        while not done.wait(_POLL):
            conn.execute(_END, [names, spared])
    except Error:
        return  # the server is gone: the block itself will fail and report it


def _end_sessions(
    conn: "Connection", names: list[str], note: Callable[[str], None], spared: int | None
) -> tuple[Session, ...]:
    from psycopg import errors

    listed: dict[int, Session] = {}
    for _ in range(_PATIENCE):
        rows = conn.execute(_LIST, [names, spared]).fetchall()
        if not rows:
            break
        for pid, application, user in rows:
            session = Session(pid=pid, application=application, user=user)
            if pid not in listed and not application.startswith(APPLICATION):
                note(f"ends session {session}")
            listed[pid] = session
        try:
            conn.execute(_END, [names, spared])
        except errors.InsufficientPrivilege as error:
            raise EduguardError(
                f"The role {conn.info.user} may not end these sessions: {', '.join(map(str, listed.values()))}",
                hint=f"Close them, or let an administrator GRANT pg_signal_backend TO {conn.info.user}",
            ) from error
        time.sleep(_POLL)
    return tuple(session for session in listed.values() if not session.application.startswith(APPLICATION))
