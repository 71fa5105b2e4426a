"""Waits of our sessions: the holder of a lock is named while a statement waits, and a limit ends the wait.

One thread of the process watches its connections. If a statement takes long, the thread opens a session and asks the
server which session blocks it.
"""

import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from eduguard.errors import EduguardError
from eduguard.terminal import print_note

if TYPE_CHECKING:
    from psycopg import Connection

_POLL = 0.25  # seconds between two checks of our connections
_PAUSE = 1.0  # seconds between two queries about one connection
_LONG = 1.5  # seconds; a statement that takes longer is queried
_CONNECT_TIMEOUT = 2  # seconds; libpq's minimum
_APPLICATION = "eduguard waits"
# pg_blocking_pids returns 0 for a prepared transaction (PostgreSQL manual 9.27).
_HOLDERS = """
SELECT pid, coalesce(a.application_name, ''), a.usename, coalesce(a.xact_start, a.backend_start),
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(waitstart)), 0)::float FROM pg_locks
     WHERE pid = %(pid)s AND NOT granted)
FROM unnest(pg_blocking_pids(%(pid)s)) AS held (pid) LEFT JOIN pg_stat_activity a USING (pid)
GROUP BY 1, 2, 3, 4 ORDER BY 1
"""
_CANCEL = "SELECT pg_cancel_backend(pid) FROM (SELECT %s::int) AS waiting (pid) WHERE pg_blocking_pids(pid) <> '{}'"


@dataclass(slots=True)
class _Watched:
    """One connection: its session's pid, when its statement began, when we last asked, and whom it waits for."""

    pid: int
    since: float | None = None
    asked: float = 0
    named: str = ""
    ended: str = ""


@dataclass(slots=True)
class _Watch:
    """The connections of this process, and the limit of a wait in seconds."""

    limit: float = math.inf
    connections: "WeakKeyDictionary[Connection, _Watched]" = field(default_factory=WeakKeyDictionary)
    lock: threading.Lock = field(default_factory=threading.Lock)


def watch(conn: "Connection", pid: int) -> None:
    """Print on stderr, within 3 s, what a connection waits for, until it is closed.

    Args:
        conn: the connection whose statements may wait.
        pid: the pid of its session on the server.
    """
    shared = _shared()
    with shared.lock:
        shared.connections[conn] = _Watched(pid)


def end_waits_after(seconds: float) -> None:
    """End each statement of this process that waits for a lock longer than this.

    Raises:
        EduguardError: for a negative number.
    """
    if not seconds >= 0:
        raise EduguardError(f"--wait {seconds:g}: there is no such time", hint="--wait 10 waits for ten seconds.")
    _shared().limit = seconds


def ended_wait(conn: "Connection") -> str:
    """Return whose lock a statement of this connection waited for when the limit ended it, or an empty text."""
    watched = _shared().connections.get(conn)
    return watched.ended if watched else ""


@cache
def _shared() -> _Watch:
    shared = _Watch()
    threading.Thread(target=_look_for_ever, args=(shared,), daemon=True).start()
    return shared


def _look_for_ever(shared: _Watch) -> None:
    while True:
        time.sleep(_POLL)
        _look_at_all(shared)


def _look_at_all(shared: _Watch) -> None:
    from psycopg import Error

    with shared.lock:
        connections = list(shared.connections.items())
    for conn, watched in connections:
        if _is_due(conn, watched, shared.limit):
            # If the server is gone or has no room for another session, the statement itself will fail and report it.
            with suppress(Error):
                _ask(conn, watched, shared.limit)


def _is_due(conn: "Connection", watched: _Watched, limit: float) -> bool:
    from psycopg.pq import TransactionStatus

    now = time.monotonic()
    if conn.closed or conn.pgconn.transaction_status != TransactionStatus.ACTIVE:
        watched.since, watched.named = None, ""
        return False
    if watched.since is None:
        watched.since = now
    if now - watched.since < min(_LONG, limit) or now - watched.asked < _PAUSE:
        return False
    watched.asked = now
    return True


def _ask(conn: "Connection", watched: _Watched, limit: float) -> None:
    from psycopg import connect

    with connect(
        conn.info.dsn,
        password=conn.info.password or None,
        autocommit=True,
        application_name=_APPLICATION,
        connect_timeout=_CONNECT_TIMEOUT,
    ) as asking:
        holders = asking.execute(_HOLDERS, {"pid": watched.pid}).fetchall()
        if not holders:
            return
        named = ", ".join(_name(*holder[:4]) for holder in holders)
        if named != watched.named:
            watched.named = named
            print_note(f"{conn.info.dbname}: waits for {named}; --wait SECONDS ends such a wait")
        if holders[0][4] >= limit:
            print_note(f"{conn.info.dbname}: ends the wait for {named}")
            watched.ended = named
            asking.execute(_CANCEL, [watched.pid])


def _name(pid: int, application: str, user: str | None, since: object) -> str:
    if not pid:
        return "a prepared transaction"
    began = f", since {since:%Y-%m-%d %H:%M:%S}" if since else ""
    return f"session {pid} ({application or 'unnamed'}, {user}{began})"
