"""Load fixtures: every row is checked before the first one is inserted or updated.

One transaction. Rows are copied into temporary tables like the real ones, so that PostgreSQL itself judges types,
constraints, keys and references and tells the row; then each table is inserted or updated by primary key, in the order
of the foreign keys. In a new database, which nobody else works in, they are first copied straight into the tables: all
of that is only needed where something is wrong with a row.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.catalogue import Table, order_by_reference, read_tables
from eduguard.errors import EduguardError
from eduguard.faces import PLACEHOLDER
from eduguard.fixture_copy import fill_tables
from eduguard.fixture_staging import (
    GROUP,
    RowGroup,
    find_dangling,
    find_duplicates,
    find_unknown_names,
    group_rows,
    stage,
    staging_table,
)
from eduguard.fixture_yaml import Fixture, read_fixture

if TYPE_CHECKING:
    from psycopg import Connection, sql

_FILE = re.compile(r"(?P<order>[0-9]+)_(?P<table>[a-z_][a-z0-9_]*)\.yaml\Z")
_MOST_PROBLEMS = 20
# A FaceId that sync has written is worth more than the placeholder a fixture begins with.
_NEVER_OVERWRITE = {("student_faces", "face_id"): PLACEHOLDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """What loading one fixture did to its table."""

    table: str
    inserted: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReport:
    """What loading all fixtures did."""

    tables: tuple[TableReport, ...]

    @property
    def has_changed(self) -> bool:
        """Say whether a row was inserted or updated."""
        return any(table.inserted or table.updated for table in self.tables)

    def summary(self) -> str:
        """Return the counts as one line."""
        inserted, updated, unchanged = (
            sum(getattr(table, count) for table in self.tables) for count in ("inserted", "updated", "unchanged")
        )
        counts = f"{inserted:,} inserted, {updated:,} updated, {unchanged:,} unchanged"
        return f"{inserted + updated + unchanged:,} rows in {len(self.tables)} tables: {counts}"


def read_fixtures(folder: Path) -> tuple[Fixture, ...]:
    """Read every fixture of a folder, each named NN_table.yaml; read-only, and no database is asked.

    Raises:
        EduguardError: with the problems of all files, one a line.
    """
    files = sorted(folder.glob("*.y*ml")) if folder.is_dir() else []
    if not files:
        raise EduguardError(
            f"There is no fixture in {folder}", hint="`seed_folder` in invoke.yaml says where they are."
        )
    fixtures, problems, seen = [], [], dict[str, Path]()
    for file in files:
        match = _FILE.match(file.name)
        if match is None:
            problems.append(f"{file}: a fixture is named NN_table.yaml")
        elif first := seen.get(match["table"]):
            problems.append(f"{file}: {match['table']} has a fixture already, {first.name}")
        else:
            seen[match["table"]] = file
            try:
                fixtures.append(read_fixture(file, match["table"]))
            except EduguardError as error:
                problems.append(str(error))
    _refuse(problems)
    return tuple(fixtures)


def load_fixtures(conn: "Connection", fixtures: Sequence[Fixture], *, alone: bool = False) -> SeedReport:
    """Insert or update every row by primary key, in one transaction; a second run changes nothing.

    A column that a row leaves out takes its default in a new row and keeps its value in an old one.

    Args:
        conn: to the database, its schema migrated.
        fixtures: as `read_fixtures` returns them.
        alone: nobody else is in the database, so its tables may be locked: they are filled faster if they hold nothing.

    Raises:
        EduguardError: with the problems of all fixtures as file:line, one a line; then nothing was changed.
    """
    with conn.transaction():
        tables = read_tables(conn)
        _refuse(problem for fixture in fixtures for problem in find_unknown_names(fixture, tables))
        by_table = {fixture.table: fixture for fixture in fixtures}
        order = order_by_reference(by_table, tables)
        ordered = [by_table[name] for name in order]
        if alone and fill_tables(conn, ordered, tables):
            return SeedReport(tables=tuple(_filled(conn, fixture, tables[fixture.table]) for fixture in ordered))
        _check(conn, ordered, tables)
        return SeedReport(tables=tuple(_merge(conn, by_table[name], tables[name]) for name in order))


def _check(conn: "Connection", fixtures: Sequence[Fixture], tables: dict[str, Table]) -> None:
    _refuse(problem for fixture in fixtures for problem in stage(conn, fixture, tables[fixture.table]))
    staged = [fixture.table for fixture in fixtures]
    _refuse(
        problem
        for fixture in fixtures
        for problem in (
            *find_duplicates(conn, fixture, tables[fixture.table]),
            *find_dangling(conn, fixture, tables[fixture.table], staged),
        )
    )


def _filled(conn: "Connection", fixture: Fixture, table: Table) -> TableReport:
    _advance_sequences(conn, table)
    return TableReport(table=table.name, inserted=len(fixture.rows), updated=0, unchanged=0)


def _merge(conn: "Connection", fixture: Fixture, table: Table) -> TableReport:
    import psycopg

    groups = group_rows(fixture.rows)
    try:
        row = conn.execute(_upsert(table, groups)).fetchone() if groups else None
        _advance_sequences(conn, table)
    except psycopg.OperationalError:
        raise
    except psycopg.DatabaseError as error:  # of a trigger, or an index that is no constraint: both may ask anything
        reason = ": ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        raise EduguardError(f"{fixture.file}: {reason}", hint="Nothing was changed.") from error
    inserted, touched = row or (0, 0)
    return TableReport(
        table=table.name, inserted=inserted, updated=touched - inserted, unchanged=len(fixture.rows) - touched
    )


def _upsert(table: Table, groups: Sequence[RowGroup]) -> "sql.Composed":
    from psycopg import sql

    # One statement: PostgreSQL checks references at its end, so that a row may refer to one of another group.
    return sql.SQL(
        "WITH {groups}, merged AS ({all}) SELECT count(*) FILTER (WHERE inserted), count(*) FROM merged"
    ).format(
        groups=sql.SQL(", ").join(_upsert_group(table, group) for group in groups),
        all=sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT inserted FROM {}").format(sql.Identifier(f"group_{group.number}")) for group in groups
        ),
    )


def _upsert_group(table: Table, group: RowGroup) -> "sql.Composed":
    from psycopg import sql

    others = [name for name in group.columns if name not in table.primary_key]
    comma = sql.SQL(", ")
    new = {name: _new_value(table, name) for name in others}
    update = sql.SQL("UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(
        comma.join(sql.SQL("{} = {}").format(sql.Identifier(name), new[name]) for name in others),
        comma.join(sql.Identifier("t", name) for name in others),
        comma.join(new.values()),
    )
    # xmax is 0 in a row version that was inserted, not updated.
    return sql.SQL(
        "{name} AS (INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {staging} WHERE {group} = {number} "
        "ON CONFLICT ({key}) DO {update} RETURNING t.xmax = 0 AS inserted)"
    ).format(
        name=sql.Identifier(f"group_{group.number}"),
        table=sql.Identifier(table.name),
        columns=comma.join(map(sql.Identifier, group.columns)),
        staging=sql.Identifier(staging_table(table.name)),
        group=sql.Identifier(GROUP),
        number=group.number,
        key=comma.join(map(sql.Identifier, table.primary_key)),
        update=update if others else sql.SQL("NOTHING"),
    )


def _new_value(table: Table, column: str) -> "sql.Composed":
    from psycopg import sql

    if (kept := _NEVER_OVERWRITE.get((table.name, column))) is None:
        return sql.SQL("excluded.{}").format(sql.Identifier(column))
    return sql.SQL("CASE WHEN excluded.{0} = {1} THEN t.{0} ELSE excluded.{0} END").format(sql.Identifier(column), kept)


def _advance_sequences(conn: "Connection", table: Table) -> None:
    from psycopg import sql

    for column in table.columns.values():
        if column.sequence:
            conn.execute(
                sql.SQL("SELECT setval({}, max({})) FROM {} HAVING max({}) > 0").format(
                    column.sequence,
                    sql.Identifier(column.name),
                    sql.Identifier(table.name),
                    sql.Identifier(column.name),
                )
            )


def _refuse(problems: Iterable[str]) -> None:
    found = list(problems)
    if found:
        rest = len(found) - _MOST_PROBLEMS
        shown = [*found[:_MOST_PROBLEMS], *([f"... and {rest} more"] if rest > 0 else [])]
        raise EduguardError("\n".join(shown), hint="Nothing was changed.")
