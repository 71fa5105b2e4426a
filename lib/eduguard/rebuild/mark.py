"""The mark inside a database that we made: which command made it, for which target, and on which server.

A mark is valid only in the database where it was written: it names the server, the database's oid and the name of the
live database. A mark that pg_dump, a template or a rename has carried elsewhere is ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eduguard.postgres import Database, read_value
from eduguard.rebuild.properties import Properties, dump_properties, load_properties

if TYPE_CHECKING:
    from psycopg import Connection

# A clone contains the mark of its source, which an earlier version may have written.
_MAKE = """
CREATE SCHEMA IF NOT EXISTS eduguard;
DROP TABLE IF EXISTS eduguard.origin;
CREATE TABLE eduguard.origin (
    target text NOT NULL, command text NOT NULL, created_at timestamptz NOT NULL, inputs text,
    live text NOT NULL, server text, database oid NOT NULL, replaces oid, written jsonb, properties jsonb
)
"""
_WRITE = """
INSERT INTO eduguard.origin (target, command, created_at, inputs, live, server, database, replaces, written)
SELECT %s, %s, now(), %s, %s, %s, oid, %s, %s FROM pg_database WHERE datname = current_database()
"""
# A mark of an earlier version has fewer columns.
_READ = """
SELECT o.target, o.command, o.created_at, j ->> 'inputs', j ->> 'live', j ->> 'server', (j ->> 'database')::oid,
       (j ->> 'replaces')::oid, j -> 'written', j -> 'properties', d.oid
FROM eduguard.origin o, to_jsonb(o) j, pg_database d WHERE d.datname = current_database() LIMIT 1
"""
_WRITTEN = """
SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname <> 'eduguard' ORDER BY 1
"""

Written = Mapping[str, tuple[int, int, int]]  # rows inserted, updated, deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The content of the mark, and whether it was written in this very database of this server."""

    target: str
    command: str
    created_at: datetime
    inputs: str | None
    """the hash of the files that a clone with fixtures was made from"""
    live: str | None
    """the live database that this one was made for; None: an earlier version wrote the mark"""
    replaces: int | None
    """the oid of the live database that was inspected before this one was made; None: there was none"""
    written: Written
    """the write counts of that live database's tables"""
    properties: Properties | None
    """the database's properties when it was published; None: not published, or by an earlier version"""
    is_in_place: bool

    def is_of(self, live: Database) -> bool:
        """Say whether we made the database for this live one, on this server and for this target.

        A mark of an earlier version does not name the live database. Such a mark is believed only on the embedded
        server, which is our own.
        """
        if self.live is None:
            return live.is_embedded
        return self.is_in_place and (self.live, self.target) == (live.name, live.target)


def write_mark(
    conn: "Connection", live: Database, *, command: str, inputs: str | None, replaces: int | None, written: Written
) -> None:
    """Mark the database of a connection as made for a live one, within a transaction."""
    from psycopg.types.json import Jsonb

    conn.execute(_MAKE)
    conn.execute(_WRITE, [live.target, command, inputs, live.name, read_server(conn), replaces, Jsonb(dict(written))])


def record_properties(conn: "Connection", properties: Properties) -> None:
    """Store the database's properties in the mark, before any are carried over from the database it replaces."""
    from psycopg.types.json import Jsonb

    conn.execute("UPDATE eduguard.origin SET properties = %s", [Jsonb(dump_properties(properties))])


def read_written(conn: "Connection") -> Written:
    """Return how many rows were inserted, updated and deleted in each table since its statistics began; read-only.

    A session reports its statistics when it ends, or within a second (PostgreSQL manual 27.2).
    """
    rows = conn.execute(_WRITTEN).fetchall()
    return {table: (inserted, updated, deleted) for table, inserted, updated, deleted in rows}


def read_mark(conn: "Connection") -> Mark | None:
    """Return the mark in the database of a connection; read-only."""
    if read_value(conn, "SELECT to_regclass('eduguard.origin')") is None:
        return None
    found = conn.execute(_READ).fetchone()
    if found is None:
        return None
    target, command, created_at, inputs, live, server, database, replaces, written, properties, oid = found
    return Mark(
        target=target,
        command=command,
        created_at=created_at,
        inputs=inputs,
        live=live,
        replaces=replaces,
        written={table: tuple(counts) for table, counts in (written or {}).items()},
        properties=None if properties is None else load_properties(properties),
        is_in_place=database == oid and server is not None and server == read_server(conn),
    )


def read_server(conn: "Connection") -> str | None:
    """Return the server's system identifier, or None if the role may not read it; read-only.

    initdb creates it, and a physical copy of the server has the same one (pg_control_system, PostgreSQL manual 9.28).
    """
    from psycopg.errors import InsufficientPrivilege, UndefinedFunction

    try:
        with conn.transaction():
            return str(read_value(conn, "SELECT system_identifier FROM pg_control_system()"))
    except (InsufficientPrivilege, UndefinedFunction):
        return None
