"""Templates: finished databases under the hash of everything that decided what is in them, cloned by the next rebuild.

There are two kinds: with the migrations only, and with the fixtures as well. A template's name is its hash, so one that
does not fit is not found; none is ever changed.
"""

import hashlib
import zlib
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres.database import Database, connect, read_value
from eduguard.postgres.sessions import unheard
from eduguard.rebuild import clones, lock, spares, untouched
from eduguard.rebuild.clones import Kept
from eduguard.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

_KEPT = 3
_OWN_SETTINGS = """
SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s AND datacl IS NOT NULL)
OR EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = %s)
"""


def prefix(database: Database) -> str:
    """Return how the names of this database's templates begin."""
    return f"{clones.TEMPLATE}{zlib.crc32(database.name.encode()):08x}_"


def hash_inputs(settings: Settings, *, seeded: bool) -> str:
    """Return the hash of every file that can change what a rebuild makes; read-only, and no database is asked.

    The SQL files, the fixtures where they count, every line of ours, and the installed packages by version.
    """
    fixtures = _fixtures(settings) if seeded else []
    return _hash(str(seeded), [*sorted(settings.migrations_folder.glob("*.sql")), *fixtures])


def hash_fixtures(settings: Settings) -> str:
    """Return the hash of all that decides whether the fixtures are well-formed; read-only, no database is asked."""
    return _hash("fixtures", _fixtures(settings))


def find(conn: "Connection", database: Database, settings: Settings) -> tuple[Kept | None, Kept | None]:
    """Return the finished templates that a rebuild would make anew: the one with the fixtures, and the empty one."""
    kept = {each.database.name: each for each in clones.list_kept(conn, database, prefix(database))}
    if not kept:
        return None, None
    with_fixtures, empty = (
        kept.get(_name(conn, database, hash_inputs(settings, seeded=seeded))) for seeded in (True, False)
    )
    return with_fixtures, empty


def keep(database: Database, inputs: str, *, seeded: bool) -> str:
    """Make a template of the next database, which is finished so far, and drop the oldest; return a line's end.

    A template only saves time: if it cannot be made, that is said and nothing fails.
    """
    from psycopg import Error

    with connect(database.maintenance, purpose="template") as conn:
        name = _name(conn, database, inputs)
        facts = {"seeded": seeded, "inputs": inputs if seeded else None}
        if read_value(conn, _OWN_SETTINGS, database.next.name, database.next.name):
            return "; no template, for a clone would lose the database's own settings or grants"
        try:
            if not seeded:
                _record_fingerprint(database, inputs)
            lock.finish_drops(database)
            # Only our own sessions are in a database that is not published.
            kept = clones.keep(conn, database.next, database.aside(name), facts, unheard)
            retire(conn, database)
        except Error as error:
            return f"; no template: {error.diag.message_primary or 'the server went away'}"
    lock.will_clone(database, kept)
    return "; kept as a template"


def _record_fingerprint(database: Database, inputs: str) -> None:
    # A role that may not read all of it only goes without.
    with suppress(EduguardError), connect(database.next, purpose="template") as conn, conn.transaction():
        conn.execute("UPDATE eduguard.origin SET fingerprint = %s", [untouched.fingerprint(conn, inputs)])


def retire(conn: "Connection", database: Database, *, kept: int = _KEPT) -> None:
    """Declare all templates of a database but the newest unfinished: the next rebuild drops them."""
    for old in clones.list_kept(conn, database, prefix(database))[kept:]:
        clones.disown(conn, old.database)


def list_unwanted(conn: "Connection", database: Database) -> list[Database]:
    """Return what is retired, what a crash left unfinished, and the spares of neither; read-only."""
    finished = clones.list_kept(conn, database, prefix(database))
    unfinished = clones.list_unfinished(conn, database, prefix(database))
    return [*unfinished, *spares.list_others(conn, database, finished)]


def _name(conn: "Connection", database: Database, inputs: str) -> str:
    # With the server's version and locale, and the role that would own the tables.
    server = read_value(
        conn,
        "SELECT concat_ws('/', version(), current_user, encoding, datcollate, datctype) "
        "FROM pg_database WHERE datname = 'template0'",
    )
    return prefix(database) + hashlib.sha256(f"{inputs} {server}".encode()).hexdigest()[:24]


def _hash(what: str, files: Iterable[Path]) -> str:
    hashed = hashlib.sha256(what.encode())
    for part in (*sorted(Path(__file__).parents[1].rglob("*.py")), *files):
        content = part.read_bytes()
        hashed.update(f"\n{part.name} {len(content)}\n".encode() + content)
    hashed.update("\n".join(_packages()).encode())
    return hashed.hexdigest()


def _fixtures(settings: Settings) -> list[Path]:
    return sorted(settings.seed_folder.glob("*.y*ml"))


def _packages() -> list[str]:
    folders = {Path(spec.origin).parents[1] for name in ("yoyo", "yaml") if (spec := find_spec(name)) and spec.origin}
    return sorted(path.name for folder in folders for path in folder.glob("*.dist-info"))
