"""yoyo's PostgreSQL backend: it applies and records in one transaction, over one connection, without log noise."""

import glob
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo import read_migrations as find_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.migrations import default_migration_table

from eduguard.errors import EduguardError
from eduguard.migrations.files import read_directives, read_sql
from eduguard.migrations.statements import Statement, split_statements
from eduguard.postgres.connection import ENCODING, read_value, set_up
from eduguard.postgres.waits import watch

__all__ = ["Backend", "StatementError", "open_backend", "read_migrations"]

_LOCK_TABLE: LiteralString = (
    "CREATE TABLE IF NOT EXISTS yoyo_lock (locked int PRIMARY KEY DEFAULT 1, ctime timestamp, pid int NOT NULL)"
)
_RECORD: LiteralString = (
    "INSERT INTO eduguard.migration (id, sha256) VALUES (%s, %s) "
    "ON CONFLICT (id) DO UPDATE SET sha256 = excluded.sha256"
)
_FORGET: LiteralString = "DELETE FROM eduguard.migration WHERE id = %s"
_INVALID: LiteralString = (
    "SELECT c.relname, c.oid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1"
)


class StatementError(Exception):
    """A statement that PostgreSQL refused, with PostgreSQL's error and the text of the file."""

    def __init__(self, error: psycopg.Error, statement: Statement, text: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.statement = statement
        self.text = text


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo has no types
    """Apply and roll back one migration at a time; yoyo's record and ours are written in the same transaction."""

    _is_used = False

    def connect(self, dburi: Any) -> Any:
        """Connect with the settings of all our sessions."""
        connection = super().connect(dburi)
        set_up(connection)
        watch(connection, read_value(connection, "SELECT pg_backend_pid()"))
        return connection

    def begin_session(self) -> None:
        """Give the next file a session without settings of earlier files."""
        if self._is_used:
            self.connection.close()
            self._connection: Any = self.connect(self.uri)
        self._is_used = True

    def _check_transactional_ddl(self) -> bool:
        return True  # PostgreSQL has it; yoyo would make a table to find out

    def create_lock_table(self) -> None:
        """Create yoyo's own lock table; if it exists, no error appears in the server's log."""
        self.execute(_LOCK_TABLE)

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """Return the values of a line of yoyo's log."""
        # yoyo's own method looks up the host's full name, which can take a DNS timeout, and needs an entry in
        # /etc/passwd.
        return {
            "id": str(uuid4()),
            "migration_id": migration.id,
            "migration_hash": migration.hash,
            "username": os.environ.get("USER") or str(os.getuid()),
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def apply(self, migration: Any, sha256: str) -> None:
        """Run a migration and record it with the file's hash; one without a transaction runs just before the record.

        Raises:
            StatementError: for a statement that PostgreSQL refuses.
        """
        with self._ran(migration, Path(migration.path)):
            if not migration.use_transactions:
                self._refuse_invalid_index(migration)
            self.log_migration(migration, "apply")
            self.mark_one(migration, log=False)
            self.execute_values(_RECORD, migration.id, sha256)

    def roll_back(self, migration: Any) -> None:
        """Run a migration's rollback file and delete the record of the migration.

        Raises:
            StatementError: for a statement that PostgreSQL refuses.
        """
        with self._ran(migration, Path(migration.path).with_suffix(".rollback.sql")):
            self.unmark_one(migration)
            self.execute_values(_FORGET, migration.id)

    @contextmanager
    def _ran(self, migration: Any, file: Path) -> Iterator[None]:
        """Run a file in its own session and enter a transaction: the file's, unless the file asks for none."""
        self.begin_session()
        self.ensure_internal_schema_updated()
        if not migration.use_transactions:
            self._run(file)
        with self.transaction():
            if migration.use_transactions:
                self._run(file)
            set_up(self.connection)  # the file may have set a role or a search path
            yield

    def _run(self, file: Path) -> None:
        text = read_sql(file)
        for statement in split_statements(text):
            try:
                self.connection.execute(statement.text)
            except psycopg.Error as error:
                raise StatementError(error, statement, text) from error

    def _refuse_invalid_index(self, migration: Any) -> None:
        # IF NOT EXISTS accepts the invalid index that an interrupted CREATE INDEX CONCURRENTLY leaves.
        text = read_sql(Path(migration.path))
        for name, index in self.connection.execute(_INVALID).fetchall():
            if name in text:
                raise EduguardError(
                    f"{migration.path}:1: the index {index} is invalid: a CREATE INDEX CONCURRENTLY was broken off",
                    hint=f"DROP INDEX {index}, and run this again.",
                )

    def execute_values(self, query: LiteralString, *values: object) -> None:
        """Execute a statement of ours, in PostgreSQL's own parameter style."""
        self.connection.execute(query, values)


def read_migrations(folder: Path) -> Any:
    """Return the migrations of a folder as yoyo lists them, with the directives of their files."""
    # yoyo would split the files to find the directives, which takes seconds for a large file; we run them ourselves.
    migrations = find_migrations(glob.escape(str(folder)))
    by_id = {migration.id: migration for migration in migrations}
    for migration in migrations:
        directives = read_directives(Path(migration.path))
        migration.steps = []
        migration.use_transactions = directives.is_transactional
        migration._depends = {by_id[name] for name in directives.depends}  # noqa: SLF001 -- load() would set it
    return migrations


def open_backend(url: str) -> Backend:
    """Return a backend for any libpq URL or connection string; use it as a context manager."""
    known = conninfo_to_dict(url, client_encoding=ENCODING)
    parameters = {key: str(value) for key, value in known.items() if value is not None}
    backend = Backend(parse_uri("postgresql+psycopg:///?" + urlencode(parameters)), default_migration_table)
    backend.init_database()
    return backend
