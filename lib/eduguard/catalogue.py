"""What PostgreSQL's catalogue says of the tables that fixtures are loaded into."""

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory = 'A',
       coalesce(b.typname, t.typname) IN ('json', 'jsonb'), a.attgenerated <> '',
       pg_get_serial_sequence(quote_ident(c.relname), a.attname)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type b ON b.oid = t.typbasetype
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname !~ '^_?yoyo_'
ORDER BY c.relname, a.attnum
"""
_KEYS = """
SELECT c.relname, k.contype::text, k.conname,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, i)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i),
       f.relname,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, i)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('p', 'u', 'f') AND k.conparentid = 0
ORDER BY c.relname, k.contype, k.conname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column, as far as loading is concerned."""

    name: str
    type: str
    is_array: bool
    is_json: bool
    is_generated: bool
    sequence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key."""

    columns: tuple[str, ...]
    table: str
    referenced: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with its keys; unique holds the primary key first."""

    name: str
    columns: dict[str, Column]
    unique: tuple[tuple[str, ...], ...]
    references: tuple[Reference, ...]
    primary_key: tuple[str, ...]


def read_tables(conn: "Connection") -> dict[str, Table]:
    """Return the tables of the current schema by name, yoyo's own left out; read-only."""
    columns: dict[str, dict[str, Column]] = {}
    for table, name, type_, is_array, is_json, is_generated, sequence in conn.execute(_COLUMNS):
        columns.setdefault(table, {})[name] = Column(
            name=name, type=type_, is_array=is_array, is_json=is_json, is_generated=is_generated, sequence=sequence
        )
    primary: dict[str, tuple[str, ...]] = {}
    unique: dict[str, list[tuple[str, ...]]] = {}
    references: dict[str, list[Reference]] = {}
    for table, kind, _, names, target, target_names in conn.execute(_KEYS):
        if kind == "f":
            reference = Reference(columns=tuple(names), table=target, referenced=tuple(target_names))
            references.setdefault(table, []).append(reference)
        elif kind == "p":
            primary[table] = tuple(names)
        else:
            unique.setdefault(table, []).append(tuple(names))
    return {
        name: Table(
            name=name,
            columns=columns[name],
            primary_key=primary.get(name, ()),
            unique=(*((primary[name],) if name in primary else ()), *unique.get(name, ())),
            references=tuple(references.get(name, ())),
        )
        for name in columns
    }


def order_by_reference(names: "Iterable[str]", tables: "Mapping[str, Table]") -> list[str]:
    """Return the names so that every table stands after those it references.

    Raises:
        EduguardError: naming the cycle, where there is none such order.
    """
    chosen = sorted(names)
    graph = {
        name: {reference.table for reference in tables[name].references if reference.table in chosen} - {name}
        for name in chosen
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise EduguardError(f"The foreign keys form a cycle: {' → '.join(error.args[1])}") from error
