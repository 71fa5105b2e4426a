"""Copy fixtures straight into tables that hold nothing yet: the fast way to fill a database that nobody else is in.

PostgreSQL judges every row here too, but it names the first problem only. Where it refuses anything, nothing of this is
left and the careful way, which finds every problem with its line, is taken from the start.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eduguard.catalogue import Table
from eduguard.fixture_staging import copy_group, find_unfit_values, group_rows
from eduguard.fixture_yaml import Fixture

if TYPE_CHECKING:
    from typing import LiteralString

    from psycopg import Connection

_ENFORCE_VERSION = 180000  # from which on a foreign key can be let rest without dropping it
_FOREIGN_KEYS = """
SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
AND k.contype = 'f' AND k.conparentid = 0 AND k.conenforced AND k.convalidated
AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')
"""


def fill_tables(conn: "Connection", fixtures: Sequence[Fixture], tables: Mapping[str, Table]) -> bool:
    """Copy every row, tables in the order given; say whether that was possible. If not, nothing was changed."""
    from psycopg import errors

    if any(_has_unfit_value(fixture, tables[fixture.table]) for fixture in fixtures):
        return False
    names = [fixture.table for fixture in fixtures]
    try:
        with conn.transaction():
            _lock(conn, names)
            if not _are_empty(conn, names):
                return False
            with _keys_at_rest(conn, names):
                for fixture in fixtures:
                    for group in group_rows(fixture.rows):
                        copy_group(conn, fixture.table, group, tables[fixture.table])
    except (errors.DataError, errors.IntegrityError, errors.ProgrammingError, errors.NotSupportedError):
        return False
    except (errors.ObjectInUse, errors.LockNotAvailable):
        return False  # a trigger of the school's own waits for the end of the transaction, or somebody is at work
    return True


def _has_unfit_value(fixture: Fixture, table: Table) -> bool:
    return any(True for row in fixture.rows for _ in find_unfit_values(fixture, row, table))


def _lock(conn: "Connection", names: Sequence[str]) -> None:
    from psycopg import sql

    tables = sql.SQL(", ").join(map(sql.Identifier, names))
    conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(tables))


def _are_empty(conn: "Connection", names: Sequence[str]) -> bool:
    from psycopg import sql

    queries = (sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(name)) for name in names)
    return not any(found for (found,) in conn.execute(sql.SQL(" UNION ALL ").join(queries)))


@contextmanager
def _keys_at_rest(conn: "Connection", names: Sequence[str]) -> Iterator[None]:
    # Checking a foreign key once for a whole table is many times faster than once for each row.
    if conn.info.server_version < _ENFORCE_VERSION:
        yield
        return
    keys = conn.execute(_FOREIGN_KEYS, [list(names)]).fetchall()
    _alter_keys(conn, keys, "ALTER TABLE {} ALTER CONSTRAINT {} NOT ENFORCED")
    yield
    _alter_keys(conn, keys, "ALTER TABLE {} ALTER CONSTRAINT {} ENFORCED")


def _alter_keys(conn: "Connection", keys: Sequence[tuple[str, str]], statement: "LiteralString") -> None:
    from psycopg import sql

    for table, key in keys:
        conn.execute(sql.SQL(statement).format(sql.Identifier(table), sql.Identifier(key)))
