"""Run the tasks of a benchmark on its own servers, never on the database that the caller's settings name."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from eduguard.migrations import runner
from eduguard.postgres import Database, connect, embedded, execute_for

MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"

# Without its files of bytecode, Python compiles our modules in each run, which takes longer than what is measured.
_DROPPED = ("DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
_OTHERS = ("INVOKE_", "PG", "AWS_")  # prefixes of the variables that could point to other servers
_LOCAL = {
    "INVOKE_TARGET": "local",
    "INVOKE_TARGETS_LOCAL_DATABASE_URL": "embedded",
    "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": "local",
    "INVOKE_TARGETS_LOCAL_S3_ENDPOINT": "local",
}


def environment(state: Path, **more: str) -> dict[str, str]:
    """Return the environment of a task that works in its own state folder."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED and not name.startswith(_OTHERS)}
    return kept | _LOCAL | {"INVOKE_STATE_FOLDER": str(state)} | more


@contextmanager
def filled_database(folder: Path, rows: str, parameters: Mapping[str, int]) -> Iterator[Database]:
    """Yield a database with our tables and the rows of some statements, on its own server."""
    database = Database.from_url(embedded.ensure_running(folder / "postgres", binaries=None)).named("eduguard")
    try:
        with connect(database.maintenance, purpose="bench") as conn:
            execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
        runner.apply(database, MIGRATIONS)
        with connect(database, purpose="bench") as conn:
            for statement in rows.split(";\n"):
                conn.execute(statement.encode(), parameters if "%(" in statement else None)
        yield database
    finally:
        embedded.stop(folder / "postgres", binaries=None)
