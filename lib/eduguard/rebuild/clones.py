"""Databases kept aside to be cloned: nobody can connect to them, and a comment says, as the last step, what they are.

A database without its comment is unfinished and never cloned. One that belongs to another role is never cloned either:
what its owner has put into it would run with the rights of our role.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.postgres import Database, create_as, execute_for, read_value
from eduguard.postgres.sessions import kept_out
from eduguard.rebuild.properties import (
    apply_changes,
    dump_properties,
    find_changes,
    fresh_properties,
    load_properties,
    read_properties,
)

if TYPE_CHECKING:
    from psycopg import Connection

# Bytes from which copying files is faster than writing every page to the log, two checkpoints included (CREATE DATABASE
# in PostgreSQL's manual, STRATEGY): measured on ext4 and XFS with 15, 525 and 2,125 MB.
_LARGE = 100_000_000
_STRATEGY_VERSION, _CLONE_VERSION = 150000, 180000
_LIST = """
SELECT datname, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba),
       datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
FROM pg_database WHERE starts_with(datname, %s) ORDER BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A finished database that is kept aside, and what its comment says of it."""

    database: Database
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A database under the name of a kept one that we did not keep there, and why we know."""

    database: Database
    reason: str

    def __str__(self) -> str:
        return f"{self.database.name} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """The databases whose names begin alike: finished (the newest first), unfinished, and those that are not ours."""

    kept: tuple[Kept, ...]
    unfinished: tuple[Database, ...]
    strangers: tuple[Stranger, ...]


def list_aside(conn: "Connection", database: Database, prefix: str) -> Aside:
    """Return the databases whose names begin so; read-only."""
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


def keep(
    conn: "Connection", source: Database, aside: Database, facts: Mapping[str, Any], note: Callable[[str], None]
) -> Kept:
    """Copy a database under another name that nobody can connect to; its comment, written last, makes it finished.

    Raises:
        EduguardError: when a database of that name is in the way that is not an unfinished copy of ours.
    """
    found = list_aside(conn, source, aside.name)
    if aside in found.unfinished:
        execute_for(conn, "DROP DATABASE {} WITH (FORCE)", aside)
    if stranger := next((each for each in found.strangers if each.database == aside), None):
        raise EduguardError(f"{stranger} is in the way", hint=f"Drop it yourself: DROP DATABASE {aside.name}")
    with kept_out([source], note):
        _copy(conn, source, aside)
    properties = dump_properties(read_properties(conn, source))
    complete = {**facts, "size": _size(conn, aside), "made_at": time.time(), "properties": properties}
    with conn.transaction():
        execute_for(conn, "ALTER DATABASE {} ALLOW_CONNECTIONS false", aside)
        _comment(conn, aside, json.dumps(complete))
    return Kept(database=aside, facts=complete)


def clone(conn: "Connection", kept: Kept, target: Database) -> None:
    """Create a database as a copy of a kept one, with what was set on the one that was kept, its owner aside."""
    _copy(conn, kept.database, target)
    fresh = fresh_properties(conn)
    kept_properties = load_properties(kept.facts["properties"]) if "properties" in kept.facts else fresh
    changes = find_changes(kept_properties, fresh, fresh)
    changes.pop(("owner",), None)
    with conn.transaction():
        apply_changes(conn, target, changes)


def disown(conn: "Connection", database: Database) -> None:
    """Make a kept database an unfinished one, which is never cloned, even where dropping it is cut off."""
    _comment(conn, database, None)


def drop(conn: "Connection", database: Database) -> None:
    """Drop a kept database."""
    disown(conn, database)
    execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def _copy(conn: "Connection", source: Database, target: Database) -> None:
    if _size(conn, source) < _LARGE or conn.info.server_version < _STRATEGY_VERSION:
        create_as(conn, "CREATE DATABASE {} TEMPLATE {}", target, source)
        return
    if conn.info.server_version >= _CLONE_VERSION:
        # A reflink where the file system has them, else a copy inside the kernel.
        conn.execute("SELECT set_config('file_copy_method', 'clone', false)")
    create_as(conn, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", target, source)


def _size(conn: "Connection", database: Database) -> int:
    return int(read_value(conn, "SELECT pg_database_size(%s)", database.name))


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
