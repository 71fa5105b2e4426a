"""Read the catalogue for every table with rows of its own, in every schema: columns, foreign keys, unique keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from psycopg import Connection

# Excluded: tables of extensions, temporary and foreign tables, and our own and yoyo's records. Partitions count as part
# of their table; a table that only inherits from another one counts as a separate table.
_TABLES = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind = 'p'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND c.relname !~ '^_?yoyo_'
AND n.nspname NOT IN ('eduguard', 'information_schema') AND n.nspname !~ '^pg_'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname <> 'public', n.nspname, c.relname
"""
# The type is the base type of a domain, also if it is a domain over a domain.
_COLUMNS = """
WITH RECURSIVE base (type, of, demanded) AS (
    SELECT oid, oid, typnotnull FROM pg_type
    WHERE oid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = ANY (%(tables)s))
    UNION SELECT b.type, t.typbasetype, b.demanded OR t.typnotnull
    FROM base b JOIN pg_type t ON t.oid = b.of WHERE t.typtype = 'd'
)
SELECT a.attrelid::bigint, a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, t.typcategory::text,
       a.attnotnull OR b.demanded, a.attgenerated <> '',
       CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END
FROM pg_attribute a
JOIN base b ON b.type = a.atttypid
JOIN pg_type t ON t.oid = b.of AND t.typtype <> 'd'
WHERE a.attrelid = ANY (%(tables)s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
_REFERENCES = """
SELECT k.conname::text, coalesce(pg_partition_root(k.conrelid), k.conrelid)::oid::bigint,
       coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid::bigint,
       array_agg(a.attname::text ORDER BY p.place), array_agg(f.attname::text ORDER BY p.place)
FROM pg_constraint k
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS p (own, other, place)
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = p.other
WHERE k.contype = 'f' AND k.conparentid = 0 AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
AND coalesce(pg_partition_root(k.conrelid), k.conrelid)::oid = ANY (%(tables)s)
GROUP BY k.oid, k.conname, k.conrelid, k.confrelid ORDER BY k.conname
"""
# For an expression, the columns are those that the index depends on.
_UNIQUE = """
SELECT i.indrelid::bigint, x.relname::text, i.indisprimary, pg_get_expr(i.indpred, i.indrelid), ARRAY(
    SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND (
        a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) OR i.indexprs IS NOT NULL AND EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
    ORDER BY array_position(i.indkey::int2[], a.attnum), a.attnum
), i.indexprs IS NULL, coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = ANY (%(tables)s) AND (i.indisunique OR i.indisexclusion) ORDER BY x.relname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column, and the base type of its domain."""

    name: str
    type: str
    """the declared type"""
    base: str
    category: str
    """pg_type.typcategory: S text, D dates, N numbers, A arrays, ..."""
    is_required: bool
    """whether it is NOT NULL, itself or through its domain"""
    is_generated: bool
    length: int | None
    """the maximum number of characters"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key: the columns of a table, and the columns of the table that it references."""

    name: str
    columns: tuple[str, ...]
    to: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueKey:
    """Columns in which no two rows have the same values."""

    name: str
    columns: tuple[str, ...]
    is_primary: bool
    is_plain: bool
    """whether it is on the columns themselves, not on an expression"""
    predicate: str | None
    """the condition for the rows that it covers; None for all rows"""
    nulls_collide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with its columns in their order."""

    schema: str
    own_name: str
    is_partitioned: bool
    columns: Mapping[str, Column]
    references: tuple[Reference, ...]
    unique: tuple[UniqueKey, ...]

    @property
    def name(self) -> str:
        """Return the name, with the schema before it unless the schema is public."""
        return self.own_name if self.schema == "public" else f"{self.schema}.{self.own_name}"

    @property
    def written(self) -> list[Column]:
        """Return the columns to write, without generated ones, which PostgreSQL computes again."""
        return [column for column in self.columns.values() if not column.is_generated]

    @property
    def primary(self) -> tuple[str, ...]:
        """Return the columns of the primary key; empty if there is none."""
        return next((key.columns for key in self.unique if key.is_primary), ())

    def reference_of(self, column: str) -> tuple[Reference, str] | None:
        """Return the foreign key that a column is part of, and the column that it references; None if there is none."""
        for reference in self.references:
            if column in reference.columns:
                return reference, reference.to_columns[reference.columns.index(column)]
        return None


Schema = Mapping[str, Table]


def read_schema(conn: "Connection") -> Schema:
    """Return the tables by name; read-only."""
    found = conn.execute(_TABLES).fetchall()
    names = {oid: own if schema == "public" else f"{schema}.{own}" for oid, schema, own, _ in found}
    parameters = {"tables": list(names)}
    columns: dict[int, dict[str, Column]] = {oid: {} for oid in names}
    for oid, name, type_, base, category, is_required, is_generated, length in conn.execute(_COLUMNS, parameters):
        columns[oid][name] = Column(
            name=name,
            type=type_,
            base=base,
            category=category,
            is_required=is_required,
            is_generated=is_generated,
            length=length,
        )
    references: dict[int, list[Reference]] = {oid: [] for oid in names}
    for name, oid, to, own, other in conn.execute(_REFERENCES, parameters):
        if to in names:
            references[oid].append(Reference(name=name, columns=tuple(own), to=names[to], to_columns=tuple(other)))
    unique: dict[int, list[UniqueKey]] = {oid: [] for oid in names}
    for oid, name, is_primary, predicate, listed, is_plain, nulls_collide in conn.execute(_UNIQUE, parameters):
        unique[oid].append(
            UniqueKey(
                name=name,
                columns=tuple(listed),
                is_primary=is_primary,
                is_plain=is_plain,
                predicate=predicate,
                nulls_collide=nulls_collide,
            )
        )
    return {
        names[oid]: Table(
            schema=schema,
            own_name=own,
            is_partitioned=is_partitioned,
            columns=columns[oid],
            references=tuple(references[oid]),
            unique=tuple(unique[oid]),
        )
        for oid, schema, own, is_partitioned in found
    }


def order_tables(schema: Schema) -> list[str]:
    """Return the names in an order in which every table comes after those it references; a pure function.

    Raises:
        EduguardError: for tables that reference each other, because no order of COPY can load them.
    """
    sorter = TopologicalSorter({name: {r.to for r in table.references} - {name} for name, table in schema.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: Sequence[str] = error.args[1]
        raise EduguardError(
            f"These tables reference each other in a circle: {' → '.join(cycle)}",
            hint="Move one of the foreign keys into a table of its own.",
        ) from error
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += ready
        sorter.done(*ready)
    return ordered
