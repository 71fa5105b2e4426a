"""Make the next database beside the live one, put it in its place, and swap back.

A publish is one transaction of renames, so a crash at any moment leaves the old or the new database in place. The
replaced database is kept as `..._previous`. The previous database before it is renamed to `..._discarded` in the same
transaction. The server drops the discarded database after the command has ended; if not, the next rebuild drops it.
"""

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.postgres import Database, connect, create_as, execute_for, exists, read_value
from eduguard.postgres.sessions import Session, kept_out, unheard
from eduguard.rebuild import clones, templates
from eduguard.rebuild.clones import Kept
from eduguard.rebuild.lock import is_being_made
from eduguard.rebuild.mark import Mark, Written, read_mark, read_written, record_properties, write_mark
from eduguard.rebuild.obstacles import drop_ours, drop_unwanted, note_refused, require_expendable, require_owner
from eduguard.rebuild.properties import (
    Properties,
    apply_changes,
    create_like,
    find_changes,
    fresh_properties,
    read_properties,
)
from eduguard.rebuild.protection import DatabaseState, count_rows
from eduguard.synced import carry_over

if TYPE_CHECKING:
    from psycopg import Connection

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """The result of putting a database in another's place."""

    ended: tuple[Session, ...]
    pause: float  # seconds in which nobody could connect
    live: str
    """the database that is live now: when and by which command it was made, and its rows"""
    is_undoable: bool
    """another database was live before, and is kept"""

    def summary(self) -> str:
        """Return the pause, the ended sessions and the live database as the end of a line."""
        ended = f", {amount(len(self.ended), 'session')} ended: {', '.join(map(str, self.ended))}" if self.ended else ""
        return f" ({self.live}; {1000 * self.pause:.1f} ms in which nobody could connect{ended})"

    def way_back(self) -> str:
        """Return the command that brings the database before back, as the end of a line; none if there was none."""
        return "; `inv undo` brings the one before back" if self.is_undoable else ""

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"pause_seconds": self.pause, "ended_sessions": [asdict(session) for session in self.ended]}


def list_beside(database: Database) -> list[str]:
    """Return the databases on the server that belong to this one: kept, being made or left behind; read-only."""
    with connect(database.maintenance, purpose="status") as conn:
        beside = [each.name for each in (database.next, database.previous, database.discarded) if exists(conn, each)]
        key = f"{zlib.crc32(database.name.encode()):08x}"
        aside = conn.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY 1",
            [f"^eduguard_((template|snapshot)_{key}_|unfinished_{key}$)"],
        )
        return [*beside, *(name for (name,) in aside)]


def describe_live(database: Database) -> str:
    """Return sentences that say which database is live and which are beside it; read-only."""
    beside = list_beside(database)
    with connect(database.maintenance, purpose="status") as conn:
        live = f"{database.name} is live." if exists(conn, database) else f"There is no {database.name} yet."
    return f"{live} Beside it: {', '.join(beside)}." if beside else live


def is_seeded_clone(database: Database, inputs: str) -> bool:
    """Say whether this process made the next database by cloning a template with exactly these fixtures; read-only.

    Args:
        database: the live one.
        inputs: the hash of the fixtures and of everything else that decides a template's content.

    Raises:
        EduguardError: when the next database is the clone of a template with other fixtures.
    """
    with connect(database.next, purpose="seed") as conn:
        mark = read_mark(conn)
    cloned_for = mark.inputs if mark else None
    if cloned_for not in (None, inputs):
        raise EduguardError(
            f"{database.next.name} was cloned before a file changed: a row that is no longer in the fixtures may be in"
            " it",
            hint="Run the command again; `inv rebuild` makes the next database again.",
        )
    return cloned_for == inputs and is_being_made(database)


def create_next(
    database: Database,
    state: DatabaseState,
    *,
    command: str,
    template: Kept | None = None,
    of_live: bool = False,
    note: Note = unheard,
) -> None:
    """Make a database beside this one, marked as ours: empty, the clone of a template, or a copy of the live one.

    The new database gets its name after its mark. A command that is killed before that leaves a draft, which the next
    command drops. Databases left by an earlier run, the discarded database and retired templates are dropped first,
    because a DROP DATABASE waits for a checkpoint, and a checkpoint takes long after a new database was written.

    Args:
        database: the live one.
        state: the inspected state of the live database: the publish replaces only that very database.
        command: for the mark.
        template: the template to clone, if any.
        of_live: copy the live database, and end the sessions in it.
        note: is called for each property that cannot be carried over and for each session that is ended.

    Raises:
        EduguardError: when a database that we did not make is in the way, now or when publishing, or when the role may
            not create databases or may not rename the live one.
    """
    from psycopg import errors

    draft, written = clones.draft_of(database), state.written
    with connect(database.maintenance, purpose="rebuild") as conn:
        made = (state.mark.properties if state.is_ours and state.mark else None) or fresh_properties(conn)
        _make_room(conn, database, state, made, note)
        try:
            if of_live:
                written = clones.copy_live(conn, database, draft, made, note)
            elif template:
                clones.clone(conn, template, draft)
            else:
                options = create_like(conn, database)
                create_as(conn, "CREATE DATABASE {} TEMPLATE template0", draft, options=options)
        except errors.InsufficientPrivilege as error:
            raise EduguardError(
                f"The role {conn.info.user} may not create databases on this server",
                hint=f"An administrator can grant it: ALTER ROLE {conn.info.user} CREATEDB",
            ) from error
        with connect(draft, purpose="rebuild") as inside, inside.transaction():
            inputs = template.facts.get("inputs") if template else None
            write_mark(inside, database, command=command, inputs=inputs, replaces=state.oid, written=written)
            if not (template and template.is_snapshot):  # its FaceIds belong to its own collections
                carry_over(inside, state.synced)
        clones.finish_draft(conn, draft, database.next)


def _make_room(conn: "Connection", database: Database, state: DatabaseState, made: Properties, note: Note) -> None:
    require_owner(conn, database)
    for each in (database.previous, database.discarded):
        require_expendable(conn, database, each)
    note_refused(conn, database, state, made, note)
    drop_ours(conn, database, database.next)
    clones.drop_draft(conn, clones.draft_of(database))
    drop_unwanted(conn, [database.discarded, *templates.list_unwanted(conn, database)])


def publish(database: Database, note: Note = unheard) -> Swap:
    """Put the next database in this one's place and keep this one as the previous; sessions are noted, then ended.

    The database that was the previous one is discarded.

    Raises:
        EduguardError: when there is no next database, when the live database is not the one that was inspected before
            the next one was made, or when the previous one, which would be discarded, was not made by us.
    """
    with connect(database.maintenance, purpose="publish") as conn:
        if not exists(conn, database.next):
            raise EduguardError(f"There is no {database.next.name} to publish", hint="`inv rebuild` makes it.")
        mark, live = _read_next(conn, database)
        require_expendable(conn, database, database.previous)
        drop_ours(conn, database, database.discarded)
        renames = [(database.next, database)]
        if not exists(conn, database):
            return _rename(conn, renames, note, live, lambda: _require_replaced(conn, database, mark))
        made = _read_made(conn, database)
        renames.insert(0, (database, database.previous))
        if exists(conn, database.previous):
            renames.insert(0, (database.previous, database.discarded))

        def check() -> None:
            _require_replaced(conn, database, mark)
            old, new = read_properties(conn, database.previous), read_properties(conn, database)
            apply_changes(conn, database, find_changes(old, made, new))

        swap = _rename(conn, renames, note, live, check)
        _note_written(database.previous, mark.written, note)
        return swap


def _read_next(conn: "Connection", database: Database) -> tuple[Mark, str]:
    properties = read_properties(conn, database.next)
    with connect(database.next, purpose="publish") as inside:
        mark = read_mark(inside)
        if mark is None or not mark.is_of(database):
            raise EduguardError(
                f"EduGuard DB did not make {database.next.name} for {database.name}", hint="`inv rebuild` makes one."
            )
        if mark.live is not None:
            record_properties(inside, properties)
        return mark, _describe(inside, mark)


def _read_made(conn: "Connection", database: Database) -> Properties:
    with connect(database, purpose="publish") as inside:
        mark = read_mark(inside)
    is_known = mark is not None and mark.is_of(database)
    return (mark.properties if mark and is_known else None) or fresh_properties(conn)


def _describe(conn: "Connection", mark: Mark | None) -> str:
    made = f"made {mark.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by `{mark.command}`, " if mark else ""
    return f"{made}{amount(sum(count_rows(conn).values()), 'row')}"


def _note_written(previous: Database, before: Written, note: Note) -> None:
    """Name the tables that were written to since the database was inspected: the new live database lacks these rows."""
    with connect(previous, purpose="publish") as conn:
        now = read_written(conn)
    for table, counts in now.items():
        since = [max(0, count - known) for count, known in zip(counts, before.get(table, (0, 0, 0)), strict=True)]
        if any(since):
            inserted, updated, deleted = since
            note(
                f"{previous.name}: {table} was written to meanwhile: {amount(inserted, 'row')} inserted, "
                f"{updated} updated, {deleted} deleted; what is live now lacks them"
            )


def _require_replaced(conn: "Connection", database: Database, mark: Mark) -> None:
    # Checked within the transaction of the renames, so nobody can give the name to another database any more.
    found = read_value(conn, "SELECT oid FROM pg_database WHERE datname = %s", database.previous.name)
    if mark.live is not None and found != mark.replaces:
        raise EduguardError(
            f"{database.name} is not the database that was looked at before {database.next.name} was made",
            hint="Nothing was changed. Look at it, and run `inv rebuild` and what follows again.",
        )


def undo(database: Database, note: Note = unheard) -> Swap:
    """Swap this database and the previous one; sessions are noted, then ended.

    Raises:
        EduguardError: when no previous database was kept.
    """
    with connect(database.maintenance, purpose="undo") as conn:
        if not exists(conn, database.previous):
            raise EduguardError(f"There is no {database.previous.name} to bring back", hint="One publish keeps one.")
        drop_ours(conn, database, database.discarded)
        with connect(database.previous, purpose="undo") as inside:
            live = _describe(inside, read_mark(inside))
        if not exists(conn, database):
            return _rename(conn, [(database.previous, database)], note, live)
        with connect(database, purpose="undo") as inside:
            written = read_written(inside)
        renames = [
            (database, database.discarded),
            (database.previous, database),
            (database.discarded, database.previous),
        ]
        swap = _rename(conn, renames, note, live)
        _note_written(database.previous, written, note)
        return swap


def _rename(
    conn: "Connection",
    renames: Sequence[tuple[Database, Database]],
    note: Note,
    live: str,
    check: Callable[[], None] = lambda: None,
) -> Swap:
    with kept_out([before for before, _ in renames], note) as ended:
        began = time.perf_counter()
        with conn.transaction():
            for before, after in renames:
                execute_for(conn, "ALTER DATABASE {} RENAME TO {}", before, after)
            check()
    is_undoable = len(renames) > 1  # else no database had the name
    return Swap(ended=ended, pause=time.perf_counter() - began, live=live, is_undoable=is_undoable)
