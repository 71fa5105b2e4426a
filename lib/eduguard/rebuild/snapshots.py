"""Snapshots: copies of the database under names you choose, kept until deleted, and restored by a publish."""

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError, suggest
from eduguard.postgres import Database, connect, exists
from eduguard.rebuild import clones
from eduguard.rebuild.clones import Kept

if TYPE_CHECKING:
    from psycopg import Connection

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A named copy of a database, and the facts recorded when it was made; size in bytes."""

    name: str
    kept: Kept

    @property
    def made_at(self) -> datetime:
        """Return when it was made, in UTC."""
        return datetime.fromtimestamp(float(self.kept.facts["made_at"]), UTC)

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return int(self.kept.facts["size"])


def save(live: Database, name: str, facts: Mapping[str, Any], note: Callable[[str], None]) -> Snapshot:
    """Copy the database; sessions in it are noted, then ended.

    Args:
        live: the database to copy.
        name: of the snapshot.
        facts: plain values that are stored with the snapshot.
        note: is called for each session that is ended.

    Raises:
        EduguardError: when the name is bad or taken, or the database does not exist.
    """
    aside = _aside(live, name)
    with connect(live.maintenance, purpose="snapshot") as conn:
        if not exists(conn, live):
            raise EduguardError(f"There is no {live.name} to save", hint="`inv full` makes it.")
        if any(each.name == name for each in _list(conn, live)):
            raise EduguardError(f"There is a snapshot {name} already", hint=f"`inv snapshot delete {name}` deletes it.")
        _refuse_changed(conn, aside, name)
        return Snapshot(name=name, kept=clones.keep(conn, live, clones.draft_of(live), aside, facts, note))


def list_snapshots(live: Database) -> list[Snapshot]:
    """Return the snapshots of a database, the newest first; read-only."""
    with connect(live.maintenance, purpose="snapshot") as conn:
        return _list(conn, live)


def find(live: Database, name: str) -> Snapshot:
    """Return the snapshot of this name; read-only.

    Raises:
        EduguardError: when there is no such snapshot, naming those that exist.
    """
    aside = _aside(live, name)
    with connect(live.maintenance, purpose="snapshot") as conn:
        snapshots = _list(conn, live)
        if found := next((each for each in snapshots if each.name == name), None):
            return found
        _refuse_changed(conn, aside, name)
    names = [each.name for each in snapshots]
    listed = f"There are: {', '.join(names) or 'none'}."
    raise EduguardError(f"There is no snapshot {name} of {live.name}", hint=suggest(name, names, listed))


def delete(live: Database, snapshot: Snapshot) -> None:
    """Drop a snapshot."""
    with connect(live.maintenance, purpose="snapshot") as conn:
        clones.drop(conn, snapshot.kept.database)


def _refuse_changed(conn: "Connection", aside: Database, name: str) -> None:
    # Somebody has changed its comment or its owner, and perhaps its content, so it is not ours any more.
    if exists(conn, aside):
        raise EduguardError(
            f"{aside.name} is in the way: its comment no longer says that it is the snapshot {name}",
            hint=f'To keep it: ALTER DATABASE "{aside.name}" RENAME TO another_name\n'
            f'  To drop it: DROP DATABASE "{aside.name}"',
        )


def _list(conn: "Connection", live: Database) -> list[Snapshot]:
    prefix = _prefix(live)
    kept = clones.list_aside(conn, live, prefix).kept
    return [Snapshot(name=each.database.name.removeprefix(prefix), kept=each) for each in kept]


def _prefix(live: Database) -> str:
    return f"eduguard_snapshot_{zlib.crc32(live.name.encode()):08x}_"


def _aside(live: Database, name: str) -> Database:
    if not _NAME.match(name):
        raise EduguardError(
            f"{name!r} is not a snapshot's name", hint="Use up to 30 small letters, digits, hyphens and underscores."
        )
    return live.aside(_prefix(live) + name)
