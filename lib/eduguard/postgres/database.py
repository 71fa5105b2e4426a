"""A target's database, the names of those beside it, and how to connect to them."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from typing import LiteralString

    from psycopg import Connection

MAINTENANCE = "postgres"
APPLICATION = "eduguard"  # how application_name begins in our sessions
ENCODING = "UTF8"  # of our databases, and of our sessions whatever the server or PGCLIENTENCODING say
# psycopg reads a time with its zone in no other style; a migration's backslashes are no escapes. The server tells both
# when a session begins (PostgreSQL manual 54.2.7).
_EXPECTED: "dict[LiteralString, LiteralString]" = {"DateStyle": "ISO", "standard_conforming_strings": "on"}
_OLDEST_VERSION = 140000
_LONGEST_NAME = 63 - len("_discarded")  # NAMEDATALEN - 1, less the longest suffix we add
_HOST = re.compile(r"[a-zA-Z0-9._-]*|[0-9a-fA-F:.]+")  # what may stand before the name in a URL
_SECRETS = {"password", "sslpassword", "oauth_client_secret"}
_CONNECT_TIMEOUT = 10  # seconds
_lent: ContextVar["Mapping[str, Connection]"] = ContextVar("lent", default=MappingProxyType({}))  # by URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A live database by the URL that leads to it, and the names of the ones beside it."""

    url: str = field(repr=False)  # may hold the password
    name: str

    @staticmethod
    def from_url(url: str) -> "Database":
        """Return the database of a libpq URL or connection string; PGDATABASE names it where the URL does not.

        Raises:
            EduguardError: when it is no connection string, names no database, or the name is too long.
        """
        name = _parameters(url).get("dbname") or os.environ.get("PGDATABASE")
        if not name:
            raise EduguardError("The database URL names no database", hint="postgresql://user@host/NAME")
        return Database(url=url, name="").named(str(name))

    def named(self, name: str) -> "Database":
        """Return the database of another name on the same server."""
        if len(name.encode()) > _LONGEST_NAME:
            raise EduguardError(
                f"The database's name {name!r} is too long: {_LONGEST_NAME} bytes leave room for suffixes"
            )
        return Database(url=_with_name(self.url, name), name=name)

    @property
    def next(self) -> "Database":
        """Return the database that is being made beside this one."""
        return self._beside("next")

    @property
    def previous(self) -> "Database":
        """Return the database that the last publish replaced."""
        return self._beside("previous")

    @property
    def discarded(self) -> "Database":
        """Return the database that a publish has replaced for good and is about to drop."""
        return self._beside("discarded")

    @property
    def maintenance(self) -> "Database":
        """Return the database that one is connected to while others are renamed."""
        return replace(self, url=_with_name(self.url, MAINTENANCE), name=MAINTENANCE)

    @property
    def shown_url(self) -> str:
        """Return a URL that leads to the same database, without its password, as it may be printed."""
        from urllib.parse import quote, urlencode

        known = {
            key: value for key, value in _parameters(self.url).items() if key not in _SECRETS and value is not None
        }
        user, host, port = str(known.pop("user", "")), str(known.pop("host", "")), str(known.pop("port", ""))
        known.pop("dbname", None)
        if not (_HOST.fullmatch(host) and (not port or port.isdecimal())):  # a socket's path, or a list
            known = {"host": host, **({"port": port} if port else {}), **known}
            host = port = ""
        authority = (
            (f"{quote(user, safe='')}@" if user else "")
            + (f"[{host}]" if ":" in host else host)
            + (f":{port}" if port else "")
        )
        query = f"?{urlencode(known, quote_via=quote, safe='')}" if known else ""
        return f"postgresql://{authority}/{quote(self.name, safe='')}{query}"

    def aside(self, name: str) -> "Database":
        """Return a database that is kept to be cloned, by its full name."""
        return Database(url=_with_name(self.url, name), name=name)

    def _beside(self, suffix: str) -> "Database":
        return self.aside(f"{self.name}_{suffix}")


@contextmanager
def connect(database: Database, *, purpose: str) -> Iterator["Connection"]:
    """Open a connection in autocommit mode, or take the one lent; transactions are written as `conn.transaction()`.

    Raises:
        EduguardError: when the server does not answer, the database or its password is wrong, or the server is older
        than 14.
    """
    if lent := _lent.get().get(database.url):
        yield lent
        return
    with connect_alone(database, purpose=purpose) as conn:
        yield conn


@contextmanager
def connect_alone(database: Database, *, purpose: str) -> Iterator["Connection"]:
    """Open a connection that nobody else has, as `connect` does: it may hold a lock, or wait in a thread."""
    import psycopg

    try:
        conn = psycopg.connect(
            database.url,
            autocommit=True,
            application_name=f"{APPLICATION} {purpose}",
            connect_timeout=_CONNECT_TIMEOUT,
            client_encoding=ENCODING,
        )
    except psycopg.OperationalError as error:
        raise EduguardError(f"Cannot connect to {database.shown_url}: {error}", hint=_hint(str(error))) from error
    with conn:
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
        except psycopg.Error as error:
            raise EduguardError(f"{database.name}: {str(error).strip()}", hint="Nothing half-done is left.") from error


def set_up(conn: "Connection") -> None:
    """Set what migrations and psycopg expect, where the server, the role or the environment have it otherwise."""
    for name, value in _EXPECTED.items():
        if not (conn.info.parameter_status(name) or value).startswith(value):
            conn.execute(f"SET {name} = {value}")


@contextmanager
def lending(conn: "Connection", database: Database) -> Iterator[None]:
    """Let every `connect` to the database within the block, in this thread, take this connection."""
    token = _lent.set({**_lent.get(), database.url: conn})
    try:
        yield
    finally:
        _lent.reset(token)


def execute_for(conn: "Connection", statement: "LiteralString", *databases: Database) -> None:
    """Execute a statement in whose places `{}` the names of databases are put."""
    from psycopg import sql

    conn.execute(sql.SQL(statement).format(*(sql.Identifier(database.name) for database in databases)))


def create_as(conn: "Connection", statement: "LiteralString", *databases: Database) -> None:
    """Execute a CREATE DATABASE as `execute_for` does, and have a checkpoint made when it is broken off.

    PostgreSQL 15 to 18 can be unable to recover from a crash after a CREATE DATABASE that was broken off, until its
    next checkpoint is complete.
    """
    from psycopg import Error

    try:
        execute_for(conn, statement, *databases)
    except BaseException:
        with suppress(Error):  # only some roles may ask for one
            conn.execute("CHECKPOINT")
        raise


def leave_to(conn: "Connection", statement: "LiteralString", *databases: Database) -> None:
    """Send a statement as `execute_for` does, and close the connection: the server finishes it, nobody hears how."""
    from psycopg import sql

    conn.execute("SET client_connection_check_interval = 0")  # otherwise it would be broken off
    composed = sql.SQL(statement).format(*(sql.Identifier(database.name) for database in databases))
    conn.pgconn.send_query(composed.as_bytes(conn))
    while conn.pgconn.flush():
        pass
    conn.close()


def read_value(conn: "Connection", query: "LiteralString", *parameters: object) -> Any:
    """Return the first column of the first row, or None; read-only."""
    row = conn.execute(query, parameters or None).fetchone()
    return row[0] if row else None


def exists(conn: "Connection", database: Database) -> bool:
    """Say whether the server has this database; read-only."""
    return bool(read_value(conn, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", database.name))


def _parameters(url: str) -> dict[str, Any]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return conninfo_to_dict(url)
    except ProgrammingError as error:
        # libpq's own message repeats the string, password included.
        raise EduguardError("The database URL cannot be read", hint="postgresql://user@host:5432/name") from error


@cache  # libpq reads the whole URL anew each time
def _with_name(url: str, name: str) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(url, dbname=name)


def _hint(message: str) -> str:
    if "does not exist" in message and "database" in message:
        return "Run `inv reset` (empty) or `inv full` (with seeds) to make it."
    if "password" in message or "authentication" in message:
        return "Put the password into ~/.pgpass or PGPASSWORD."
    return "Check that the server runs and that DATABASE_URL, or the target's database_url, leads to it."
