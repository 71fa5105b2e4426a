"""Connections to a database, their settings, and the few statements that every room sends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.postgres.database import Database

if TYPE_CHECKING:
    from typing import LiteralString

    from psycopg import Connection
    from psycopg.sql import Composed

APPLICATION = "eduguard"  # how application_name begins in our sessions
ENCODING = "UTF8"  # of our databases, and of our sessions whatever the server or PGCLIENTENCODING say
# psycopg reads a time with its zone in no other style; a migration's backslashes are no escapes. The server tells both
# when a session begins (PostgreSQL manual 54.2.7).
_EXPECTED: "dict[LiteralString, LiteralString]" = {"DateStyle": "ISO", "standard_conforming_strings": "on"}
_OLDEST_VERSION = 140000
_CONNECT_TIMEOUT = 10  # seconds


@contextmanager
def connect(database: Database, *, purpose: str) -> Iterator["Connection"]:
    """Open a connection in autocommit mode; transactions are written as `conn.transaction()`.

    Raises:
        EduguardError: when the server does not answer, the database or its password is wrong, or the server is older
        than 14.
    """
    import psycopg

    with _open(database, purpose) as conn:
        if conn.info.server_version < _OLDEST_VERSION:
            raise EduguardError(
                f"{database.shown_url} is PostgreSQL {conn.info.server_version // 10000}",
                hint="14 is the oldest supported.",
            )
        try:
            set_up(conn)
            yield conn
        except psycopg.errors.UndefinedTable as error:
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
            raise EduguardError(f"{database.name}: {str(error).strip()}", hint="Nothing half-done is left.") from error


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
        # libpq gives no code for a failed connection, and its words may be of any language; they name the database.
        if database.fallback and f'"{database.name}"' in str(error):
            with suppress(EduguardError):
                return _open(database.fallback, purpose)
        raise EduguardError(f"Cannot connect to {database.shown_url}: {error}", hint=_hint(str(error))) from error


def set_up(conn: "Connection") -> None:
    """Set what migrations and psycopg expect, where the server, the role or the environment have it otherwise."""
    # What a policy hides from the role is an error of the server then, never a smaller answer (PostgreSQL manual 5.9).
    conn.execute("SET row_security = off")
    for name, value in _EXPECTED.items():
        if not (conn.info.parameter_status(name) or value).startswith(value):
            conn.execute(f"SET {name} = {value}")


def execute_for(conn: "Connection", statement: "LiteralString", *databases: Database) -> None:
    """Execute a statement in whose places `{}` the names of databases are put."""
    from psycopg import sql

    conn.execute(sql.SQL(statement).format(*(sql.Identifier(database.name) for database in databases)))


def create_as(
    conn: "Connection", statement: "LiteralString", *databases: Database, options: "Composed | None" = None
) -> None:
    """Execute a CREATE DATABASE as `execute_for` does, and have a checkpoint made when it is broken off.

    PostgreSQL 15 to 18 can be unable to recover from a crash after a CREATE DATABASE that was broken off, until its
    next checkpoint is complete.
    """
    from psycopg import Error, sql

    try:
        names = (sql.Identifier(database.name) for database in databases)
        conn.execute(sql.SQL(" ").join([sql.SQL(statement).format(*names), options or sql.SQL("").format()]))
    except BaseException:
        with suppress(Error):  # only some roles may ask for one
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
        return "Run `inv reset` (empty) or `inv full` (with seeds) to make it."
    if "password" in message or "authentication" in message:
        return "Put the password into ~/.pgpass or PGPASSWORD."
    return "Check that the server runs and that DATABASE_URL, or the target's database_url, leads to it."
