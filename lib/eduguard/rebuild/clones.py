"""Databases kept aside to be cloned: nobody can connect to them, and a comment says, as the last step, what they are.

A database without its comment is unfinished and never cloned. How PostgreSQL copies fastest depends on the file system
and on the size: the first clones on each server try every strategy in turn, and the comments remember what they took.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eduguard.postgres.database import Database, create_as, execute_for, leave_to, read_value
from eduguard.postgres.sessions import kept_out

if TYPE_CHECKING:
    from psycopg import Connection

TEMPLATE = "eduguard_template_"  # how the names of templates begin
_STRATEGIES = ("wal_log", "file_copy", "clone")
_STRATEGY_VERSION, _CLONE_VERSION = 150000, 180000
_ROUNDS = 2  # clones that try each strategy; the least time of each counts
_FOREIGN_SIZE = 8  # what was measured on a database so many times smaller or larger says nothing
_CREATE = {
    "wal_log": "CREATE DATABASE {} TEMPLATE {} STRATEGY WAL_LOG",
    "file_copy": "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY",
    "clone": "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY",
    "": "CREATE DATABASE {} TEMPLATE {}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A finished database that is kept aside, and what its comment says of it."""

    database: Database
    facts: Mapping[str, Any]

    @property
    def seconds(self) -> dict[str, list[float]]:
        """Return what clones of this size have taken, by strategy."""
        return dict(self.facts.get("seconds", {}))


def list_kept(conn: "Connection", database: Database, prefix: str) -> list[Kept]:
    """Return the finished databases whose names begin so, the newest first; read-only."""
    rows = conn.execute(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database "
        "WHERE starts_with(datname, %s) AND NOT datallowconn",
        [prefix],
    ).fetchall()
    kept = [Kept(database=database.aside(name), facts=facts) for name, text in rows if (facts := _read_facts(text))]
    return sorted(kept, key=lambda each: float(each.facts["made_at"]), reverse=True)


def list_unfinished(conn: "Connection", database: Database, prefix: str) -> list[Database]:
    """Return the databases whose names begin so, but which no comment says are finished; read-only."""
    finished = {each.database.name for each in list_kept(conn, database, prefix)}
    rows = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY 1", [prefix])
    return [database.aside(name) for (name,) in rows if name not in finished]


def keep(
    conn: "Connection", source: Database, aside: Database, facts: Mapping[str, Any], note: Callable[[str], None]
) -> Kept:
    """Copy a database under another name that nobody can connect to; its comment, written last, makes it finished."""
    execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", aside)
    size = int(read_value(conn, "SELECT pg_database_size(%s)", source.name))
    seconds = _remembered(conn, source, size)
    with kept_out([source], note):
        _copy_measured(conn, source, aside, seconds)
    execute_for(conn, "ALTER DATABASE {} ALLOW_CONNECTIONS false", aside)
    complete = {**facts, "seconds": seconds, "size": size, "made_at": time.time()}
    _comment(conn, aside, json.dumps(complete))
    return Kept(database=aside, facts=complete)


def clone(conn: "Connection", kept: Kept, target: Database) -> Kept:
    """Create a database as a copy of a kept one: in the fastest way, once every way has been tried.

    Returns:
        the kept one, with what its comment says of it now.
    """
    seconds = kept.seconds
    if not _copy_measured(conn, kept.database, target, seconds):
        return kept
    facts = {**kept.facts, "seconds": seconds}
    _comment(conn, kept.database, json.dumps(facts))
    return replace(kept, facts=facts)


def leave_clone(conn: "Connection", kept: Kept, target: Database) -> None:
    """Ask for a copy of a kept one that nobody can connect to, and close the connection without waiting for it.

    It is made in the fastest way that has written all of it to disk by its end (CREATE DATABASE in PostgreSQL's manual,
    FILE_COPY). What WAL_LOG leaves unwritten would hold up the next command, for a DROP DATABASE waits until it is.
    """
    strategy = _fastest(_strategies_to_disk(conn), kept.seconds)
    _choose_method(conn, strategy)
    leave_to(conn, _CREATE[strategy] + " ALLOW_CONNECTIONS false", target, kept.database)


def seconds_to_leave(conn: "Connection", kept: Kept) -> float:
    """Return what such a copy has taken, or infinity before every way of copying was tried."""
    if _untried(conn, kept.seconds):
        return float("inf")
    return min(kept.seconds[_fastest(_strategies_to_disk(conn), kept.seconds)])


def _copy_measured(conn: "Connection", source: Database, target: Database, seconds: dict[str, list[float]]) -> bool:
    # Adds what it took, where that is not known well enough; says whether it did.
    untried = _untried(conn, seconds)
    strategy = (
        min(untried, key=lambda each: len(seconds.get(each, []))) if untried else _fastest(_strategies(conn), seconds)
    )
    _choose_method(conn, strategy)
    began = time.perf_counter()
    create_as(conn, _CREATE[strategy], target, source)
    if untried:
        seconds[strategy] = [*seconds.get(strategy, []), time.perf_counter() - began]
    return bool(untried)


def _choose_method(conn: "Connection", strategy: str) -> None:
    if strategy in ("file_copy", "clone") and conn.info.server_version >= _CLONE_VERSION:
        conn.execute("SELECT set_config('file_copy_method', %s, false)", ["clone" if strategy == "clone" else "copy"])


def disown(conn: "Connection", database: Database) -> None:
    """Take its comment from a kept database: it counts as unfinished, and is not cloned, even when dropped by half."""
    _comment(conn, database, None)


def drop(conn: "Connection", database: Database) -> None:
    """Drop a kept database."""
    disown(conn, database)
    execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def _comment(conn: "Connection", database: Database, text: str | None) -> None:
    from psycopg import sql

    conn.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database.name), sql.Literal(text)))


def _read_facts(text: str | None) -> dict[str, Any] | None:
    try:
        facts = json.loads(text or "")
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and {"made_at", "size"} <= set(facts) else None


def _strategies(conn: "Connection") -> tuple[str, ...]:
    if conn.info.server_version < _STRATEGY_VERSION:
        return ("",)
    return _STRATEGIES if conn.info.server_version >= _CLONE_VERSION else _STRATEGIES[:2]


def _untried(conn: "Connection", seconds: Mapping[str, list[float]]) -> list[str]:
    return [each for each in _strategies(conn) if len(seconds.get(each, [])) < _ROUNDS]


def _strategies_to_disk(conn: "Connection") -> tuple[str, ...]:
    return tuple(each for each in _strategies(conn) if each != "wal_log")


def _fastest(strategies: Sequence[str], seconds: Mapping[str, list[float]]) -> str:
    return min(strategies, key=lambda each: min(seconds.get(each, []), default=float("inf")))


def _remembered(conn: "Connection", database: Database, size: int) -> dict[str, list[float]]:
    for kept in list_kept(conn, database, "eduguard_"):
        if kept.seconds and size / _FOREIGN_SIZE <= int(kept.facts["size"]) <= size * _FOREIGN_SIZE:
            return kept.seconds
    return {}
