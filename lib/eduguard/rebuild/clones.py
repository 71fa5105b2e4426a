"""Databases kept aside to be cloned: nobody can connect to them, and a comment, written last, describes them.

A copy is made under a temporary name. It gets its final name and its comment in one transaction. So an unfinished copy
is never mistaken for a finished one, and a copy whose comment somebody changed is never mistaken for an unfinished one.

A database without its comment is never cloned. A database that belongs to another role is not cloned either, because
code that its owner put into it would run with the rights of our role.
"""

import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, create_as, execute_for, read_value
from eduguard.postgres.sessions import kept_out, unheard
from eduguard.rebuild.mark import Written, read_written
from eduguard.rebuild.properties import (
    Properties,
    apply_changes,
    dump_properties,
    find_changes,
    fresh_properties,
    load_properties,
    read_properties,
)

if TYPE_CHECKING:
    from psycopg import Connection

# From this size in bytes, copying files is faster than writing every page to the log, even with its two checkpoints
# (PostgreSQL manual, CREATE DATABASE, STRATEGY): measured on ext4 and XFS with 15, 525 and 2,125 MB.
_LARGE = 100_000_000
_ASKED = 10_000_000_000  # bytes; copying a larger database takes so much time and space that we ask first
_STRATEGY_VERSION, _CLONE_VERSION = 150000, 180000

Note = Callable[[str], None]
_LIST = """
SELECT datname, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba),
       datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
FROM pg_database WHERE starts_with(datname, %s) ORDER BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A finished database that is kept aside, and the facts in its comment."""

    database: Database
    facts: Mapping[str, Any]

    @property
    def is_snapshot(self) -> bool:
        """Say whether a user asked for it; otherwise it is a template, made from migrations and fixtures."""
        return "seeded" not in self.facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A database with the name of a kept one that is not ours, and how we know."""

    database: Database
    reason: str

    def __str__(self) -> str:
        return f"{self.database.name} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """The databases with a common prefix: finished (newest first), unfinished, and those that are not ours."""

    kept: tuple[Kept, ...]
    unfinished: tuple[Database, ...]
    strangers: tuple[Stranger, ...]


def list_aside(conn: "Connection", database: Database, prefix: str) -> Aside:
    """Return the databases whose names begin with a prefix; read-only."""
    kept, unfinished, strangers = list[Kept](), list[Database](), list[Stranger]()
    for name, comment, owner, is_own in conn.execute(_LIST, [prefix]).fetchall():
        aside, facts = database.aside(name), _read_facts(comment)
        if not is_own:
            strangers.append(Stranger(database=aside, reason=f"it belongs to the role {owner}"))
        elif facts is not None:
            kept.append(Kept(database=aside, facts=facts))
        elif comment is None:
            unfinished.append(aside)
        else:
            strangers.append(Stranger(database=aside, reason="its comment is not ours"))
    kept.sort(key=lambda each: float(each.facts["made_at"]), reverse=True)
    return Aside(kept=tuple(kept), unfinished=tuple(unfinished), strangers=tuple(strangers))


def draft_of(live: Database) -> Database:
    """Return the temporary name for a copy for this database; only the command that holds its lock may use it."""
    return live.aside(f"eduguard_unfinished_{zlib.crc32(live.name.encode()):08x}")


def drop_draft(conn: "Connection", draft: Database) -> None:
    """Drop the draft that a killed command left behind.

    Raises:
        EduguardError: when a database that is not ours has the draft's name.
    """
    found = list_aside(conn, draft, draft.name)
    if draft in found.unfinished:
        execute_for(conn, "DROP DATABASE {} WITH (FORCE)", draft)
    _require_free(draft, found)


def finish_draft(conn: "Connection", draft: Database, name: Database, comment: str | None = None) -> None:
    """Give a draft its final name; if a comment is given, add it and close the database to connections."""
    with kept_out([draft], unheard), conn.transaction():  # our own session in it may take a moment to end
        if comment is not None:
            execute_for(conn, "ALTER DATABASE {} ALLOW_CONNECTIONS false", draft)
            _comment(conn, draft, comment)
        execute_for(conn, "ALTER DATABASE {} RENAME TO {}", draft, name)


def keep(
    conn: "Connection", source: Database, draft: Database, aside: Database, facts: Mapping[str, Any], note: Note
) -> Kept:
    """Keep a copy of a database that nobody can connect to, with a comment that describes it.

    Args:
        conn: to another database.
        source: the database to copy.
        draft: the name of the copy until it is finished.
        aside: the final name of the copy.
        facts: for the comment.
        note: is called for each session that is ended.

    Raises:
        EduguardError: when a database of that name is in the way.
    """
    _require_free(aside, list_aside(conn, source, aside.name))
    drop_draft(conn, draft)
    with kept_out([source], note):
        _copy(conn, source, draft)
    properties = dump_properties(read_properties(conn, source))
    complete = {**facts, "size": read_size(conn, draft), "made_at": time.time(), "properties": properties}
    finish_draft(conn, draft, aside, json.dumps(complete))
    return Kept(database=aside, facts=complete)


def clone(conn: "Connection", kept: Kept, target: Database) -> None:
    """Create a database as a copy of a kept one, with the properties of its source except the owner."""
    _copy(conn, kept.database, target)
    if "properties" in kept.facts:
        _set(conn, target, load_properties(kept.facts["properties"]))


def copy_live(conn: "Connection", live: Database, target: Database, made: Properties, note: Note) -> Written:
    """Copy a live database after ending its sessions, each noted first; return the write counts of its tables.

    Args:
        conn: to another database.
        live: the database to copy.
        target: the new database.
        made: the properties of the live database when we made it: a publish carries over later changes.
        note: is called for each session that is ended.
    """
    with connect(live, purpose="copy") as inside:
        spared = int(read_value(inside, "SELECT pg_backend_pid()"))
        with kept_out([live], note, spared=spared):
            written = read_written(inside)  # nobody else is connected; sessions that come later are reported
            inside.close()
            with kept_out([live], unheard):  # also our own session, which a pooler would keep open
                _copy(conn, live, target)
    _set(conn, target, made)
    return written


def check_size(conn: "Connection", live: Database, *, confirm: str, ask: Callable[[str], str | None]) -> None:
    """Ask before a large database is copied.

    Args:
        conn: to the server.
        live: the database to copy.
        confirm: the database's name as passed by a flag, or empty.
        ask: shows a question and returns the answer, or None without a terminal.

    Raises:
        EduguardError: naming the size, unless the database's name is passed or typed.
    """
    size = read_size(conn, live)
    if size <= _ASKED or confirm == live.name:
        return
    taken = f"{live.name} holds {size / 1e9:.1f} GB, which would be copied"
    if ask(f"{taken}.\nType the database's name to go on:") != live.name:
        raise EduguardError(f"{taken}: nothing was done", hint=f"To copy it, pass --confirm {live.name}")


def read_size(conn: "Connection", database: Database) -> int:
    """Return the bytes that a database takes on disk; read-only."""
    return int(read_value(conn, "SELECT pg_database_size(%s)", database.name))


def disown(conn: "Connection", database: Database) -> None:
    """Mark a kept database as unfinished, so that it is never cloned, even if dropping it is interrupted."""
    _comment(conn, database, None)


def drop(conn: "Connection", database: Database) -> None:
    """Drop a kept database."""
    disown(conn, database)
    execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def _copy(conn: "Connection", source: Database, target: Database) -> None:
    if read_size(conn, source) < _LARGE or conn.info.server_version < _STRATEGY_VERSION:
        create_as(conn, "CREATE DATABASE {} TEMPLATE {}", target, source)
        return
    if conn.info.server_version >= _CLONE_VERSION:
        # A reflink if the file system supports it, otherwise a copy inside the kernel.
        conn.execute("SELECT set_config('file_copy_method', 'clone', false)")
    create_as(conn, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", target, source)


def _set(conn: "Connection", target: Database, properties: Properties) -> None:
    fresh = fresh_properties(conn)
    changes = find_changes(properties, fresh, fresh)
    changes.pop(("owner",), None)
    with conn.transaction():
        apply_changes(conn, target, changes)


def _require_free(wanted: Database, found: Aside) -> None:
    if stranger := next((each for each in found.strangers if each.database == wanted), None):
        raise EduguardError(f"{stranger} is in the way", hint=f"Drop it yourself: DROP DATABASE {wanted.name}")


def _comment(conn: "Connection", database: Database, text: str | None) -> None:
    from psycopg import sql

    conn.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database.name), sql.Literal(text)))


def _read_facts(text: str | None) -> dict[str, Any] | None:
    try:
        facts = json.loads(text or "")
    except ValueError:
        return None
    is_ours = isinstance(facts, dict) and isinstance(facts.get("made_at"), float) and isinstance(facts.get("size"), int)
    return facts if is_ours else None
