"""Whether a database may be replaced: what is known about it, and which consent is needed."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.postgres import Database, connect, read_value
from eduguard.rebuild.mark import Mark, Written, read_mark, read_written
from eduguard.settings import Target
from eduguard.synced import read_synced

if TYPE_CHECKING:
    from psycopg import Connection

Ask = Callable[[str], str | None]
_TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
AND c.relname !~ '^_?yoyo_' AND n.nspname NOT IN ('eduguard', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1
"""
# Objects made by users have oids from 16384 on (FirstNormalObjectId), in every catalogue of the database.
_CATALOGUES = (
    "pg_class", "pg_proc", "pg_type", "pg_namespace", "pg_extension", "pg_largeobject_metadata", "pg_event_trigger",
    "pg_foreign_data_wrapper", "pg_foreign_server", "pg_publication", "pg_cast", "pg_collation", "pg_conversion",
    "pg_operator", "pg_opclass", "pg_opfamily", "pg_language", "pg_default_acl", "pg_statistic_ext",
    "pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template",
)  # fmt: skip
_HAS_OBJECT = "EXISTS (SELECT FROM pg_catalog.{} WHERE oid >= 16384)"
_HAS_OBJECTS = f"SELECT {' OR '.join(map(_HAS_OBJECT.format, _CATALOGUES))}"
_OID = "SELECT oid FROM pg_database WHERE datname = %s"
_STARTED = "SELECT pg_postmaster_start_time()"  # to the microsecond: two servers are unlikely to share it
_INVALID = -2  # DATCONNLIMIT_INVALID_DB: PostgreSQL sets it on a database before dropping it
_TEMPLATES = ("template0", "template1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """What is known about a database before it is replaced."""

    server: str
    is_local: bool
    oid: int | None = None
    """None: the database does not exist"""
    mark: Mark | None = None
    is_ours: bool = False
    """we made it, here and for this target"""
    is_empty: bool = False
    written: Written = field(default_factory=dict)
    synced: Mapping[str, str] = field(default_factory=dict)
    """the collections it was synced with; the database that replaces it records them too"""

    @property
    def exists(self) -> bool:
        """Say whether it exists."""
        return self.oid is not None

    @property
    def is_expendable(self) -> bool:
        """Say whether it may be dropped without asking: we made it, it is empty, or it does not exist."""
        return self.is_ours or self.is_empty or not self.exists


def inspect(database: Database) -> DatabaseState:
    """Inspect a live database and its server; read-only.

    Raises:
        EduguardError: when the name leads to another database or another server, which is possible with a pooler.
    """
    with connect(database.maintenance, purpose="inspect") as conn:
        server, is_local, oid = _server(conn), _is_local(conn), read_value(conn, _OID, database.name)
        started = read_value(conn, _STARTED)
    if oid is None:
        return DatabaseState(server=server, is_local=is_local)
    with connect(database, purpose="inspect") as conn:
        _check_reached(conn, database, same_server=read_value(conn, _STARTED) == started)
        mark = read_mark(conn)
        return DatabaseState(
            server=server,
            is_local=is_local,
            oid=oid,
            mark=mark,
            is_ours=mark is not None and mark.is_of(database),
            is_empty=_is_empty(conn),
            written=read_written(conn),
            synced=read_synced(conn),
        )


def is_expendable(conn: "Connection", beside: Database, live: Database) -> bool:
    """Say whether a database beside a live one may be dropped without asking: it is ours or empty; read-only.

    If a DROP DATABASE was interrupted because the server was killed, the database can only be dropped.

    Args:
        conn: to another database of the server.
        beside: the database to drop.
        live: the live database.
    """
    if read_value(conn, "SELECT datconnlimit = %s FROM pg_database WHERE datname = %s", _INVALID, beside.name):
        return True
    with connect(beside, purpose="inspect") as inside:
        mark = read_mark(inside)
        return (mark is not None and mark.is_of(live)) or _is_empty(inside)


def _is_empty(conn: "Connection") -> bool:
    return not conn.execute(_HAS_OBJECTS.encode()).fetchone()[0]  # type: ignore[index]  # SELECT returns a row


def count_rows(conn: "Connection") -> dict[str, int]:
    """Return how many rows each table has; tables of the schema `public` are named without it; read-only."""
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


def check_not_refused(target: Target, command: str) -> None:
    """Refuse a command that would change or replace a target with the protection `refuse`; asks no server.

    Raises:
        EduguardError: naming the command, the target and the commands that work on it.
    """
    if target.protection == "refuse":
        raise EduguardError(
            f"`inv {command}` is refused: the protection of target {target.name} is `refuse`; nothing was changed",
            hint="No flag overrides it. `inv status`, `inv migrate`, `inv sync-faces` and `inv enrol STUDENT PHOTO…` "
            "work on it; INVOKE_TARGET chooses another target.",
            code="refused",
        )


def check_renameable(database: Database) -> None:
    """Refuse a database that cannot be renamed: a template of PostgreSQL, or the one we are connected to."""
    if database.name in (*_TEMPLATES, database.maintenance.name):
        raise EduguardError(
            f"{database.name} is never replaced: PostgreSQL makes databases of the templates, and other databases are "
            f"renamed from {database.maintenance.name}",
            hint="Name another database, or set maintenance_database to one that this command may be connected to.",
        )


def needs_no_consent(state: DatabaseState, protection: str, *, replacing: bool) -> bool:
    """Say whether a database may be changed without asking: the target is open and the database is local.

    To be replaced without asking, the database must also be ours or empty.
    """
    return protection == "open" and state.is_local and (state.is_expendable or not replacing)


def require_consent(
    state: DatabaseState,
    database: Database,
    protection: str,
    *,
    confirm: str,
    ask: Ask,
    replacing: bool = True,
    by: str = "",
) -> str:
    """Return the database's name if it was passed or typed; fail if consent is needed but was not given.

    If the target is `open`, a local database is changed without asking. It is replaced without asking only if it is
    also absent, empty or made by us.

    Args:
        state: what `inspect` found.
        database: the live database.
        protection: of the target: open or confirm.
        confirm: the name as passed by a flag or typed before, or empty.
        ask: shows a question and returns the answer, or None without a terminal.
        replacing: whether the database is replaced or only changed.
        by: the commands that change or replace it, for messages.

    Raises:
        EduguardError: naming host, database and row counts, and how to consent.
    """
    if needs_no_consent(state, protection, replacing=replacing) or confirm == database.name:
        return confirm
    done, reason = ("replaced" if replacing else "changed") + (f" by {by}" if by else ""), _why_asked(state, protection)
    question = f"{_describe(state, database)} would be {done}; {reason}.\nType the database's name to go on:"
    answer = confirm or ask(question)
    if answer != database.name:
        raise EduguardError(
            f"{_describe(state, database)} is not {done}: {reason}, and {_why(answer, database)}",
            hint=f"To go on, pass --confirm {database.name}",
            code="not-confirmed",
            place=database.shown_url,
        )
    return answer


def _why_asked(state: DatabaseState, protection: str) -> str:
    if protection != "open":
        return f"the protection of its target is `{protection}`"
    return "it is not on this machine" if not state.is_local else _why_not_ours(state)


def _why_not_ours(state: DatabaseState) -> str:
    if state.mark is None:
        return "it was not made by EduGuard DB"
    return f"its mark was written elsewhere, by {state.mark.command!r} for target {state.mark.target!r}"


def _why(answer: str | None, database: Database) -> str:
    return "nobody was there to confirm it" if answer is None else f"{answer!r} is not its name, {database.name}"


def _describe(state: DatabaseState, database: Database) -> str:
    if not state.exists:
        return f"database {database.name} on {state.server} (it does not exist yet)"
    with connect(database, purpose="inspect") as conn:  # counting is slow in a large database: done only for a question
        filled = {table: count for table, count in count_rows(conn).items() if count}
    largest = sorted(filled, key=lambda table: -filled[table])[:4]
    listed = ", ".join(f"{table} {filled[table]:,}" for table in largest) or "no rows"
    rest = f" and {len(filled) - len(largest)} more" if len(filled) > len(largest) else ""
    return f"database {database.name} on {state.server} ({amount(sum(filled.values()), 'row')}: {listed}{rest})"


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
    # What libpq connected to, after service files, PGHOST, aliases and lists of hosts; not what the URL says. If there
    # is an address in addition to a socket's path (hostaddr, PGHOSTADDR), libpq connected to the address.
    if conn.info.hostaddr:
        return ipaddress.ip_address(conn.info.hostaddr).is_loopback
    return conn.info.host.startswith(("/", "@"))
