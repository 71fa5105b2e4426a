"""Spares: clones of templates made in advance, so that a rebuild takes one by a rename and waits for no copy.

A spare is there as soon as PostgreSQL has made the whole of it, never before, and nobody can connect to it.
"""

import zlib
from typing import TYPE_CHECKING

from eduguard.postgres.database import Database, execute_for, exists, read_value
from eduguard.rebuild import clones
from eduguard.rebuild.clones import TEMPLATE, Kept

if TYPE_CHECKING:
    from psycopg import Connection

_SPARE = "eduguard_spare_"
_LONGEST = 1.0  # seconds that making one may take: a command that follows at once waits for its end
_WHOLE = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s AND NOT datallowconn AND datconnlimit = -1)"


def prefix(database: Database) -> str:
    """Return how the names of the spares for this database begin."""
    return f"{_SPARE}{zlib.crc32(database.name.encode()):08x}_"


def leave(conn: "Connection", template: Kept) -> None:
    """Ask the server for the spare of a template that has none, and close the connection without waiting for it.

    None is made before every way of cloning has been measured, or where it takes long.
    """
    spare = _spare_of(template)
    if clones.seconds_to_leave(conn, template) < _LONGEST and not exists(conn, spare):
        clones.leave_clone(conn, template, spare)


def has_spares(kept: Kept) -> bool:
    """Say whether a kept database is a template: one that is cloned again and again."""
    return kept.database.name.startswith(TEMPLATE)


def take(conn: "Connection", template: Kept, target: Database) -> bool:
    """Rename the spare of a template to the target, if there is one, and let everybody in; say whether there was."""
    spare = _spare_of(template)
    if not read_value(conn, _WHOLE, spare.name):
        return False
    with conn.transaction():
        execute_for(conn, "ALTER DATABASE {} ALLOW_CONNECTIONS true", spare)
        execute_for(conn, "ALTER DATABASE {} RENAME TO {}", spare, target)
    return True


def list_others(conn: "Connection", database: Database, templates: list[Kept]) -> list[Database]:
    """Return the spares for this database that are of none of these templates; read-only."""
    rows = conn.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> ALL (%s)",
        [prefix(database), [_spare_of(template).name for template in templates]],
    ).fetchall()
    return [database.aside(name) for (name,) in rows]


def _spare_of(template: Kept) -> Database:
    return template.database.aside(_SPARE + template.database.name.removeprefix(TEMPLATE))
