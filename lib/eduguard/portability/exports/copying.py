"""Rows of a table as PostgreSQL's COPY gives them, many at a time and a column at a time."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

NULL = "\\N"
_BLOCK = 1 << 20  # bytes of rows that are worked on at once
_SPECIAL = frozenset('",\n\r')
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

Block = Sequence[Sequence[str]]
"""rows of one column after another: the cells of COPY's text format, NULL as \\N"""


def copy_out(conn: "Connection", query: "Composable") -> Iterator[Block]:
    """Return the rows of a query of at least one column, in blocks; read-only."""
    from psycopg import sql

    with conn.cursor().copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copy:
        rows: list[bytes] = []
        size = 0
        for row in copy:
            rows.append(bytes(row))
            size += len(row)
            if size >= _BLOCK:
                yield _columns(rows)
                rows, size = [], 0
        if rows:
            yield _columns(rows)


def _columns(rows: list[bytes]) -> Block:
    text = b"".join(rows).decode()
    return list(zip(*(row.split("\t") for row in text[:-1].split("\n")), strict=True))


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
        else:  # two backslashes: what follows the second one is plain
            read.append("\\" + next(parts, ""))
    return "".join(read)


def write_csv(value: str | None) -> str:
    """Return a value as a cell of CSV: nothing is NULL, an empty text is in quotes."""
    if value is None:
        return ""
    if value.isalnum():
        return value
    if not value or value == "\\." or not _SPECIAL.isdisjoint(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def keep_cells(cells: Sequence[str]) -> Sequence[str]:
    """Return cells of COPY's text format as cells of CSV."""
    joined = "\n".join(cells)
    if not any(special in joined for special in ('"', ",", "\\")) and "" not in cells:
        return cells
    known = {cell: write_csv(read_cell(cell)) for cell in set(cells)}
    return [known[cell] for cell in cells]
