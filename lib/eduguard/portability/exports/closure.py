"""Select the rows to export: the chosen rows, those that belong to them, and every row that any of these references.

Rows are held as the values of the columns that foreign keys use. The rows that belong to a chosen row are those that
reference it, directly or through other rows. A row that is only referenced does not bring along the rows that reference
it.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError, suggest
from eduguard.plurals import amount
from eduguard.portability.exports.rules import Rules
from eduguard.portability.exports.schema import Reference, Schema, Table
from eduguard.schools import check_students, find_students

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

_STUDENTS = "students"
Values = set[tuple[str, ...]]
Held = tuple[str, tuple[str, ...], Values]  # a table, some of its columns, and their values


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose rows to export: one grade, some students, one school, or all."""

    grade: str = ""
    students: tuple[str, ...] = ()
    school: str = ""

    @property
    def is_all(self) -> bool:
        """Say whether all rows are exported."""
        return not (self.grade or self.students or self.school)

    def __str__(self) -> str:
        return f" of {self.grade or self.school}" if self.grade or self.school else ""

    def as_json(self) -> dict[str, object]:
        """Return the scope for the manifest, which does not name students."""
        return {"grade": self.grade or None, "students": len(self.students) or None, "school": self.school or None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The rows of every table to export."""

    schema: Schema
    rules: Rules
    is_all: bool
    students: int = 0
    rows: dict[str, dict[tuple[str, ...], Values]] = field(default_factory=dict)

    def condition(self, table: Table) -> "Composable":
        """Return the SQL condition for the rows of a table to export."""
        from psycopg import sql

        if self.is_all:
            return passes(self.schema, self.rules, table)
        held = [_is_one_of(table, columns, values) for columns, values in self.rows.get(table.name, {}).items()]
        chosen = sql.SQL("({})").format(sql.SQL(" OR ").join(held)) if held else sql.SQL("false")
        return sql.SQL("{} AND {}").format(chosen, passes(self.schema, self.rules, table))


def select_rows(conn: "Connection", schema: Schema, rules: Rules, scope: Scope) -> Selection:
    """Return the rows that a scope needs; read-only, without temporary tables.

    Raises:
        EduguardError: for a student, grade or school that does not exist, or has no students.
    """
    if scope.is_all:
        return Selection(schema=schema, rules=rules, is_all=True)
    chosen: Values = {(student,) for student in _find_students(conn, scope)}
    selection = Selection(schema=schema, rules=rules, is_all=False, students=len(chosen))
    closure = _Closure(conn, selection)
    closure.name(closure.own((_STUDENTS, ("id",), chosen)))
    return selection


def from_only(table: Table) -> "Composable":
    """Return a table for FROM: without the tables that inherit from it, but with its partitions."""
    from psycopg import sql

    name = sql.Identifier(table.schema, table.own_name)
    return name if table.is_partitioned else sql.SQL("ONLY {}").format(name)


class _Closure:
    """Adds rows to a selection until nothing more is needed."""

    def __init__(self, conn: "Connection", selection: Selection) -> None:
        self._conn, self._selection, self._schema = conn, selection, selection.schema
        self._naming: dict[str, list[tuple[Table, Reference]]] = {}
        for table in self._schema.values():
            for reference in table.references:
                self._naming.setdefault(reference.to, []).append((table, reference))

    def own(self, first: Held) -> list[Held]:
        """Add rows and the rows that belong to them; return everything that was added."""
        added, left = [], deque([first])
        while left:
            held = self._add(*left.popleft())
            if not held[2]:
                continue
            added.append(held)
            for table, reference in self._naming.get(held[0], ()):
                left.append((table.name, reference.columns, self._read(held, reference.to_columns)))
        return added

    def name(self, held: Sequence[Held]) -> None:
        """Add the rows that the given rows reference, and so on."""
        left = deque(held)
        while left:
            each = left.popleft()
            for reference in self._schema[each[0]].references:
                added = self._add(reference.to, reference.to_columns, self._read(each, reference.columns))
                if added[2]:
                    left.append(added)

    def _add(self, table: str, columns: tuple[str, ...], values: Values) -> Held:
        known = self._selection.rows.setdefault(table, {}).setdefault(columns, set())
        new = values - known
        known |= new
        return table, columns, new

    def _read(self, held: Held, wanted: tuple[str, ...]) -> Values:
        """Return the values of other columns of the held rows; a foreign key with a NULL references nothing."""
        from psycopg import sql

        name, columns, values = held
        if wanted == columns:
            return values
        table = self._schema[name]
        query = sql.SQL("SELECT DISTINCT {} FROM {} WHERE {} AND {} AND {}").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in wanted),
            from_only(table),
            _is_one_of(table, columns, values),
            sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(column)) for column in wanted),
            passes(self._schema, self._selection.rules, table),
        )
        return set(self._conn.execute(query).fetchall())


def passes(schema: Schema, rules: Rules, table: Table) -> "Composable":
    """Return the SQL condition for rows that the rules export, together with every row that they reference.

    Raises:
        EduguardError: if rows of a table reference each other and the rules do not export all of them.
    """
    from psycopg import sql

    conditions: list[Composable] = []
    if choice := rules.rows.get(table.name):
        conditions.append(
            sql.SQL("{} >= now() - {} * interval '1 day'").format(sql.Identifier(choice.column), choice.days)
            if choice.days
            else sql.SQL("false")
        )
    for reference in table.references:
        other = schema[reference.to]
        if not _limited(schema, rules, other.name):
            continue
        if other.name == table.name:
            raise EduguardError(f"Rows of {table.name} name each other, so all or none of them must leave")
        own = sql.SQL(", ").join(map(sql.Identifier, reference.columns))
        conditions.append(
            sql.SQL("(NOT (({}) IS NOT NULL) OR ({}) IN (SELECT {} FROM {} WHERE {}))").format(
                own,
                own,
                sql.SQL(", ").join(map(sql.Identifier, reference.to_columns)),
                from_only(other),
                passes(schema, rules, other),
            )
        )
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")


def _limited(schema: Schema, rules: Rules, name: str, seen: frozenset[str] = frozenset()) -> bool:
    if name in rules.rows:
        return True
    others = {reference.to for reference in schema[name].references} - seen - {name}
    return any(_limited(schema, rules, other, seen | {name}) for other in others)


def _is_one_of(table: Table, columns: tuple[str, ...], values: Iterable[tuple[str, ...]]) -> "Composable":
    from psycopg import sql

    listed = list(zip(*sorted(values), strict=True)) or [()] * len(columns)
    arrays = [
        sql.SQL("{}::text[]::{}[]").format(list(each), sql.SQL(table.columns[column].type))
        for column, each in zip(columns, listed, strict=True)
    ]
    return sql.SQL("({}) IN (SELECT * FROM unnest({}))").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(arrays)
    )


def _find_students(conn: "Connection", scope: Scope) -> frozenset[str]:
    if scope.students:
        check_students(conn, scope.students)
        return frozenset(scope.students)
    if scope.grade:
        return find_students(conn, "", scope.grade) or frozenset()
    found = frozenset(name for (name,) in conn.execute("SELECT id FROM students WHERE school_id = %s", [scope.school]))
    if not found:
        known = [name for (name,) in conn.execute("SELECT id FROM schools ORDER BY 1")]
        raise EduguardError(
            f"There is no school {scope.school} with students",
            hint=suggest(scope.school, known, f"There are: {', '.join(known[:10])}"),
        )
    return found


def describe(selection: Selection, scope: Scope, rows: Mapping[str, int]) -> str:
    """Return how many rows are exported, and whose, as the middle part of a line."""
    total = f"{amount(sum(rows.values()), 'row')} in {amount(len(rows), 'table')}"
    if selection.is_all:
        return f"all {total}"
    return f"{amount(selection.students, 'student')}{scope} and what they need: {total}"
