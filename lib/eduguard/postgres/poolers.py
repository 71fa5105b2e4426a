"""Poolers such as PgBouncer: they are recognised by their pids; a pooler in transaction mode is refused.

Our commands keep locks, settings and temporary tables in their session. In transaction mode, a pooler may execute the
next statement in another session that lacks them. The earlier session keeps them, and another client gets it next.
"""

import select
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres.database import Database

if TYPE_CHECKING:
    from psycopg import Connection

_ATTEMPTS = 3  # a pooler that rotates its sessions may return the same one by chance
_PATIENCE = 5.0  # seconds to wait for a session
_SESSIONS = 10  # needed at once for one database: four students in parallel, a lock, and queries in between


def ask_pid(conn: "Connection", database: Database) -> int:
    """Return the pid of the server process that executes the statements of a connection; read-only.

    For a direct connection, libpq knows this pid (BackendKeyData, PostgreSQL manual 54.2.1); a pooler gives its clients
    its own numbers.

    Args:
        conn: a connection that nobody else uses during the call.
        database: for the message.

    Raises:
        EduguardError: when there is no answer, because the pooler lets the first statement wait for a session.
    """
    return _ask(conn, database, b"SELECT pg_backend_pid()")


@cache
def require_session_mode(database: Database, connect: Callable[[Database], "Connection"]) -> None:
    """Check that a pooler gives each client its own session.

    It does not if a second client in a transaction gets the session of the first, or if the first gets another one.

    Raises:
        EduguardError: when it does not, or has only one session.
    """
    with connect(database) as first, connect(database) as second:
        for _ in range(_ATTEMPTS):
            before = ask_pid(first, database)
            held = _ask(second, database, b"BEGIN; SELECT pg_backend_pid()")
            is_lent = held == before or ask_pid(first, database) != before
            second.execute("ROLLBACK")
            if not is_lent:
                continue
            raise EduguardError(
                f"{database.shown_url} is a pooler in transaction mode: locks and settings of a session do not hold",
                hint="Connect to the server itself, or set pool_mode = session for this database.",
            )


def _ask(conn: "Connection", database: Database, query: bytes) -> int:
    # psycopg itself would wait for ever.
    from psycopg import OperationalError

    pgconn, deadline = conn.pgconn, time.monotonic() + _PATIENCE
    pgconn.send_query(query)
    pgconn.flush()
    found = None
    while True:
        while pgconn.is_busy():
            if not select.select([pgconn.socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise EduguardError(
                    f"{database.shown_url} gave no session within {_PATIENCE:.0f} s: all that its pooler may open are "
                    "in use",
                    hint=f"Let it open {_SESSIONS} of a database (default_pool_size), or connect to the server itself.",
                )
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            break
        found = result.get_value(0, 0) if result.ntuples else found
    if found is None:
        raise OperationalError(pgconn.get_error_message(conn.info.encoding))
    return int(found)
