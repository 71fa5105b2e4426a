"""Snapshots: copies of the database under names of your own, kept until deleted, and put back like any publish."""

import re
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.migrations import runner
from eduguard.postgres.database import Database, connect, exists
from eduguard.rebuild import clones, lock, protection, publication
from eduguard.rebuild.clones import Kept
from eduguard.settings import Settings
from eduguard.targets import target_collection, target_database
from eduguard.terminal import print_note

if TYPE_CHECKING:
    from psycopg import Connection

Ask = Callable[[str], str | None]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}\Z")
_OLDER = "; it has other migrations than the folder: `inv migrate --plan` shows them"


def prefix(database: Database) -> str:
    """Return how the names of this database's snapshots begin."""
    return f"eduguard_snapshot_{zlib.crc32(database.name.encode()):08x}_"


def save(settings: Settings, name: str) -> str:
    """Copy the database; sessions in it are noted, then ended.

    Raises:
        EduguardError: for a bad name, one that is taken, or without a database.
    """
    live = target_database(settings)
    aside = _aside(live, name)
    with lock.hold_lock(live), connect(live.maintenance, purpose="snapshot") as conn:
        if not exists(conn, live):
            raise EduguardError(f"There is no {live.name} to save", hint="`inv full` makes it.")
        if _find(conn, live, name):
            raise EduguardError(f"There is a snapshot {name} already", hint=f"`inv snapshot delete {name}` deletes it.")
        collection, count = settings.target.collection, _face_count(settings)
        facts = {"migrations": runner.hash_applied(live), "collection": collection, "face_count": count}
        size = int(clones.keep(conn, live, aside, facts, print_note).facts["size"])
    return f"{name}: {live.name}, {size / 1e6:.1f} MB, {_faces(count)} in {collection}"


def list_lines(settings: Settings) -> Iterator[str]:
    """Yield a line for each snapshot, the newest first; read-only."""
    live = target_database(settings)
    with connect(live.maintenance, purpose="snapshot") as conn:
        kept = clones.list_kept(conn, live, prefix(live))
    for each in kept:
        made = datetime.fromtimestamp(float(each.facts["made_at"]), UTC)
        name = each.database.name.removeprefix(prefix(live))
        yield f"{name}: {made:%Y-%m-%d %H:%M} UTC, {int(each.facts['size']) / 1e6:.1f} MB{_moved(settings, each)}"


def restore(settings: Settings, name: str, *, confirm: str, command: str, ask: Ask) -> str:
    """Put a copy of a snapshot in the database's place, which is kept for `undo`; the snapshot stays.

    Raises:
        EduguardError: without such a snapshot, or when the database may not be replaced.
    """
    live, target = target_database(settings), settings.target
    with lock.hold_lock(live):
        with connect(live.maintenance, purpose="snapshot") as conn:
            kept = _require(conn, live, name)
        protection.check_replaceable(protection.inspect(live), live, target.protection, confirm=confirm, ask=ask)
        publication.create_next(live, target=target.name, command=command, template=kept)
        swap = publication.publish(live, print_note)
    later = "" if kept.facts["migrations"] == runner.hash_folder(settings.migrations_folder) else _OLDER
    remarks = _moved(settings, kept) + later
    return f"{name} is {live.name} now{swap.summary()}{remarks}; `inv undo` brings the one before back"


def delete(settings: Settings, name: str) -> str:
    """Drop a snapshot.

    Raises:
        EduguardError: without such a snapshot.
    """
    live = target_database(settings)
    with connect(live.maintenance, purpose="snapshot") as conn:
        clones.drop(conn, _require(conn, live, name).database)
    return f"{name} deleted"


def _aside(live: Database, name: str) -> Database:
    if not _NAME.match(name):
        raise EduguardError(
            f"{name!r} is not a snapshot's name", hint="Use up to 30 small letters, digits, hyphens and underscores."
        )
    return live.aside(prefix(live) + name)


def _find(conn: "Connection", live: Database, name: str) -> Kept | None:
    aside = _aside(live, name)
    return next((kept for kept in clones.list_kept(conn, live, aside.name) if kept.database == aside), None)


def _require(conn: "Connection", live: Database, name: str) -> Kept:
    if kept := _find(conn, live, name):
        return kept
    names = [each.database.name.removeprefix(prefix(live)) for each in clones.list_kept(conn, live, prefix(live))]
    raise EduguardError(f"There is no snapshot {name} of {live.name}", hint=f"There are: {', '.join(names) or 'none'}.")


def _moved(settings: Settings, kept: Kept) -> str:
    collection, then = kept.facts["collection"], kept.facts["face_count"]
    if collection != settings.target.collection:
        return f"; its FaceIds are of collection {collection}: run `inv sync-faces`"
    if (now := _face_count(settings)) != then:
        return f"; {collection} moved on from {_faces(then)} to {_faces(now)}: run `inv sync-faces`"
    return ""


def _face_count(settings: Settings) -> int | None:
    try:
        state = target_collection(settings).describe()
    except EduguardError as error:
        print_note(f"{settings.target.collection} was not asked: {error}")
        return None
    return state.face_count if state else 0


def _faces(count: int | None) -> str:
    return "an unknown number of faces" if count is None else f"{count} faces"
