"""Make the next database beside the live one, put it in its place, and swap back.

A publish is one transaction of renames, so a crash at any moment leaves the old or the new database in place. The
database that was replaced is kept as `..._previous`; the one kept before is renamed to `..._discarded` in the same
transaction, and dropped by the next rebuild.
"""

import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres.database import Database, connect, create_as, execute_for, exists, read_value
from eduguard.postgres.sessions import Session, kept_out, unheard
from eduguard.rebuild import clones, lock, spares, templates, untouched
from eduguard.rebuild.clones import Kept
from eduguard.rebuild.protection import is_expendable

if TYPE_CHECKING:
    from psycopg import Connection

_LOOKS = 3  # attempts to see a database untouched and nobody write until it is replaced, on a server that others use
Note = Callable[[str], None]
_OWNER = """
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s AND NOT pg_has_role(datdba, 'USAGE')
"""


class _WrittenError(Exception):
    """Somebody may have written to the database that was to be replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What putting a database in another's place took."""

    ended: tuple[Session, ...]
    pause: float  # seconds in which nobody could connect

    def summary(self) -> str:
        """Return the pause and the sessions ended as the end of a line."""
        ended = f", {len(self.ended)} sessions ended: {', '.join(map(str, self.ended))}" if self.ended else ""
        return f" ({1000 * self.pause:.1f} ms in which nobody could connect{ended})"


def list_beside(database: Database) -> list[str]:
    """Return the databases on the server that belong to this one, kept, made ahead or left behind; read-only."""
    with connect(database.maintenance, purpose="status") as conn:
        beside = [each.name for each in (database.next, database.previous, database.discarded) if exists(conn, each)]
        key = f"{zlib.crc32(database.name.encode()):08x}"
        aside = conn.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY 1",
            [f"^eduguard_(template|spare|snapshot)_{key}_"],
        )
        return [*beside, *(name for (name,) in aside)]


def read_clone(database: Database) -> str | None:
    """Return the hash of the files that the next database, a clone with the fixtures in it, stands for; read-only."""
    with connect(database.next, purpose="seed") as conn:
        # A mark made by an earlier version of ours has no such column.
        inputs: str | None = read_value(conn, "SELECT to_jsonb(o) ->> 'inputs' FROM eduguard.origin o LIMIT 1")
        return inputs


def create_next(
    database: Database, *, target: str, command: str, template: Kept | None = None, fixtures: str | None = None
) -> None:
    """Make a database beside this one, empty or a clone, marked as ours.

    What an earlier run left there is dropped; what the last publish discarded is as soon as the new one is there.

    Args:
        database: the live one.
        target: for the mark.
        command: for the mark.
        template: what is cloned.
        fixtures: for the mark, the hash of the fixtures that have been read and are well-formed.

    Raises:
        EduguardError: when a database that we did not make is in the way, now or of the publish, or when the role may
            not create databases or not rename the live one.
    """
    from psycopg import errors

    with connect(database.maintenance, purpose="rebuild") as conn:
        _require_owner(conn, database)
        for each in (database.previous, database.discarded):
            _require_expendable(conn, each)
        _drop_ours(conn, database.next)
        lock.finish_drops(database)
        try:
            if template:
                _clone(conn, template, database)
            else:
                create_as(conn, "CREATE DATABASE {} TEMPLATE template0 ENCODING UTF8", database.next)
        except errors.InsufficientPrivilege as error:
            raise EduguardError(
                f"The role {conn.info.user} may not create databases on this server",
                hint=f"An administrator can grant it: ALTER ROLE {conn.info.user} CREATEDB",
            ) from error
        lock.begin_drops(database, [database.discarded, *templates.list_unwanted(conn, database)])
    with connect(database.next, purpose="rebuild") as conn, conn.transaction():
        inputs = template.facts.get("inputs") if template else None
        if template is None or not spares.has_spares(template):  # a snapshot's mark may be an earlier version's
            conn.execute("CREATE SCHEMA IF NOT EXISTS eduguard")
            conn.execute("DROP TABLE IF EXISTS eduguard.origin")
            conn.execute(
                "CREATE TABLE eduguard.origin (target text NOT NULL, command text NOT NULL, "
                "created_at timestamptz NOT NULL, inputs text, fixtures text, fingerprint text)"
            )
            conn.execute("INSERT INTO eduguard.origin VALUES ('', '', now())")
        conn.execute(
            "UPDATE eduguard.origin SET (target, command, created_at, inputs, fixtures) = (%s, %s, now(), %s, %s)",
            [target, command, inputs, fixtures],
        )


def _clone(conn: "Connection", template: Kept, database: Database) -> None:
    has_spares = spares.has_spares(template)
    if not has_spares or not spares.take(conn, template, database.next):
        template = clones.clone(conn, template, database.next)
    if has_spares:
        lock.will_clone(database, template)


def _require_owner(conn: "Connection", database: Database) -> None:
    if owner := read_value(conn, _OWNER, database.name):
        raise EduguardError(
            f"{database.name} belongs to the role {owner}: {conn.info.user} may not rename it",
            hint=f"An administrator can grant it: GRANT {owner} TO {conn.info.user}",
        )


def _require_expendable(conn: "Connection", database: Database) -> None:
    # The last copy of a database that we replaced with its owner's consent, or somebody's own of the same name.
    if exists(conn, database) and not is_expendable(database):
        raise EduguardError(
            f"The database {database.name} is in the way, and it was not made by EduGuard DB",
            hint=f"Drop it yourself, or keep it: ALTER DATABASE {database.name} RENAME TO another_name",
        )


def _drop_ours(conn: "Connection", database: Database) -> None:
    if exists(conn, database):
        _require_expendable(conn, database)
        execute_for(conn, "DROP DATABASE {} WITH (FORCE)", database)


def publish(database: Database, note: Note = unheard) -> Swap:
    """Put the next database in this one's place, which is kept as the previous; sessions are noted, then ended.

    The one that was the previous is discarded: the next rebuild drops it.

    Raises:
        EduguardError: when there is no next database, or the previous one, which is discarded, was not made by us.
    """
    with connect(database.maintenance, purpose="publish") as conn:
        if not exists(conn, database.next):
            raise EduguardError(f"There is no {database.next.name} to publish", hint="`inv rebuild` makes it.")
        lock.finish_drops(database)
        _require_expendable(conn, database.previous)
        _drop_ours(conn, database.discarded)
        renames = [(database.next, database)]
        if exists(conn, database):
            renames.insert(0, (database, database.previous))
            if exists(conn, database.previous):
                renames.insert(0, (database.previous, database.discarded))
        return _rename(conn, renames, note)


def replace_untouched(
    database: Database, as_recorded: str, *, target: str, command: str, template: Kept, fixtures: str
) -> Swap | None:
    """Put a template's clone in the place of a database that nothing was written to since it was made, and drop that.

    The previous database stays what `undo` brings back. PostgreSQL keeps everybody out of a database that it renames,
    and counts up the IDs of the transactions that write, on the whole server: where that of the rename follows the one
    in which the database was looked at, nobody has written anything between the two.

    Args:
        database: the live one.
        as_recorded: its fingerprint when it was made.
        target: for the mark.
        command: for the mark.
        template: what is cloned.
        fixtures: for the mark, the hash of the fixtures in the template.

    Returns:
        what it took, or None where it cannot be shown that nothing would be lost; then nothing is changed.

    Raises:
        EduguardError: as `create_next` does.
    """
    with connect(database.maintenance, purpose="replace") as conn:
        if exists(conn, database.next) or untouched.observe(database, as_recorded) is None:
            return None
        create_next(database, target=target, command=command, template=template, fixtures=fixtures)
        lock.finish_drops(database)
        _drop_ours(conn, database.discarded)
        try:
            for _ in range(_LOOKS):
                if (observed := untouched.observe(database, as_recorded)) is None:
                    break
                with suppress(_WrittenError):
                    return _rename_unless_written(conn, database, observed)
        finally:
            _drop_ours(conn, database.next)  # where it is not in the live one's place
        return None


def undo(database: Database, note: Note = unheard) -> Swap:
    """Swap this database and the previous one; sessions are noted, then ended.

    Raises:
        EduguardError: when no previous database was kept.
    """
    with connect(database.maintenance, purpose="undo") as conn:
        if not exists(conn, database.previous):
            raise EduguardError(f"There is no {database.previous.name} to bring back", hint="One publish keeps one.")
        lock.finish_drops(database)
        _drop_ours(conn, database.discarded)
        renames = [
            (database, database.discarded),
            (database.previous, database),
            (database.discarded, database.previous),
        ]
        return _rename(conn, renames if exists(conn, database) else renames[1:2], note)


def _rename(
    conn: "Connection",
    renames: Sequence[tuple[Database, Database]],
    note: Note,
    check: Callable[[], None] = lambda: None,
) -> Swap:
    # The check is made when nobody can be in the databases any more, and may raise.
    with kept_out([before for before, _ in renames], note) as ended:
        began = time.perf_counter()
        with conn.transaction():
            for before, after in renames:
                execute_for(conn, "ALTER DATABASE {} RENAME TO {}", before, after)
            check()
    return Swap(ended=ended, pause=time.perf_counter() - began)


def _rename_unless_written(conn: "Connection", database: Database, observed: int) -> Swap:
    def check() -> None:
        if read_value(conn, untouched.TRANSACTION_ID) != observed + 1:
            raise _WrittenError

    return _rename(conn, [(database, database.discarded), (database.next, database)], unheard, check)
