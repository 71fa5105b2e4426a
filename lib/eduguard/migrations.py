"""SQL migrations, applied in order by yoyo: each with its record and the hash of its file in one transaction.

A migration that was edited after it was applied is refused by name: yoyo itself knows a file by its name only.
"""

import glob
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eduguard.database import Database, connect, read_value
from eduguard.errors import EduguardError

if TYPE_CHECKING:
    import psycopg

_LOCK = 0x65647567  # "edug": one run of migrations in a database at a time
_NAME = re.compile(r"[0-9]{4}_[a-z0-9_]+\.sql\Z")
# A file runs inside one transaction, with its record. Statements begin at the margin; a function's body is indented.
_OWN_TRANSACTION = re.compile(r"^(BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK)\b[^;]*;", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPlan:
    """The migrations by what is to be done with them; ids are file names without `.sql`, in order."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]


def create(folder: Path, name: str) -> tuple[Path, Path]:
    """Create the next migration and its rollback file, to be filled in.

    Raises:
        EduguardError: for a name that is not small letters, digits and underscores.
    """
    number = max((int(file.name[:4]) for file in check_folder(folder)), default=-1) + 1
    up = folder / f"{number:04}_{name}.sql"
    if not _NAME.match(up.name):
        raise EduguardError(f"{name!r} is not a migration's name", hint="For instance: --name add_absence_reasons")
    down = up.with_suffix(".rollback.sql")
    up.write_text(f"-- {name.replace('_', ' ')}\n", encoding="utf-8")
    down.write_text(f"-- undoes {up.name}\n", encoding="utf-8")
    return up, down


def check_folder(folder: Path) -> tuple[Path, ...]:
    """Return the migrations of a folder in their order; read-only, and no database is asked.

    Raises:
        EduguardError: naming every file that has a bad name, no rollback file, or a transaction of its own.
    """
    files = (
        sorted(path for path in folder.glob("*.sql") if not path.name.endswith(".rollback.sql"))
        if folder.is_dir()
        else []
    )
    if not files:
        raise EduguardError(
            f"There is no migration in {folder}", hint="`migrations_folder` in invoke.yaml says where they are."
        )
    problems = [problem for file in files for problem in _problems(file)]
    if problems:
        raise EduguardError("\n".join(problems), hint="Nothing was run.")
    return tuple(files)


def plan(database: Database, folder: Path) -> MigrationPlan:
    """Return which migrations are applied and which are pending; read-only.

    Raises:
        EduguardError: as `check_folder` does, or when an applied one was edited or is gone.
    """
    files = check_folder(folder)
    with connect(database, purpose="migrations") as conn:
        known = _read_digests(conn)
    return _compare(files, known)


def hash_folder(folder: Path) -> str:
    """Return one hash of all migrations of a folder, by name and content; read-only."""
    return _hash({file.stem: _digest(file) for file in check_folder(folder)})


def hash_applied(database: Database) -> str:
    """Return the same hash of what is applied to a database; read-only."""
    with connect(database, purpose="migrations") as conn:
        return _hash(_read_digests(conn))


def apply(database: Database, folder: Path, *, to: str = "") -> tuple[str, ...]:
    """Apply the pending migrations in order, up to the one whose id begins with `to`; return their ids.

    Each is one transaction with its record: after a failure those before it stay, and nothing of it does.

    Raises:
        EduguardError: as `plan` does, or with file, line and statement of an SQL error.
    """
    files = check_folder(folder)
    last = _last(files, to)
    with _prepared(database, files) as known:
        pending = tuple(name for name in _compare(files, known).pending if name <= last)
        if pending:
            from eduguard.yoyo_backend import open_backend  # slow to import, and a clone has nothing pending

            with open_backend(database.url) as backend:
                backend.break_lock()  # the advisory lock is ours: a row in yoyo's own was left by a run that was killed
                for migration in backend.to_apply(_read(folder)):
                    if migration.id not in pending:
                        continue
                    with _located(Path(migration.path)):
                        backend.apply(migration, _digest(Path(migration.path)))
    return pending


def roll_back(database: Database, folder: Path, *, count: int = 1) -> tuple[str, ...]:
    """Undo the newest applied migrations by their rollback files; return their ids, the newest first.

    Raises:
        EduguardError: as `apply` does.
    """
    from eduguard.yoyo_backend import open_backend

    files = check_folder(folder)
    with _prepared(database, files), open_backend(database.url) as backend:
        newest = list(backend.to_rollback(_read(folder)))[:count]
        for migration in newest:
            with _located(Path(migration.path).with_suffix(".rollback.sql")):
                backend.roll_back(migration)
    return tuple(migration.id for migration in newest)


@contextmanager
def _prepared(database: Database, files: Sequence[Path]) -> Iterator[dict[str, str]]:
    with connect(database, purpose="migrate") as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        conn.execute("CREATE SCHEMA IF NOT EXISTS eduguard")
        conn.execute("CREATE TABLE IF NOT EXISTS eduguard.migration (id text PRIMARY KEY, sha256 text NOT NULL)")
        known = _read_digests(conn)
        _compare(files, known)
        yield known


def _read(folder: Path) -> Any:
    from eduguard.yoyo_backend import read_migrations

    return read_migrations(glob.escape(str(folder)))


def _read_digests(conn: "psycopg.Connection") -> dict[str, str]:
    if read_value(conn, "SELECT to_regclass('eduguard.migration')") is None:
        return {}
    return dict(conn.execute("SELECT id, sha256 FROM eduguard.migration ORDER BY id").fetchall())


def _compare(files: Sequence[Path], known: dict[str, str]) -> MigrationPlan:
    by_id = {file.stem: file for file in files}
    edited = [name for name, digest in known.items() if name in by_id and _digest(by_id[name]) != digest]
    if edited:
        raise EduguardError(
            f"Edited after being applied: {', '.join(edited)}",
            hint="Put the change into a new migration, or build the database anew with `inv reset`.",
        )
    if gone := [name for name in known if name not in by_id]:
        raise EduguardError(
            f"Applied, but no longer in the folder: {', '.join(gone)}", hint="Restore the file, or run `inv reset`."
        )
    pending = tuple(name for name in by_id if name not in known)
    if late := [name for name in pending if known and name < max(known)]:
        raise EduguardError(
            f"Pending, but older than {max(known)}, which is applied: {', '.join(late)}",
            hint="Give it the next number, or build the database anew with `inv reset`.",
        )
    return MigrationPlan(applied=tuple(known), pending=pending)


def _last(files: Sequence[Path], to: str) -> str:
    names = [file.stem for file in files if file.stem.startswith(to)]
    if not names or (to and len(names) > 1):
        raise EduguardError(f"{to!r} is no migration's number", hint=f"The newest is {files[-1].stem}.")
    return names[-1]


def _hash(digests: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()


def _problems(file: Path) -> Iterator[str]:
    if not _NAME.match(file.name):
        yield f"{file}: a migration is named 0000_in_small_letters.sql"
    rollback = file.with_suffix(".rollback.sql")
    if not rollback.exists():
        yield f"{file}: there is no {rollback.name}"
    for each in (file, rollback):
        text = each.read_text(encoding="utf-8") if each.exists() else ""
        for found in _OWN_TRANSACTION.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{each}:{line}: {found[1]}: a migration runs in one transaction already"


@contextmanager
def _located(file: Path) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        text = file.read_text(encoding="utf-8")
        statement = getattr(error, "__notes__", [""])[0]
        start = max(text.find(statement), 0)
        position = start + max(int(error.diag.statement_position or 1) - 1, 0)
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
        first_line = statement.strip().partition("\n")[0]
        raise EduguardError(
            f"{file}:{line}:{column}: {error.diag.message_primary or error}\n  {first_line}",
            hint="Nothing of this migration was kept; those before it are applied.",
        ) from error


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
