"""yoyo's PostgreSQL backend, with apply and record in one transaction, over one connection, and quiet."""

import os
import socket
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.migrations import Migration, default_migration_table

from eduguard.errors import EduguardError
from eduguard.migrations.statements import split_statements
from eduguard.postgres.connection import ENCODING, read_value, set_up
from eduguard.postgres.waits import watch

__all__ = ["Backend", "Migration", "open_backend", "read_migrations"]

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


class _Cursor(psycopg.Cursor[Any]):
    """A cursor whose errors carry the statement and how often it was run, and whose result is never printed by yoyo."""

    def __init__(self, connection: psycopg.Connection[Any], *, ran: Counter[str], **options: Any) -> None:
        super().__init__(connection, **options)
        self._ran = ran

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        alone = "; ".join(each.text for each in split_statements(str(query)))  # without the comments around it
        self._ran[alone] += 1
        try:
            return super().execute(query, params, **options)
        except psycopg.Error as error:
            error.add_note(str(query))
            error.add_note(str(self._ran[alone]))
            raise

    @property
    def description(self) -> None:
        return None


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo has no types
    """Apply and roll back one migration at a time; yoyo's record and ours are written in the same transaction."""

    def connect(self, dburi: Any) -> Any:
        """Connect, with cursors of our kind."""
        connection = super().connect(dburi)
        set_up(connection)
        watch(connection, read_value(connection, "SELECT pg_backend_pid()"))
        connection.commit()  # or the first rollback would take it back
        connection.cursor_factory = partial(_Cursor, ran=Counter())
        return connection

    def _check_transactional_ddl(self) -> bool:
        return True  # PostgreSQL has it: no table is made to find out

    def create_lock_table(self) -> None:
        """Create yoyo's own lock without an error in the server's log when it is there."""
        self.execute(_LOCK_TABLE)

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """Return the values of a line of yoyo's log."""
        # Without looking the host's full name up, which can take a DNS timeout, and without needing an entry in
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
        """Run a migration and record it with the hash of its file; one without a transaction just before the record."""
        migration.load()
        self.ensure_internal_schema_updated()
        if not migration.use_transactions:
            self._run_alone(migration, "apply")
        with self.transaction():
            if migration.use_transactions:
                migration.process_steps(self, "apply")
            else:
                self._refuse_invalid_index(migration)
            self.log_migration(migration, "apply")
            self.mark_one(migration, log=False)
            self.execute_values(_RECORD, migration.id, sha256)

    def roll_back(self, migration: Any) -> None:
        """Run a migration's rollback file and forget that it was applied."""
        migration.load()
        self.ensure_internal_schema_updated()
        if not migration.use_transactions:
            self._run_alone(migration, "rollback")
        with self.transaction():
            if migration.use_transactions:
                migration.process_steps(self, "rollback")
            self.unmark_one(migration)
            self.execute_values(_FORGET, migration.id)

    def _run_alone(self, migration: Any, direction: str) -> None:
        with self.copy() as alone:
            migration.process_steps(alone, direction)

    def _refuse_invalid_index(self, migration: Any) -> None:
        # IF NOT EXISTS is content with what a CREATE INDEX CONCURRENTLY has left that was broken off.
        text = Path(migration.path).read_text(encoding="utf-8")
        for name, index in self.connection.execute(_INVALID).fetchall():
            if name in text:
                raise EduguardError(
                    f"{migration.path}:1: the index {index} is invalid: a CREATE INDEX CONCURRENTLY was broken off",
                    hint=f"DROP INDEX {index}, and run this again.",
                )

    def execute_values(self, query: LiteralString, *values: object) -> None:
        """Execute a statement of ours, in PostgreSQL's own parameter style."""
        self.connection.execute(query, values)


def open_backend(url: str) -> Backend:
    """Return a backend for any libpq URL or connection string; use it as a context manager."""
    known = conninfo_to_dict(url, client_encoding=ENCODING)
    parameters = {key: str(value) for key, value in known.items() if value is not None}
    backend = Backend(parse_uri("postgresql+psycopg:///?" + urlencode(parameters)), default_migration_table)
    backend.init_database()
    return backend
