"""Templates: finished databases, named by the hash of everything that decided their content, cloned by rebuilds.

There are two kinds: with migrations only, and with fixtures as well. A template's name is its hash, so a template that
does not fit is not found. Templates are never changed.
"""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, read_value
from eduguard.postgres.sessions import unheard
from eduguard.rebuild import clones, lock
from eduguard.rebuild.clones import Kept
from eduguard.rebuild.properties import describe_creation
from eduguard.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

_KEPT = 3
_PACKAGE = Path(__file__).parents[1]  # any of our modules may affect the content of a template
# Clones that earlier versions made in advance; nothing uses them any more.
_SPARES = """
SELECT datname FROM pg_database
WHERE starts_with(datname, %s) AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The template that fits best, if any, and the databases with such names that are not ours."""

    template: Kept | None
    is_seeded: bool
    """whether the template has the fixtures"""
    strangers: tuple[clones.Stranger, ...]


def prefix(database: Database) -> str:
    """Return the prefix of the names of this database's templates."""
    return f"eduguard_template_{_key(database)}_"


def hash_inputs(settings: Settings, *, seeded: bool) -> str:
    """Return the hash of every file that can change the result of a rebuild; read-only, and no database is asked.

    These are the SQL files, the fixtures if seeded, all our modules, and the versions of the installed packages.
    """
    seeds = [*settings.seed_folder.glob("*.y*ml"), *settings.seed_folder.glob("*.csv")]
    fixtures = sorted(seeds) if seeded else []
    return _hash(str(seeded), [*sorted(settings.migrations_folder.glob("*.sql")), *fixtures])


def find(conn: "Connection", database: Database, settings: Settings, *, seeded: bool) -> Found:
    """Return the finished template that contains most of what a rebuild would make; read-only.

    Args:
        conn: to the server.
        database: the live one.
        settings: name the files.
        seeded: whether the template should have the fixtures.
    """
    aside = clones.list_aside(conn, database, prefix(database))
    kept = {each.database.name: each for each in aside.kept}
    for has_fixtures in [True, False] if seeded else [False]:
        if kept and (fits := kept.get(_name(conn, database, hash_inputs(settings, seeded=has_fixtures)))):
            return Found(template=fits, is_seeded=has_fixtures, strangers=aside.strangers)
    return Found(template=None, is_seeded=False, strangers=aside.strangers)


def keep_own(database: Database, settings: Settings, inputs: str, *, seeded: bool) -> str:
    """Make a template of the next database if this process made it from files that have not changed since.

    Args:
        database: the live one.
        settings: name the files.
        inputs: the hash of the files before they were read; empty if no template is wanted.
        seeded: whether the database has the fixtures.
    """
    if not inputs or inputs != hash_inputs(settings, seeded=seeded) or not lock.is_being_made(database):
        return ""
    return keep(database, inputs, seeded=seeded)


def keep(database: Database, inputs: str, *, seeded: bool) -> str:
    """Make a template of the next database in its present state; return the end of a line that reports it.

    A template only saves time: if it cannot be made, the line says so and nothing fails.
    """
    from psycopg import Error

    with connect(database.maintenance, purpose="template") as conn:
        name = _name(conn, database, inputs)
        facts = {"seeded": seeded, "inputs": inputs if seeded else None}
        try:
            aside = database.aside(name)
            if aside in clones.list_aside(conn, database, name).unfinished:  # retired
                clones.drop(conn, aside)
            # Only our own sessions can be in a database that is not published.
            clones.keep(conn, database.next, clones.draft_of(database), aside, facts, unheard)
            retire(conn, database)
        except EduguardError as error:
            return f"; no template: {error.message}"
        except Error as error:
            return f"; no template: {error.diag.message_primary or 'the server went away'}"
    return "; kept as a template"


def retire(conn: "Connection", database: Database, *, kept: int = _KEPT) -> None:
    """Mark all templates of a database except the newest as unfinished: the next rebuild drops them."""
    for old in clones.list_aside(conn, database, prefix(database)).kept[kept:]:
        clones.disown(conn, old.database)


def list_unwanted(conn: "Connection", database: Database) -> list[Database]:
    """Return the templates that are retired or that a crash left unfinished; read-only."""
    spares = conn.execute(_SPARES, [f"eduguard_spare_{_key(database)}_"]).fetchall()
    unfinished = clones.list_aside(conn, database, prefix(database)).unfinished
    return [*unfinished, *(database.aside(name) for (name,) in spares)]


def _key(database: Database) -> str:
    return f"{zlib.crc32(database.name.encode()):08x}"


def _name(conn: "Connection", database: Database, inputs: str) -> str:
    # The server's version, the role that would own the tables, and the options of the live database count as well.
    server = read_value(conn, "SELECT version() || current_user")
    created = describe_creation(conn, database) or describe_creation(conn, database.aside("template0"))
    return prefix(database) + hashlib.sha256(f"{inputs} {server} {created}".encode()).hexdigest()[:24]


def _hash(what: str, files: Iterable[Path]) -> str:
    hashed = hashlib.sha256(what.encode())
    for part in (*sorted(_PACKAGE.rglob("*.py")), *files):
        content = part.read_bytes()
        hashed.update(f"\n{part.name} {len(content)}\n".encode() + content)
    hashed.update("\n".join(_packages()).encode())
    return hashed.hexdigest()


def _packages() -> list[str]:
    folders = {Path(spec.origin).parents[1] for name in ("yoyo", "yaml") if (spec := find_spec(name)) and spec.origin}
    return sorted(path.name for folder in folders for path in folder.glob("*.dist-info"))
