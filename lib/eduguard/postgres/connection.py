"""Connections to a database, their settings, and a few statements that every room uses."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.postgres.database import Database
from eduguard.postgres.poolers import ask_pid, require_session_mode
from eduguard.postgres.waits import ended_wait, watch

if TYPE_CHECKING:
    from typing import LiteralString

    from psycopg import Connection
    from psycopg.sql import Composed

APPLICATION = "eduguard"  # the prefix of application_name in our sessions
ENCODING = "UTF8"  # of our databases, and of our sessions whatever the server or PGCLIENTENCODING says
# Settings of all our sessions, whatever the server, the role, the database or the environment says, because the meaning
# of fixtures and migrations depends on them. With row_security off, a policy that would hide rows is an error instead
# of a smaller result.
_PINNED: "dict[LiteralString, LiteralString]" = {
    "client_encoding": ENCODING,
    "DateStyle": "'ISO, MDY'",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "search_path": "public",
    "row_security": "off",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "bytea_output": "hex",
    "xmloption": "content",
    "extra_float_digits": "1",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
_PINNED_SINCE_17: "dict[LiteralString, LiteralString]" = {"transaction_timeout": "0"}
_OLDEST_VERSION = 140000
_VERSION_17 = 170000
_CONNECT_TIMEOUT = 10  # seconds


@contextmanager
def connect(database: Database, *, purpose: str) -> Iterator["Connection"]:
    """Open a connection in autocommit mode; transactions are written as `conn.transaction()`.

    Raises:
        EduguardError: when the server does not answer, the database or its password is wrong, the server is older than
        14, a pooler does not keep a session for us, or a statement has waited too long for a lock.
    """
    import psycopg

    with _open(database, purpose) as conn:
        if conn.info.server_version < _OLDEST_VERSION:
            raise EduguardError(
                f"{database.shown_url} is PostgreSQL {conn.info.server_version // 10000}",
                hint="14 is the oldest supported.",
            )
        try:
            pid = ask_pid(conn, database)
            if pid != conn.info.backend_pid:
                require_session_mode(database, _open_probe)
            watch(conn, pid)
            set_up(conn)
            yield conn
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise EduguardError(
                f"{database.name}: {error.diag.message_primary}", hint="Run `inv migrate`, then `inv seed-full`."
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise EduguardError(
                f"{database.name}: {str(error).strip()}",
                hint=f"The role {conn.info.user} may not see or change all of it. Use the role that owns the tables, "
                f"or ask an administrator for the right; against row security: ALTER ROLE {conn.info.user} BYPASSRLS",
            ) from error
        except psycopg.Error as error:
            holder = ended_wait(conn)
            failure = f"waited too long for {holder}" if holder else str(error).strip()
            raise EduguardError(
                f"{database.name}: {failure}", hint="Nothing half-done is left.", place=error.diag.table_name
            ) from error


def _open_probe(database: Database) -> "Connection":
    return _open(database, "looks at the pooler")


def _open(database: Database, purpose: str) -> "Connection":
    from psycopg import OperationalError, connect

    try:
        return connect(
            database.url,
            autocommit=True,
            application_name=f"{APPLICATION} {purpose}",
            connect_timeout=_CONNECT_TIMEOUT,
            client_encoding=ENCODING,
        )
    except OperationalError as error:
        # libpq gives no code for a failed connection, and its message, in any language, names the database.
        if database.fallback and f'"{database.name}"' in str(error):
            with suppress(EduguardError):
                return _open(database.fallback, purpose)
        raise EduguardError(
            f"Cannot connect to {database.shown_url}: {error}",
            hint=_hint(str(error)),
            code="unreachable",
            place=database.shown_url,
        ) from error


def set_up(conn: "Connection") -> None:
    """Set a session's role to its login role, and apply the settings of all our sessions."""
    pinned = _PINNED | (_PINNED_SINCE_17 if conn.info.server_version >= _VERSION_17 else {})
    settings = "; ".join(f"SET {name} = {value}" for name, value in pinned.items())
    conn.execute(f"SET SESSION AUTHORIZATION DEFAULT; SET ROLE NONE; {settings}")


def execute_for(conn: "Connection", statement: "LiteralString", *databases: Database) -> None:
    """Execute a statement after replacing each `{}` by the name of a database."""
    from psycopg import sql

    conn.execute(sql.SQL(statement).format(*(sql.Identifier(database.name) for database in databases)))


def send_for(conn: "Connection", statement: "LiteralString", *databases: Database) -> None:
    """Send a statement as `execute_for` does and close the connection without waiting: the server completes it.

    A server notices that its client has gone only when it sends something (client_connection_check_interval,
    PostgreSQL manual 19.3, is off by default). The session and its locks end after the statement.
    """
    from psycopg import sql

    composed = sql.SQL(statement).format(*(sql.Identifier(database.name) for database in databases))
    conn.pgconn.send_query(composed.as_bytes(conn))
    conn.pgconn.flush()
    conn.close()


def create_as(
    conn: "Connection", statement: "LiteralString", *databases: Database, options: "Composed | None" = None
) -> None:
    """Execute a CREATE DATABASE as `execute_for` does, and request a checkpoint if it is interrupted.

    After an interrupted CREATE DATABASE, PostgreSQL 15 to 18 can be unable to recover from a crash until its next
    checkpoint is complete.
    """
    from psycopg import Error, sql

    try:
        names = (sql.Identifier(database.name) for database in databases)
        conn.execute(sql.SQL(" ").join([sql.SQL(statement).format(*names), options or sql.SQL("").format()]))
    except BaseException:
        with suppress(Error):  # only some roles may request one
            conn.execute("CHECKPOINT")
        raise


def read_value(conn: "Connection", query: "LiteralString", *parameters: object) -> Any:
    """Return the first column of the first row, or None; read-only."""
    row = conn.execute(query, parameters or None).fetchone()
    return row[0] if row else None


def exists(conn: "Connection", database: Database) -> bool:
    """Say whether the server has this database; read-only."""
    return bool(read_value(conn, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", database.name))


def _hint(message: str) -> str:
    if "does not exist" in message and "database" in message:
        return "Run `inv migrate` (empty) or `inv full` (with seeds) to make it."
    if "password" in message or "authentication" in message:
        return "Put the password into ~/.pgpass or PGPASSWORD."
    return "Check that the server runs and that DATABASE_URL, or the target's database_url, leads to it."
