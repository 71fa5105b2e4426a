"""Read rows with PostgreSQL's COPY, in blocks that are stored by column."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable, Composed

NULL = "\\N"
_BLOCK = 1 << 16  # bytes of rows to process at once, so that they stay in the processor's cache
_SPECIAL = frozenset('",\n\r')
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

Block = Sequence[Sequence[str]]
"""rows by column; the cells are in COPY's text format, with NULL as \\N"""


def copy_out(conn: "Connection", query: "Composable") -> Iterator[Block]:
    """Return the rows of a query with at least one column, in blocks; read-only."""
    from psycopg import sql

    for block in _copy(conn, sql.SQL("COPY ({}) TO STDOUT").format(query), _BLOCK):
        yield list(zip(*(row.split("\t") for row in block.decode()[:-1].split("\n")), strict=True))


def copy_csv(conn: "Connection", query: "Composable", *, size: int) -> Iterator[bytes]:
    """Return the rows of a query as CSV, in blocks of at least `size` bytes except the last; read-only."""
    from psycopg import sql

    return _copy(conn, sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query), size)


def _copy(conn: "Connection", statement: "Composed", size: int) -> Iterator[bytes]:
    with conn.cursor().copy(statement) as copy:
        rows, left = list[Any](), size
        for row in copy:
            rows.append(row)
            left -= len(row)
            if left <= 0:
                yield b"".join(rows)
                rows, left = [], size
        if rows:
            yield b"".join(rows)


def read_cell(cell: str) -> str | None:
    """Return the value of a cell, None for NULL."""
    if "\\" not in cell:
        return cell
    if cell == NULL:
        return None
    parts = iter(cell.split("\\"))
    read = [next(parts)]
    for part in parts:
        if part:
            read.append(_ESCAPES.get(part[0], part[0]) + part[1:])
        else:  # an escaped backslash: the part after it is plain text
            read.append("\\" + next(parts, ""))
    return "".join(read)


def write_csv(value: str | None) -> str:
    """Return a value as a CSV cell: NULL is empty, an empty text is in quotes."""
    if value is None:
        return ""
    if value.isalnum():
        return value
    if not value or value == "\\." or not _SPECIAL.isdisjoint(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def keep_cells(cells: Sequence[str]) -> Sequence[str]:
    """Convert cells from COPY's text format to CSV."""
    joined = "\n".join(cells)
    if not any(special in joined for special in ('"', ",", "\\")) and "" not in cells:
        return cells
    known = {cell: write_csv(read_cell(cell)) for cell in set(cells)}
    return [known[cell] for cell in cells]
