"""SQL migrations, applied in order by yoyo: each with its record and the hash of its file in one transaction.

A migration that was edited after it was applied is refused by name: yoyo itself knows a file by its name only.
"""

import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.migrations.statements import split_statements
from eduguard.postgres import Database, connect, read_value

if TYPE_CHECKING:
    import psycopg

_LOCK = 0x65647567  # "edug": one run of migrations in a database at a time
_NAME = re.compile(r"[0-9]{4}_[a-z0-9_]+\.sql\Z")
# A file runs inside one transaction, with its record; savepoints are its own business.
_OWN_TRANSACTION = re.compile(
    r"(BEGIN|START|COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK)\b(?!\s+((WORK|TRANSACTION)\s+)?TO\b)",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r"^[ \t]*--[ \t]*(transactional|depends)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_MOST_LINES = 10  # of a statement, in an error


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
        EduguardError: naming the place in every file that has a bad name, no rollback file, no migration that it rolls
            back, or a transaction of its own.
    """
    every = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    files = [path for path in every if not path.name.endswith(".rollback.sql")]
    if not files:
        raise EduguardError(
            f"There is no migration in {folder}", hint="`migrations_folder` in invoke.yaml says where they are."
        )
    problems = [problem for file in files for problem in _problems(file)]
    known = {file.with_suffix(".rollback.sql") for file in files}
    problems += [
        f"{path}:1: there is no migration that it rolls back" for path in every if path not in {*files, *known}
    ]
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
            from eduguard.migrations.yoyo_backend import open_backend  # slow to import, and a clone has nothing pending

            with open_backend(database.url) as backend:
                backend.break_lock()  # the advisory lock is ours: a row in yoyo's own was left by a run that was killed
                for migration in backend.to_apply(_read(folder)):
                    if migration.id not in pending:
                        continue
                    migration.load()
                    with _located(Path(migration.path), is_whole=migration.use_transactions):
                        backend.apply(migration, _digest(Path(migration.path)))
    return pending


def roll_back(database: Database, folder: Path, *, count: int = 1) -> tuple[str, ...]:
    """Undo the newest applied migrations by their rollback files; return their ids, the newest first.

    Raises:
        EduguardError: as `apply` does, or for a count below 1 or above what is applied.
    """
    from eduguard.migrations.yoyo_backend import open_backend

    files = check_folder(folder)
    with _prepared(database, files) as known, open_backend(database.url) as backend:
        check_count(database, len(known), count)
        newest = list(backend.to_rollback(_read(folder)))[:count]
        for migration in newest:
            migration.load()
            with _located(Path(migration.path).with_suffix(".rollback.sql"), is_whole=migration.use_transactions):
                backend.roll_back(migration)
    return tuple(migration.id for migration in newest)


def check_count(database: Database, applied: int, count: int) -> None:
    """Refuse to roll back fewer migrations than one, or more than are applied."""
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
        known = _read_digests(conn)
        _compare(files, known)
        yield known


def _read(folder: Path) -> Any:
    from eduguard.migrations.yoyo_backend import read_migrations

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
            "\n".join(f"{by_id[name]}:1: pending, but older than {max(known)}, which is applied" for name in late),
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
        yield f"{file}:1: a migration is named 0000_in_small_letters.sql"
    rollback = file.with_suffix(".rollback.sql")
    if not os.path.lexists(rollback):
        yield f"{file}:1: there is no {rollback.name}"
    for each in (file, rollback):
        if os.path.lexists(each):
            yield from _problems_inside(each)


def _problems_inside(file: Path) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield f"{file}:1: cannot be read: {error}"
        return
    statements = split_statements(text)
    for statement in statements:
        if found := _OWN_TRANSACTION.match(statement.text):
            yield f"{_place(file, text, statement.start)}: {found[1]}: a migration runs in one transaction already"
    for found in _DIRECTIVE.finditer(text[: statements[0].start] if statements else text):
        place, value = f"{file}:{_line(text, found.start())}", found[2].lower()
        if found[1] == "depends":
            yield from (
                f"{place}: depends: {name} is none before it" for name in value.split() if not _is_before(name, file)
            )
        elif value not in {"true", "false"}:
            yield f"{place}: transactional is true or false, not {found[2]!r}"
        elif value == "false" and len(statements) > 1:
            yield f"{place}: without a transaction a migration has one statement, or a failure would keep half of it"


def _is_before(name: str, file: Path) -> bool:
    return name < file.stem and (file.parent / f"{name}.sql").exists()


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _place(file: Path, text: str, position: int) -> str:
    return f"{file}:{_line(text, position)}:{position - text.rfind(chr(10), 0, position)}"


@contextmanager
def _located(file: Path, *, is_whole: bool) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as last:
        error = last
        while isinstance(error.__context__, psycopg.Error):  # where the server is gone, yoyo's rollback fails as well
            error = error.__context__
        text = file.read_text(encoding="utf-8")
        notes: list[str] = getattr(error, "__notes__", [])
        statement, ran = (notes[0], notes[1]) if notes else ("", "1")
        position = _find(text, statement, int(ran), offset=int(error.diag.statement_position or 0) - 1)
        lines = statement.strip().splitlines()
        shown = [*lines[:_MOST_LINES], *(["..."] if len(lines) > _MOST_LINES else [])]
        raise EduguardError(
            "\n  ".join([f"{_place(file, text, position)}: {error.diag.message_primary or error}", *shown]),
            hint="Nothing of this migration was kept; those before it are applied."
            if is_whole
            else "It ran without a transaction: drop what it left, such as an invalid index, and run this again.",
        ) from error


def _find(text: str, statement: str, ran: int, *, offset: int) -> int:
    """Return the place in a file of a place in a statement that was run for so many times; offset -1: its beginning."""
    inner = split_statements(statement)
    starts = [each.start for each in split_statements(text) if inner and each.text == inner[0].text]
    if not starts:  # yoyo splits files in its own way
        return max(text.find(statement), 0) + max(offset, 0)
    return starts[min(ran, len(starts)) - 1] + (offset - inner[0].start if offset >= 0 else 0)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
