"""The lock that lets one command at a time rebuild a database."""

import os
import secrets
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres import APPLICATION, Database, connect, read_value
from eduguard.postgres.sessions import Session
from eduguard.rebuild import obstacles

if TYPE_CHECKING:
    from psycopg import Connection

_HOLDER = """
SELECT a.pid, a.backend_start, a.application_name, a.usename, starts_with(coalesce(a.query, ''), 'DROP DATABASE')
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid::bigint = %s
"""
_POLL = 0.1  # seconds between two attempts to take the lock
_SHORT_POLL = 0.01  # while the server drops a database for a command that has ended
_PATIENCE = 5.0  # seconds: as long as PostgreSQL itself waits for the sessions in a database that is to be copied
_LONGEST_NAME = 63  # bytes of application_name that PostgreSQL keeps (NAMEDATALEN - 1)
_TOKEN = secrets.token_hex(4)  # tells this process from one of the same number in another container


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder:
    session: Session
    since: datetime
    is_dropping: bool
    """its command has ended; the server still drops what was discarded"""


@contextmanager
def hold_lock(database: Database, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the lock that lets one command at a time rebuild this database; it ends with the session, whatever happens.

    A lock that is held is waited for, `patience` seconds at most: PostgreSQL ends the statement of a command that has
    ended, or was killed, before it lets its lock go. It could be told to break such a statement off
    (client_connection_check_interval), and is not: after a CREATE DATABASE that was broken off, a crash of the server
    can leave it unable to recover. A process that holds the lock may ask for it again.

    A command that succeeds leaves it to the server to drop what was discarded. The lock is held until that is done,
    and that is waited for however long it takes.

    Raises:
        EduguardError: naming the session that holds it.
    """
    with connect(database.maintenance, purpose=_purpose()) as conn:
        if _is_ours(_find_holder(conn, database)):
            yield
            return
        conn.execute("SET idle_session_timeout = 0")  # it is idle while rows are loaded, however long that takes
        _lock(conn, database, patience)
        yield
        obstacles.leave_to_drop(conn, database)


def is_being_made(database: Database) -> bool:
    """Say whether this process holds the lock and has made the next database since; read-only."""
    with connect(database.next, purpose="publish") as conn:
        holder = _find_holder(conn, database)
        if holder is None or not _is_ours(holder):
            return False
        return read_value(conn, "SELECT created_at >= %s FROM eduguard.origin LIMIT 1", holder.since) is True


def _purpose() -> str:
    return f"lock {_TOKEN}, process {os.getpid()} on {socket.gethostname()}"


def _find_holder(conn: "Connection", database: Database) -> _Holder | None:
    found = conn.execute(_HOLDER, [_key(database)]).fetchone()
    if found is None:
        return None
    pid, since, application, user, is_dropping = found
    return _Holder(session=Session(pid=pid, application=application, user=user), since=since, is_dropping=is_dropping)


def _is_ours(holder: _Holder | None) -> bool:
    name = f"{APPLICATION} {_purpose()}".encode()[:_LONGEST_NAME]
    return holder is not None and holder.session.application.encode() == name and not holder.is_dropping


def _lock(conn: "Connection", database: Database, patience: float) -> None:
    key, attempts, holder = _key(database), 0, None
    while attempts * _POLL < patience:
        if read_value(conn, "SELECT pg_try_advisory_lock(%s)", key):
            return
        holder = _find_holder(conn, database)
        is_dropping = holder is not None and holder.is_dropping
        time.sleep(_SHORT_POLL if is_dropping else _POLL)
        attempts += not is_dropping
    if holder is None:  # it ended between the two questions
        raise EduguardError(
            f"Another command was rebuilding {database.name} just now", hint="Run this again.", code="locked"
        )
    raise EduguardError(
        f"Another command is rebuilding {database.name}: session {holder.session}"
        f", since {holder.since:%Y-%m-%d %H:%M:%S}",
        hint="Wait for it to end and run this again.",
        code="locked",
    )


def _key(database: Database) -> int:
    return zlib.crc32(f"eduguard {database.name}".encode())
