"""The migration files of a folder: their names and content, checked before any of them runs."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from eduguard.errors import EduguardError
from eduguard.migrations.statements import Statement, split_statements

_NAME = re.compile(r"[0-9]{4}_[a-z0-9_]+\.sql\Z")
_DIRECTIVE = re.compile(r"^[ \t]*--[ \t]*(transactional|depends)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
# Statements that are refused, by how they begin. A file and its record run in one transaction; savepoints are allowed.
# The database has another name while it is made beside the one it replaces.
_REFUSED = {
    re.compile(r"(BEGIN|START|COMMIT|END|ABORT|PREPARE TRANSACTION|ROLLBACK)\b(?! (?:(?:WORK|TRANSACTION) )?TO\b)"): (
        "a migration runs in one transaction already"
    ),
    re.compile(r"\\"): "a command of psql, which pg_dump writes (\\restrict): delete the line",
    re.compile(r"(COPY)\b.*\b(?:FROM STDIN|TO STDOUT)\b"): (
        "rows between the lines of a file are read by psql only: write an INSERT, or load a CSV fixture"
    ),
    re.compile(r"((?:CREATE|ALTER|DROP) DATABASE)\b"): "",
    re.compile(r"((?:COMMENT|SECURITY LABEL) .*?ON DATABASE)\b"): "",
    re.compile(r"((?:GRANT|REVOKE) .*?ON DATABASE)\b"): "",
    re.compile(r"(ALTER (?:ROLE|USER) .*?IN DATABASE)\b"): "",
}
_BY_NAME = (
    "the database has another name while it is made: DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ...', "
    "current_database()); END $$;"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """The directives in the comments at the beginning of a file."""

    is_transactional: bool
    depends: tuple[str, ...]


def create(folder: Path, name: str) -> tuple[Path, Path]:
    """Create the next migration and its rollback file, to be filled in.

    Raises:
        EduguardError: for a name that is not small letters, digits and underscores.
    """
    number = max((int(file.name[:4]) for file in check_folder(folder)), default=-1) + 1
    up = folder / f"{number:04}_{name}.sql"
    if not _NAME.match(up.name):
        raise EduguardError(
            f"{name!r} is not a migration's name", hint="For instance: `inv migration new add_absence_reasons`"
        )
    down = up.with_suffix(".rollback.sql")
    up.write_text(f"-- {name.replace('_', ' ')}\n", encoding="utf-8")
    down.write_text(f"-- undoes {up.name}\n", encoding="utf-8")
    return up, down


def check_folder(folder: Path) -> tuple[Path, ...]:
    """Return the migrations of a folder in their order; read-only, and no database is asked.

    Raises:
        EduguardError: naming the place in every file that has a bad name, no rollback file, no migration to roll back,
            the number of another migration, or a statement that is not allowed in a migration.
    """
    every = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    files = [path for path in every if not path.name.endswith(".rollback.sql")]
    if not files:
        raise EduguardError(
            f"There is no migration in {folder}", hint="`migrations_folder` in invoke.yaml says where they are."
        )
    problems = [problem for file in files for problem in _problems(file)]
    numbers = Counter(file.name[:4] for file in files)
    twice = [file for file in files if numbers[file.name[:4]] > 1]
    problems += [f"{file}:1: {file.name[:4]} is the number of another migration too" for file in twice]
    known = {file.with_suffix(".rollback.sql") for file in files}
    problems += [
        f"{path}:1: there is no migration that it rolls back" for path in every if path not in {*files, *known}
    ]
    if problems:
        raise EduguardError("\n".join(problems), hint="Nothing was run.")
    return tuple(files)


def read_sql(file: Path) -> str:
    """Return the text of an SQL file with plain newlines, whatever the checkout made of it.

    Raises:
        OSError: when the file cannot be read.
        UnicodeDecodeError: when the file is not UTF-8.
    """
    return file.read_text(encoding="utf-8")


def read_directives(file: Path) -> Directives:
    """Return the directives in the comments at the beginning of a file; read-only."""
    found = dict[str, str]()
    for each in _find_directives(read_sql(file)):
        found[each[1]] = f"{found.get(each[1], '')} {each[2]}".strip()
    return Directives(
        is_transactional=found.get("transactional", "true").lower() == "true",
        depends=tuple(found.get("depends", "").split()),
    )


def digest(file: Path) -> str:
    """Return the hash of a file's text; read-only."""
    return _hash_text(read_sql(file))


def digests(file: Path) -> set[str]:
    """Return the hashes of a file's text with either kind of line ending, because either may have been recorded."""
    text = read_sql(file)
    return {_hash_text(text), _hash_text(text.replace("\n", "\r\n"))}


def place(file: Path, text: str, position: int) -> str:
    """Return file, line and column of a position in its text."""
    return f"{file}:{_line(text, position)}:{position - text.rfind(chr(10), 0, position)}"


@cache  # by the text itself
def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _find_directives(text: str) -> Iterator[re.Match[str]]:
    statements = split_statements(text)
    return _DIRECTIVE.finditer(text[: statements[0].start] if statements else text)


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
        text = read_sql(file)
    except (OSError, UnicodeDecodeError) as error:
        yield f"{file}:1: cannot be read: {error}"
        return
    if text.startswith("\ufeff"):
        yield f"{file}:1: begins with a byte order mark: save it as UTF-8 without one"
        text = text.removeprefix("\ufeff")
    statements = split_statements(text)
    for statement in statements:
        if refused := _refuse(statement):
            yield f"{place(file, text, statement.start)}: {refused}"
    for found in _find_directives(text):
        yield from _problems_of_directive(file, text, found, len(statements))


def _refuse(statement: Statement) -> str | None:
    head = statement.head
    for pattern, reason in _REFUSED.items():
        if found := pattern.match(head):
            what = found[1] if found.groups() else statement.text.split(maxsplit=1)[0]
            return f"{what}: {reason or _BY_NAME}"
    return None


def _problems_of_directive(file: Path, text: str, found: re.Match[str], statements: int) -> Iterator[str]:
    where, value = f"{file}:{_line(text, found.start())}", found[2].lower()
    if found[1] == "depends":
        unknown = [name for name in value.split() if not _is_before(name, file)]
        yield from (f"{where}: depends: {name} is not a migration before it" for name in unknown)
    elif value not in {"true", "false"}:
        yield f"{where}: transactional is true or false, not {found[2]!r}"
    elif value == "false" and statements > 1:
        yield f"{where}: without a transaction a migration has one statement, or a failure would keep half of it"


def _is_before(name: str, file: Path) -> bool:
    return name < file.stem and (file.parent / f"{name}.sql").exists()


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
