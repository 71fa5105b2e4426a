"""The error for a statement that PostgreSQL refused: where it is, why it failed, and what can be done."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.migrations.files import place, read_sql
from eduguard.migrations.statements import Statement

if TYPE_CHECKING:
    import psycopg

_MOST_LINES = 10  # of a statement, in an error
_NEW_FILE = "Write it in a file of its own that begins with `-- transactional: false`."
_NEW_VALUE = "A new value of an enum can be used once it is committed: use it in the next migration."
_OUTLIVES = """Roles belong to the server and outlive a database. Create them where they do not exist:
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'name') THEN CREATE ROLE name; END IF; END $$;
"""
_NO_EXTENSION = """The embedded server has PostgreSQL's own extensions but pgcrypto, uuid-ossp, sslinfo and xml2.
gen_random_uuid() and sha256() need none. To use one: set DATABASE_URL to a server that has it installed.
"""
_NO_ICU = """The embedded server has no ICU: use a collation of the provider builtin or libc.
To use one of ICU: set DATABASE_URL to a server that has it.
"""
# By SQLSTATE (PostgreSQL manual, appendix A), and what the statement or the message says.
_WAYS_OUT = (
    ("25001", "", _NEW_FILE),
    ("55P04", "", _NEW_VALUE),
    ("42710", r"CREATE (ROLE|USER|GROUP)\b|.*\brole\b.*already exists", _OUTLIVES),
    ("0A000", r".*extension", _NO_EXTENSION),
    ("0A000", r".*\bICU\b", _NO_ICU),
)


@contextmanager
def explained(file: Path, *, is_whole: bool) -> Iterator[None]:
    """Turn PostgreSQL's error about a file's statement into one of ours.

    Raises:
        EduguardError: with file, line, column, PostgreSQL's message, the statement, and what to do.
    """
    import psycopg

    from eduguard.migrations.yoyo_backend import StatementError

    try:
        yield
    except StatementError as failed:
        raise _explain(file, failed.text, failed.statement, failed.error, is_whole=is_whole) from failed
    except psycopg.Error as last:
        error = last
        while isinstance(error.__context__, psycopg.Error):  # if the server is gone, yoyo's rollback fails as well
            error = error.__context__
        cause = error.__context__
        if isinstance(cause, StatementError):
            raise _explain(file, cause.text, cause.statement, cause.error, is_whole=is_whole) from last
        nothing = Statement(text="", start=0)
        raise _explain(file, read_sql(file), nothing, error, is_whole=is_whole) from last


def _explain(file: Path, text: str, statement: Statement, error: "psycopg.Error", *, is_whole: bool) -> EduguardError:
    offset = max(int(error.diag.statement_position or 0) - 1, 0)
    lines = statement.text.splitlines()
    diag = error.diag
    notes = {"DETAIL": diag.message_detail, "HINT": diag.message_hint, "CONTEXT": diag.context}
    message = [
        f"{place(file, text, statement.start + offset)}: {diag.message_primary or error}",
        *lines[:_MOST_LINES],
        *(["..."] if len(lines) > _MOST_LINES else []),
        *(f"{name}: {note}" for name, note in notes.items() if note),
    ]
    kept = (
        "Nothing of this migration was kept; those before it are applied."
        if is_whole
        else "It ran without a transaction: drop what it left, such as an invalid index, and run this again."
    )
    way_out = _find_way_out(statement, error)
    return EduguardError("\n  ".join(message), hint=f"{way_out} {kept}" if way_out else kept)


def _find_way_out(statement: Statement, error: "psycopg.Error") -> str | None:
    said = f"{statement.head} {error.diag.message_primary}"
    return next(
        (
            way
            for state, pattern, way in _WAYS_OUT
            if state == error.sqlstate and re.match(pattern, said, re.IGNORECASE)
        ),
        None,
    )
