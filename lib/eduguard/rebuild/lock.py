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
_SHORT_POLL = 0.01  # seconds, while the server drops a database for a command that has ended
_PATIENCE = 5.0  # seconds: as long as PostgreSQL itself waits for sessions to leave a database before it copies it
_LONGEST_NAME = 63  # bytes of application_name that PostgreSQL keeps (NAMEDATALEN - 1)
_TOKEN = secrets.token_hex(4)  # distinguishes this process from one with the same pid in another container


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder:
    session: Session
    since: datetime
    is_dropping: bool
    """its command has ended, but the server is still dropping the discarded database"""


@contextmanager
def hold_lock(database: Database, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the lock that lets one command at a time rebuild this database; it is released when the session ends.

    If another session holds the lock, wait for it, at most `patience` seconds: when a command ends or is killed,
    PostgreSQL completes its statement before it releases the lock. The setting client_connection_check_interval could
    cancel such a statement, but we do not use it: after a cancelled CREATE DATABASE, a crash can leave the server
    unable to recover. A process that holds the lock may ask for it again.

    A command that succeeds lets the server drop the discarded database. The lock is held until this is done; another
    command waits for that without a limit.

    Raises:
        EduguardError: naming the session that holds it.
    """
    with connect(database.maintenance, purpose=_purpose()) as conn:
        if _is_ours(_find_holder(conn, database)):
            yield
            return
        conn.execute("SET idle_session_timeout = 0")  # this session is idle while rows are loaded, which can take long
        _lock(conn, database, patience)
        yield
        obstacles.leave_to_drop(conn, database)


def is_being_made(database: Database) -> bool:
    """Say whether this process holds the lock and has made the next database since it took it; read-only."""
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
    if holder is None:  # the holder ended between the two queries
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
