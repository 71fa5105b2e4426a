"""Write the rows of a database, without its people, as CSV files into a folder; the source is only read.

Everything is read in one transaction with one snapshot. The files are written into a temporary folder, which gets its
final name when all files are complete and contain no original values.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.portability.exports.closure import Scope, Selection, from_only, select_rows
from eduguard.portability.exports.copying import copy_out
from eduguard.portability.exports.coverage import Coverage
from eduguard.portability.exports.fakes import Fakes
from eduguard.portability.exports.keyed import Key
from eduguard.portability.exports.leak_scan import Output, Report, Scan
from eduguard.portability.exports.manifest import TableFile
from eduguard.portability.exports.masking import Mask, TableMask, keep_table, mask_table
from eduguard.portability.exports.originals import list_originals, own_words, read_source
from eduguard.portability.exports.schema import Schema, Table, order_tables

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

_UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written into the folder, and what the leak scan found."""

    tables: tuple[TableFile, ...]
    report: Report | None


@contextmanager
def one_snapshot(conn: "Connection") -> Iterator[None]:
    """Read one snapshot of the database within the block, and write nothing; this works on a standby too."""
    from psycopg import IsolationLevel

    conn.isolation_level, conn.read_only = IsolationLevel.REPEATABLE_READ, True
    with conn.transaction():
        yield


def count_rows(conn: "Connection", coverage: Coverage, scope: Scope) -> tuple[Selection, dict[str, int]]:
    """Return the rows to export, and their number in each table; read-only."""
    from psycopg import sql

    selection = select_rows(conn, coverage.schema, coverage.rules, scope)
    counts = {}
    for name, table in coverage.schema.items():
        query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(from_only(table), selection.condition(table))
        row = conn.execute(query).fetchone()
        counts[name] = row[0] if row else 0
    return selection, counts


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that gets its name when the block succeeds; if the block fails, the folder is deleted.

    Raises:
        EduguardError: if a folder of that name exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EduguardError(f"{folder} is there already", hint="Name a new folder, or an empty one.")
    unfinished = folder.with_name(folder.name + _UNFINISHED)
    if unfinished.exists():
        shutil.rmtree(unfinished)  # left by an export that was killed
    unfinished.mkdir(mode=0o700, parents=True)
    try:
        yield unfinished
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def write_plain(conn: "Connection", coverage: Coverage, selection: Selection, folder: Path) -> Written:
    """Write the rows as they are."""
    masks = ((table, keep_table(table)) for table in _in_order(coverage.schema))
    return Written(tables=tuple(_write_tables(conn, masks, selection, folder)), report=None)


def write_masked(conn: "Connection", coverage: Coverage, selection: Selection, folder: Path, key: Key) -> Written:
    """Write the rows, masked by their rules, and search the result for original values.

    Raises:
        EduguardError: if original values were found; names their columns.
    """
    tables = mask_rows(conn, coverage, selection, folder, key)
    return Written(tables=tables, report=search_leaks(conn, coverage, folder, tables))


def mask_rows(
    conn: "Connection", coverage: Coverage, selection: Selection, folder: Path, key: Key
) -> tuple[TableFile, ...]:
    """Write the rows, masked by their rules."""
    fakes, shared = Fakes(key, read_source(conn, coverage, key)), dict[str, Mask]()
    masks = ((table, mask_table(coverage, table, fakes, shared)) for table in _in_order(coverage.schema))
    return tuple(_write_tables(conn, masks, selection, folder, salt=f"{key.number('order', ''):064x}"))


def search_leaks(conn: "Connection", coverage: Coverage, folder: Path, tables: tuple[TableFile, ...]) -> Report:
    """Read the source and the output again, and require that no original value is in the output.

    Raises:
        EduguardError: if original values were found; names their columns, never the values.
    """
    outputs = [
        Output(path=folder / each.file, columns=[coverage.schema[each.table].columns[name] for name in each.columns])
        for each in tables
    ]
    report = Scan(outputs, own=own_words(coverage)).search(conn, list_originals(coverage))
    if report.found:
        listed = ", ".join(f"{column} ({count:,})" for column, count in sorted(report.found.items()))
        raise EduguardError(
            f"Original values were found in the output, which was deleted; they are of {listed}",
            hint="A column that is kept has them, too: give it another rule in anonymise.yaml.",
        )
    return report


def _in_order(schema: Schema) -> Iterator[Table]:
    return (schema[name] for name in order_tables(schema))


def _write_tables(
    conn: "Connection",
    masks: Iterator[tuple[Table, TableMask]],
    selection: Selection,
    folder: Path,
    *,
    salt: str = "",
) -> Iterator[TableFile]:
    for number, (table, mask) in enumerate(masks):
        path = folder / f"{number:02}_{table.name.replace('/', '_')}.csv"
        yield _write_table(conn, table, mask, selection, path, salt)


def _write_table(
    conn: "Connection", table: Table, mask: TableMask, selection: Selection, path: Path, salt: str
) -> TableFile:
    from psycopg import sql

    query = sql.SQL("SELECT {} FROM {} WHERE {}{}").format(
        sql.SQL(", ").join(map(sql.Identifier, mask.columns)),
        from_only(table),
        selection.condition(table),
        _order_by(table, salt),
    )
    rows, hashed = 0, hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        _write(file, hashed, ",".join(_quote(name) for name in mask.columns))
        for block in copy_out(conn, query) if mask.columns else ():
            lines = mask.apply(block)
            rows += len(lines)
            _write(file, hashed, "\n".join(lines))
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    return TableFile(
        table=table.name, file=path.name, columns=mask.columns, rows=rows, bytes=size, sha256=hashed.hexdigest()
    )


def _order_by(table: Table, salt: str) -> "Composable":
    """Return an order that is the same on every machine and does not reveal the order of the source's keys."""
    from psycopg import sql

    if not salt:
        return sql.SQL("")
    by = sql.SQL(", ").join(sql.Identifier(name) for name in table.primary or [each.name for each in table.written])
    return sql.SQL(' ORDER BY md5(ROW({})::text || {}) COLLATE "C"').format(by, salt)


def _write(file: IO[bytes], hashed: "hashlib._Hash", text: str) -> None:
    data = f"{text}\n".encode()
    hashed.update(data)
    file.write(data)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if not name.isidentifier() else name
