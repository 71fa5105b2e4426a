"""Whether a database may be replaced: what is known about it, and what consent that takes."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, exists, read_value

if TYPE_CHECKING:
    from psycopg import Connection

_TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
AND c.relname !~ '^_?yoyo_' AND n.nspname NOT IN ('eduguard', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1
"""
_ORIGIN = "SELECT target, command, created_at FROM eduguard.origin LIMIT 1"
_STARTED = "SELECT pg_postmaster_start_time()"  # to the microsecond: two servers hardly share it
_INVALID = -2  # DATCONNLIMIT_INVALID_DB: what PostgreSQL marks a database with before it drops it


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The mark inside a database that we made."""

    target: str
    command: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """What is known about a database before it is replaced."""

    exists: bool
    server: str
    is_local: bool
    origin: Origin | None = None
    is_expendable: bool = True
    """we made it, or nothing is in it: it may be dropped without asking"""


def inspect(database: Database) -> DatabaseState:
    """Look at a database and at the server it is on; read-only.

    Raises:
        EduguardError: when the name leads to another database, or to one of another server, as that of a pooler may.
    """
    with connect(database.maintenance, purpose="inspect") as conn:
        server, is_local, present = _server(conn), _is_local(conn), exists(conn, database)
        started = read_value(conn, _STARTED)
    if not present:
        return DatabaseState(exists=False, server=server, is_local=is_local)
    with connect(database, purpose="inspect") as conn:
        _check_reached(conn, database, same_server=read_value(conn, _STARTED) == started)
        origin = _read_origin(conn)
        return DatabaseState(
            exists=True, server=server, is_local=is_local, origin=origin, is_expendable=bool(origin) or _is_empty(conn)
        )


def is_expendable(database: Database) -> bool:
    """Say whether we made a database, or nothing is in it: it may be dropped without asking; read-only.

    One whose DROP DATABASE was cut off, by a server that was killed, can be dropped and nothing else.
    """
    with connect(database.maintenance, purpose="inspect") as conn:
        if read_value(conn, "SELECT datconnlimit = %s FROM pg_database WHERE datname = %s", _INVALID, database.name):
            return True
    with connect(database, purpose="inspect") as conn:
        return _read_origin(conn) is not None or _is_empty(conn)


def _is_empty(conn: "Connection") -> bool:
    return conn.execute(_TABLES).fetchone() is None


def count_rows(conn: "Connection") -> dict[str, int]:
    """Return how many rows each table has, those of the schema `public` without their schema's name; read-only."""
    from psycopg import sql

    tables = [name for (name,) in conn.execute(_TABLES)]
    if not tables:
        return {}
    counts = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, count(*) FROM {}").format(
            sql.Literal(table.removeprefix("public.")), sql.Identifier(*table.split(".", 1))
        )
        for table in tables
    )
    return dict(conn.execute(counts).fetchall())


def check_not_refused(database: Database, protection: str) -> None:
    """Refuse where the target's protection is `refuse`, naming the database, its server and its rows."""
    if protection == "refuse":
        raise EduguardError(
            f"The target's protection is `refuse`: {_describe(inspect(database), database)} is never replaced",
            hint="No flag overrides it; sync-faces, seed and migrate work on it.",
        )


def needs_no_consent(state: DatabaseState, protection: str) -> bool:
    """Say whether a database may be replaced without asking: it is local and ours or empty, and the target is open."""
    return protection == "open" and state.is_local and state.is_expendable


def check_replaceable(
    state: DatabaseState, database: Database, protection: str, *, confirm: str, ask: Callable[[str], str | None]
) -> None:
    """Return if the database may be replaced.

    A local database that is absent, empty or made by us may be, where the target is `open`; any other only after its
    name has been passed or typed; none where the target says `refuse`.

    Args:
        state: what `inspect` found.
        database: the live database.
        protection: of the target: open, confirm or refuse.
        confirm: the name as passed by a flag, or empty.
        ask: shows a question and returns the answer, None without a terminal.

    Raises:
        EduguardError: naming host, database and row counts, and how to consent.
    """
    check_not_refused(database, protection)
    if needs_no_consent(state, protection):
        return
    if confirm == database.name:
        return
    reason = "confirmation is asked for" if state.origin else "it was not made by EduGuard DB"
    question = f"{_describe(state, database)} would be replaced; {reason}.\nType the database's name to go on:"
    answer = confirm or ask(question)
    if answer != database.name:
        raise EduguardError(
            f"{_describe(state, database)} is not replaced: {_why(answer, database)}",
            hint=f"To replace it, pass --confirm {database.name}",
        )


def _why(answer: str | None, database: Database) -> str:
    return "nobody was there to confirm it" if answer is None else f"{answer!r} is not its name, {database.name}"


def _describe(state: DatabaseState, database: Database) -> str:
    if not state.exists:
        return f"database {database.name} on {state.server} (it does not exist yet)"
    with connect(database, purpose="inspect") as conn:  # counting takes long in a large one: only who is asked needs it
        filled = {table: count for table, count in count_rows(conn).items() if count}
    largest = sorted(filled, key=lambda table: -filled[table])[:4]
    listed = ", ".join(f"{table} {filled[table]:,}" for table in largest) or "no rows"
    rest = f" and {len(filled) - len(largest)} more" if len(filled) > len(largest) else ""
    return f"database {database.name} on {state.server} ({sum(filled.values()):,} rows: {listed}{rest})"


def _server(conn: "Connection") -> str:
    host, address = conn.info.host, conn.info.hostaddr
    return f"{host}:{conn.info.port}" + (f" at {address}" if address not in ("", host) else "")


def _check_reached(conn: "Connection", database: Database, *, same_server: bool) -> None:
    name = read_value(conn, "SELECT current_database()")
    if name != database.name or not same_server:
        elsewhere = "" if same_server else f" of another server than {database.maintenance.name}"
        raise EduguardError(
            f"{database.shown_url} leads to database {name}{elsewhere}",
            hint="A pooler gives databases other names: connect to the server itself.",
        )


def _is_local(conn: "Connection") -> bool:
    # What libpq connected to, after service files, PGHOST, aliases and lists of hosts; not what the URL says. An
    # address beside a socket's path (hostaddr, PGHOSTADDR) is where it went.
    if conn.info.hostaddr:
        return ipaddress.ip_address(conn.info.hostaddr).is_loopback
    return conn.info.host.startswith(("/", "@"))


def _read_origin(conn: "Connection") -> Origin | None:
    if read_value(conn, "SELECT to_regclass('eduguard.origin')") is None:
        return None
    row = conn.execute(_ORIGIN).fetchone()
    return Origin(target=row[0], command=row[1], created_at=row[2]) if row else None
