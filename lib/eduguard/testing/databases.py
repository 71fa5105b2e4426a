"""The database that a test gets."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from eduguard.errors import EduguardError
from eduguard.postgres import Database

if TYPE_CHECKING:
    from psycopg import Connection

_ENDED = "The test has ended the transaction of school_db"


@dataclass(slots=True, kw_only=True)
class SchoolDatabase:
    """The database of one test."""

    database: Database
    is_shared: bool = False
    """whether other tests of this process use it too, each in a transaction that is rolled back"""
    is_kept: bool = field(default=False, init=False)
    _connection: "Connection | None" = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """The name of the database."""
        return self.database.name

    @property
    def url(self) -> str:
        """A URL of the database, with the password if the server needs one."""
        password = self.parameters.get("password")
        separator = "&" if "?" in self.shown_url else "?"
        return self.shown_url + (f"{separator}password={quote(password, safe='')}" if password else "")

    @property
    def shown_url(self) -> str:
        """The URL without the password."""
        return self.database.shown_url

    @property
    def parameters(self) -> Mapping[str, str]:
        """The connection parameters by libpq's names: host, port, user, dbname, and password if there is one."""
        from psycopg.conninfo import conninfo_to_dict

        return {name: str(value) for name, value in conninfo_to_dict(self.database.url).items() if value is not None}

    @property
    def connection(self) -> "Connection":
        """A connection in autocommit mode, opened when it is first used and closed after the test."""
        if self._connection is None:
            self._connection = self._connect(autocommit=True)
        return self._connection

    def connect(self, **options: Any) -> "Connection":
        """Return a new psycopg connection, opened with these options.

        Raises:
            EduguardError: in the transaction mode, because another connection would not see the transaction's rows.
        """
        if self.is_shared:
            raise EduguardError(
                "school_db(transaction=True) has one connection",
                hint="Use school_db.connection, or leave transaction=True out for a database of the test's own.",
            )
        return self._connect(**options)

    def keep(self) -> None:
        """Keep the database after the test."""
        self.is_kept = True

    def close(self) -> None:
        """Close the connection of this object."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, **options: Any) -> "Connection":
        from psycopg import connect

        return connect(self.database.url, **options)


@contextmanager
def rolled_back(database: SchoolDatabase) -> Iterator[None]:
    """Run a test in a transaction of the shared connection, and roll it back.

    Raises:
        EduguardError: if the test itself has ended the transaction, so that what it wrote stays.
    """
    conn = database.connection
    with conn.transaction(force_rollback=True):
        began = _read_start(conn)
        yield
        if not _is_within(conn, began):
            raise EduguardError(_ENDED, hint="Leave transaction=True out: the test needs a database of its own.")


def _is_within(conn: "Connection", began: Any) -> bool:
    from psycopg.pq import TransactionStatus

    status = conn.info.transaction_status
    return status is TransactionStatus.INERROR or (status is TransactionStatus.INTRANS and _read_start(conn) == began)


def _read_start(conn: "Connection") -> Any:
    row = conn.execute("SELECT transaction_timestamp()").fetchone()
    return row[0] if row else None
