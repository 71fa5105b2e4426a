"""The lock that lets one command at a time rebuild a database, and what is done beside the command that holds it.

What is not wanted any more is dropped while the command goes on, and PostgreSQL, which finishes a statement whose
client has gone, makes the spare for the next rebuild after the command has ended. Never both at once: a drop begins a
checkpoint, and PostgreSQL may not recover from a crash in a CREATE DATABASE that has met with one in its first moments.
"""

import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres.database import Database, connect, connect_alone, execute_for, lending, read_value
from eduguard.postgres.sessions import Session
from eduguard.rebuild import spares
from eduguard.rebuild.clones import Kept

if TYPE_CHECKING:
    from psycopg import Connection

_HOLDER = """
SELECT a.pid, a.backend_start, a.application_name, a.usename FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid::bigint = %s
"""
_POLL = 0.1  # seconds between two attempts to take the lock
_PATIENCE = 50  # attempts: as long as PostgreSQL itself waits for the sessions in a database that is to be copied


@dataclass(slots=True)
class _Held:
    template: Kept | None = None  # of which the next rebuild will want a clone
    dropped: Callable[[], None] = lambda: None  # waits for the drops that have begun


_held: ContextVar[Mapping[str, _Held]] = ContextVar("held", default=MappingProxyType({}))  # by the database's name


@contextmanager
def hold_lock(database: Database) -> Iterator[None]:
    """Hold the lock that lets one command at a time rebuild this database; it ends with the session, whatever happens.

    A command that holds it may ask for it again. The session does what else is to be done beside the database. A lock
    that is held is waited for, 5 s at most: PostgreSQL ends the statement of a command that has ended, or was killed,
    before it lets its lock go. It could be told to break such a statement off (client_connection_check_interval), and
    is not: after a CREATE DATABASE that was broken off, a crash of the server can leave it unable to recover.

    Raises:
        EduguardError: naming the session that holds it.
    """
    if database.name in _held.get():
        yield
        return
    who = f"lock, process {os.getpid()} on {socket.gethostname()}"
    with connect_alone(database.maintenance, purpose=who) as conn, lending(conn, database.maintenance):
        conn.execute("SET idle_session_timeout = 0")  # it is idle while rows are loaded, however long that takes
        _lock(conn, database)
        held = _Held()
        token = _held.set({**_held.get(), database.name: held})
        try:
            yield
        except BaseException:
            # No spare: on a server that is going down, half of one would be left on its disk.
            held.template = None
            raise
        finally:
            _held.reset(token)
            _let_go(conn, held)


def will_clone(database: Database, template: Kept) -> None:
    """Have a spare of this template made when the lock is let go, if this command holds it and does not fail."""
    if held := _held.get().get(database.name):
        held.template = template


def begin_drops(database: Database, unwanted: Sequence[Database]) -> None:
    """Begin to drop databases beside this one, one after the other; wait for it if this command holds no lock."""
    from psycopg import Error

    def drop() -> None:
        with connect_alone(database.maintenance, purpose="drop") as conn:
            for each in unwanted:
                with suppress(Error):  # somebody else's, or in use: who needs its name fails, and says so
                    execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)

    drop()


def finish_drops(database: Database) -> None:
    """Wait for the drops that have begun: before a database is made, or one of those names is needed.

    Raises:
        EduguardError: when the server went away.
    """
    if held := _held.get().get(database.name):
        dropped, held.dropped = held.dropped, lambda: None
        dropped()


def is_being_made(database: Database) -> bool:
    """Say whether this command holds the lock and has made the next database since; read-only."""
    if database.name not in _held.get():  # what a command has left to the server may still hold it
        return False
    with connect(database.next, purpose="publish") as conn:
        holder = conn.execute(_HOLDER, [_key(database)]).fetchone()
        return bool(
            holder and read_value(conn, "SELECT created_at >= %s FROM eduguard.origin LIMIT 1", holder[1]) is True
        )


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


def _let_go(conn: "Connection", held: _Held) -> None:
    from psycopg import Error

    with suppress(Error, EduguardError):  # a spare only saves time, and what was not dropped is by the next rebuild
        held.dropped()
        if held.template and not conn.closed:
            spares.leave(conn, held.template)  # the lock goes when it is made


def _key(database: Database) -> int:
    return zlib.crc32(f"eduguard {database.name}".encode())
