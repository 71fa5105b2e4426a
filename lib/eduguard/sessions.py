"""Sessions in databases that are about to be renamed or copied: listed first, then ended and kept out."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.database import APPLICATION, Database, connect

if TYPE_CHECKING:
    from psycopg import Connection

_POLL = 0.01  # seconds between two looks for sessions that are in the way
_PATIENCE = 200  # looks; PostgreSQL itself then waits 5 s more
_LIST = """
SELECT pid, application_name, usename
FROM pg_stat_activity WHERE datname = ANY (%s) AND backend_type = 'client backend' ORDER BY pid
"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY (%s) AND backend_type = 'client backend'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of somebody else that was ended."""

    pid: int
    application: str
    user: str

    def __str__(self) -> str:
        return f"{self.pid} ({self.application or 'unnamed'}, {self.user})"


@contextmanager
def kept_out(databases: Sequence[Database], note: Callable[[str], None]) -> Iterator[tuple[Session, ...]]:
    """End the sessions in these databases, each noted before, and go on ending new ones until the block is left.

    PostgreSQL locks new sessions out of a database that it renames or copies, and then waits up to 5 s for those that
    are there. Sessions are ended before, and while it waits, so that a client that reconnects at once cannot make it
    fail.
    """
    names = [database.name for database in databases]
    with connect(databases[0].maintenance, purpose="watches") as watcher:
        ended = _end_sessions(watcher, names, note)
        done = threading.Event()
        thread = threading.Thread(target=_keep_ending, args=(watcher, names, done))
        thread.start()
        try:
            yield ended
        finally:
            done.set()
            thread.join()


def unheard(_: str) -> None:
    """Note nothing: where only our own sessions can be in the way."""


def _keep_ending(conn: "Connection", names: list[str], done: threading.Event) -> None:
    from psycopg import Error

    try:
        while not done.wait(_POLL):
            conn.execute(_END, [names])
    except Error:
        return  # the server is gone: the block itself fails, and says so


def _end_sessions(conn: "Connection", names: list[str], note: Callable[[str], None]) -> tuple[Session, ...]:
    listed: dict[int, Session] = {}
    for _ in range(_PATIENCE):
        rows = conn.execute(_LIST, [names]).fetchall()
        if not rows:
            break
        for pid, application, user in rows:
            session = Session(pid=pid, application=application, user=user)
            if pid not in listed and not application.startswith(APPLICATION):
                note(f"ends session {session}")
            listed[pid] = session
        conn.execute(_END, [names])
        time.sleep(_POLL)
    return tuple(session for session in listed.values() if not session.application.startswith(APPLICATION))
