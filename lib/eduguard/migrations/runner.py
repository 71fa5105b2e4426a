"""SQL migrations, applied in order by yoyo: each with its record and the hash of its file in one transaction.

A migration that was edited after it was applied is refused by name; yoyo itself checks only the file's name.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.migrations.failures import explained
from eduguard.migrations.files import check_folder, digest, digests
from eduguard.postgres import Database, connect, exists, read_value

if TYPE_CHECKING:
    import psycopg

APPLIED, PENDING = "applied", "pending"
EDITED, GONE = "applied, and edited since", "applied, but no longer in the folder"
LATE = "pending, but older than what is applied"
_LOCK = 0x65647567  # "edug"; allows one run of migrations in a database at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPlan:
    """The applied and the pending migrations; ids are file names without `.sql`, in order."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]


def check_number(folder: Path, to: str) -> None:
    """Refuse a number, or the beginning of a name, that does not match one migration; empty text means all of them."""
    _last(check_folder(folder), to)


def plan(database: Database, folder: Path) -> MigrationPlan:
    """Return which migrations are applied and which are pending; read-only.

    Raises:
        EduguardError: as `check_folder` does, or when an applied one was edited or is gone.
    """
    files = check_folder(folder)
    with connect(database, purpose="migrations") as conn:
        known = read_applied(conn)
    return _compare(files, known)


def list_states(database: Database, folder: Path) -> dict[str, str]:
    """Return the state of each migration of the folder or the database, even if `plan` fails; read-only.

    Raises:
        EduguardError: as `check_folder` does.
    """
    files = check_folder(folder)
    with connect(database.maintenance, purpose="migrations") as conn:
        if not exists(conn, database):
            return _judge(files, {})
    with connect(database, purpose="migrations") as conn:
        return _judge(files, read_applied(conn))


def hash_folder(folder: Path) -> str:
    """Return one hash of all migrations of a folder, by name and content; read-only."""
    return _hash({file.stem: digest(file) for file in check_folder(folder)})


def hash_applied(database: Database) -> str:
    """Return the same hash for the migrations applied to a database; read-only."""
    with connect(database, purpose="migrations") as conn:
        return _hash(read_applied(conn))


def list_strange(folder: Path, applied: Mapping[str, str]) -> list[str]:
    """Return the migrations applied elsewhere that the folder lacks or has with other content; read-only."""
    by_id = {file.stem: file for file in check_folder(folder)}
    return [name for name, sha256 in applied.items() if name not in by_id or sha256 not in digests(by_id[name])]


def apply(database: Database, folder: Path, *, to: str = "") -> tuple[str, ...]:
    """Apply the pending migrations in order, up to the one whose id begins with `to`; return their ids.

    Each migration and its record are one transaction: after a failure, the earlier migrations stay applied and the
    failed one leaves nothing.

    Raises:
        EduguardError: as `plan` does, or with file, line and statement of an SQL error.
    """
    files = check_folder(folder)
    last = _last(files, to)
    with _prepared(database, files) as known:
        pending = tuple(name for name in _compare(files, known).pending if name <= last)
        if pending:
            # Imported here because it is slow, and a clone has nothing pending.
            from eduguard.migrations.yoyo_backend import open_backend, read_migrations

            with open_backend(database.url) as backend:
                backend.break_lock()  # we hold the advisory lock, so a killed run left the row in yoyo's own
                for migration in backend.to_apply(read_migrations(folder)):
                    if migration.id not in pending:
                        continue
                    file = Path(migration.path)
                    with explained(file, is_whole=migration.use_transactions):
                        backend.apply(migration, digest(file))
    return pending


def roll_back(database: Database, folder: Path, *, count: int = 1) -> tuple[str, ...]:
    """Undo the newest applied migrations by their rollback files; return their ids, the newest first.

    Raises:
        EduguardError: as `apply` does, or for a count below 1 or above the number of applied migrations.
    """
    from eduguard.migrations.yoyo_backend import open_backend, read_migrations

    files = check_folder(folder)
    with _prepared(database, files) as known, open_backend(database.url) as backend:
        check_count(database, len(known), count)
        newest = list(backend.to_rollback(read_migrations(folder)))[:count]
        for migration in newest:
            with explained(Path(migration.path).with_suffix(".rollback.sql"), is_whole=migration.use_transactions):
                backend.roll_back(migration)
    return tuple(migration.id for migration in newest)


def check_count(database: Database, applied: int, count: int) -> None:
    """Refuse to roll back fewer than one migration, or more than are applied."""
    if not 1 <= count <= applied:
        raise EduguardError(
            f"--count {count}: {applied} migrations are applied to {database.name}",
            hint="Nothing was rolled back; `inv migrate --plan` lists them.",
        )


@contextmanager
def _prepared(database: Database, files: Sequence[Path]) -> Iterator[dict[str, str]]:
    with connect(database, purpose="migrate") as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        conn.execute("CREATE SCHEMA IF NOT EXISTS eduguard")
        conn.execute("CREATE TABLE IF NOT EXISTS eduguard.migration (id text PRIMARY KEY, sha256 text NOT NULL)")
        known = read_applied(conn)
        _compare(files, known)
        yield known


def read_applied(conn: "psycopg.Connection") -> dict[str, str]:
    """Return the SHA-256 of each applied migration's file, by the migration's id; read-only."""
    if read_value(conn, "SELECT to_regclass('eduguard.migration')") is None:
        return {}
    return dict(conn.execute("SELECT id, sha256 FROM eduguard.migration ORDER BY id").fetchall())


def _compare(files: Sequence[Path], known: dict[str, str]) -> MigrationPlan:
    by_id, states = {file.stem: file for file in files}, _judge(files, known)

    def names(state: str) -> list[str]:
        return [name for name, found in states.items() if found == state]

    if edited := names(EDITED):
        raise EduguardError(
            f"Edited after being applied: {', '.join(edited)}",
            hint="Put the change into a new migration, or rebuild the database with `inv reset`.",
        )
    if gone := names(GONE):
        raise EduguardError(
            f"Applied, but no longer in the folder: {', '.join(gone)}", hint="Restore the file, or run `inv reset`."
        )
    if late := names(LATE):
        raise EduguardError(
            "\n".join(f"{by_id[name]}:1: pending, but older than {max(known)}, which is applied" for name in late),
            hint="Give it the next number, or rebuild the database with `inv reset`.",
        )
    return MigrationPlan(applied=tuple(known), pending=tuple(names(PENDING)))


def _judge(files: Sequence[Path], known: Mapping[str, str]) -> dict[str, str]:
    """Return the state of each migration of the folder or the database, in their order; read-only."""
    by_id = {file.stem: file for file in files}

    def judge(name: str) -> str:
        if name not in known:
            return LATE if known and name < max(known) else PENDING
        if name not in by_id:
            return GONE
        return APPLIED if known[name] in digests(by_id[name]) else EDITED

    return {name: judge(name) for name in sorted({*by_id, *known})}


def _last(files: Sequence[Path], to: str) -> str:
    number = f"{int(to):04}" if to.isascii() and to.isdecimal() else to
    names = [file.stem for file in files if file.stem.startswith(number)]
    if not names or (to and len(names) > 1):
        problem = f"{to} begins the name of several migrations" if names else f"There is no migration {to}"
        raise EduguardError(problem, hint=f"The newest is {files[-1].stem}. Nothing was changed.")
    return names[-1]


def _hash(digests: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()
