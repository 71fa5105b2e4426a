"""Check that the rules fit the tables: every column has a rule, each rule can be applied, and none is left over."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError, suggest
from eduguard.identifiers import PLACEHOLDER
from eduguard.plurals import amount
from eduguard.portability.exports.rules import CLEAR, CONSTANT, JSON, KEEP, KEY, PHOTO, Rule, Rules
from eduguard.portability.exports.rules import PLACEHOLDER as PLACEHOLDER_RULE
from eduguard.portability.exports.schema import Column, Schema, Table, UniqueKey

if TYPE_CHECKING:
    from psycopg import Connection

# These rules turn different values into different ones: for 10 million, the chance of a clash is below 1 in a million.
_ONE_TO_ONE = frozenset({KEEP, CLEAR, KEY, PHOTO, "uuid", "rut", "email"})
_CONSTANT_RULES = {CONSTANT, PLACEHOLDER_RULE}
_TEXTS, _DATES, _DOCUMENTS = "a text", "a date", "a JSON document"
_LONGEST = {"rut": 10, "email": 36, "phone": 15, "uuid": 36, KEY: 21, PHOTO: 21, "first_name": 9, "last_name": 19}
_SUGGESTED = {
    "rut": "rut", "mail": "email", "phone": "phone", "first_name": "first_name", "last_name": "last_name",
    "address": "address", "birth": "date",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The rule of each column, and the problems that prevent the rules from being applied."""

    schema: Schema
    rules: Rules
    decided: Mapping[str, Mapping[str, Rule]]
    """the rule of every written column that has one, by table; a foreign key has the rule of the referenced column"""
    missing: tuple[tuple[Table, Column], ...]
    stale: tuple[str, ...]
    problems: tuple[str, ...]

    def summary(self) -> str:
        """Return the counts as one line."""
        found = [rule.name for columns in self.decided.values() for rule in columns.values()]
        kept = found.count(KEEP)
        counts = f"{amount(len(self.schema), 'table')}, {amount(len(found) + len(self.missing), 'column')}"
        without = f"{len(self.missing)} without a rule" if self.missing else "all have a rule"
        return f"{counts}: {len(found) - kept} personal, {kept} kept, {without}"

    def remarks(self, migrations: Path) -> list[str]:
        """Return what to do about each column without a rule and each rule without a column."""
        return [*(_remedy(self, table, column, migrations) for table, column in self.missing), *self.stale]

    def rule_of(self, table: str, column: str) -> Rule:
        """Return the rule of a column."""
        return self.decided[table][column]


def cover(conn: "Connection", schema: Schema, rules: Rules) -> Coverage:
    """Find the rule of each column, and every problem of the rules; read-only."""
    decided: dict[str, dict[str, Rule]] = {}
    for name, table in schema.items():
        found = {column.name: _decide(schema, rules, table, column.name) for column in table.written}
        decided[name] = {column: rule for column, rule in found.items() if rule}
    missing = tuple(
        (table, column)
        for table in schema.values()
        for column in table.written
        if column.name not in decided[table.name]
    )
    return Coverage(
        schema=schema,
        rules=rules,
        decided=decided,
        missing=missing,
        stale=tuple(_stale(schema, rules)),
        problems=tuple(_problems(conn, schema, rules, decided)),
    )


def require_covered(coverage: Coverage, migrations: Path) -> None:
    """Refuse rules that do not fit, and columns without a rule.

    Raises:
        EduguardError: if there are any; names each.
    """
    if found := [*coverage.problems, *coverage.remarks(migrations)]:
        raise EduguardError("\n".join(found), hint="Nothing was exported; `inv anonymise check` shows this too.")


def _decide(schema: Schema, rules: Rules, table: Table, column: str, seen: frozenset[str] = frozenset()) -> Rule | None:
    own = rules.columns.get(table.name, {}).get(column)
    place = f"{table.name}.{column}"
    if own or place in seen:
        return own
    reference = table.reference_of(column)
    if reference is None:
        return None
    named, other = reference
    return _decide(schema, rules, schema[named.to], other, seen | {place})


def _stale(schema: Schema, rules: Rules) -> Iterator[str]:
    for name, columns in rules.columns.items():
        if name not in schema:
            yield f"{rules.file}:{rules.lines[name]}: there is no table {name}: remove it from anonymise.yaml"
            continue
        table = schema[name]
        for column, rule in columns.items():
            if column not in table.columns:
                near = suggest(column, table.columns, "Else remove the line.")
                yield f"{rules.file}:{rule.line}: {name} has no column {column}. {near}"
            elif table.columns[column].is_generated:
                yield f"{rules.file}:{rule.line}: {name}.{column} is generated from other columns: remove the line"
    for name, line in [*((n, c.line) for n, c in rules.rows.items()), *((n, e.line) for n, e in rules.exempt.items())]:
        if name not in schema:
            yield f"{rules.file}:{line}: there is no table {name}: remove the line"


def _problems(
    conn: "Connection", schema: Schema, rules: Rules, decided: Mapping[str, Mapping[str, Rule]]
) -> Iterator[str]:
    for name, columns in rules.columns.items():
        known = schema[name].columns if name in schema else {}
        for column, rule in columns.items():
            if column in known and not known[column].is_generated:
                for problem in _unfit(conn, schema[name], known[column], rule):
                    yield f"{rules.file}:{rule.line}: {name}.{column}: {problem}"
    for name, table in schema.items():
        for key in table.unique:
            yield from (f"{rules.file}:{problem}" for problem in _collisions(conn, table, key, decided[name]))
    yield from _unfit_rows(schema, rules)


def _unfit_rows(schema: Schema, rules: Rules) -> Iterator[str]:
    for name, choice in rules.rows.items():
        found = schema[name].columns.get(choice.column) if name in schema else None
        if name in schema and choice.column and (found is None or found.category != "D"):
            yield f"{rules.file}:{choice.line}: {name}: {choice.column} is not a column of dates"
    for name, exemption in rules.exempt.items():
        if name in schema and len(schema[name].primary) != 1:
            yield f"{rules.file}:{exemption.line}: {name} has no primary key of one column, so no row can be exempt"


def _unfit(conn: "Connection", table: Table, column: Column, rule: Rule) -> Iterator[str]:
    if rule.name == CLEAR:
        if column.is_required:
            yield "`clear` cannot be: the column is NOT NULL. Use another rule, such as `text` or `constant`."
        return
    if reference := table.reference_of(column.name):
        yield f"it names a row of {reference[0].to} and follows the rule there: remove the line"
        return
    wanted = _wanted(rule, column)
    if wanted and not _has_kind(column, wanted):
        yield f"`{rule.name}` is for {wanted}, not for {column.type}"
    elif rule.name in _CONSTANT_RULES and (refusal := _refuses(conn, column, rule)):
        yield refusal
    elif column.length and _LONGEST.get(rule.name, 0) > column.length:
        yield f"`{rule.name}` makes up to {_LONGEST[rule.name]} characters, and {column.type} takes fewer"


def _wanted(rule: Rule, column: Column) -> str:
    if rule.name in (KEEP, CONSTANT) or (rule.name == "uuid" and column.base == "uuid"):
        return ""
    return {"date": _DATES, JSON: _DOCUMENTS}.get(rule.name, _TEXTS)


def _has_kind(column: Column, wanted: str) -> bool:
    if wanted == _DATES:
        return column.base in ("date", "timestamp", "timestamptz")
    if wanted == _DOCUMENTS:
        return column.base in ("json", "jsonb")
    return column.category == "S" or column.base == "citext"


def _refuses(conn: "Connection", column: Column, rule: Rule) -> str | None:
    """Return PostgreSQL's message if a constant is not a value of the column's type."""
    from psycopg import Error, sql

    value = constant_of(rule)
    try:
        with conn.transaction():
            conn.execute(sql.SQL("SELECT CAST({} AS {})").format(value, sql.SQL(column.type)))
    except Error as error:
        return f"the constant is not a value of {column.type}: {error.diag.message_primary}"
    return None


def constant_of(rule: Rule) -> str:
    """Return the value that `constant` or `placeholder` writes into every row."""
    return PLACEHOLDER if rule.name == PLACEHOLDER_RULE else rule.constant


def _collisions(conn: "Connection", table: Table, key: UniqueKey, decided: Mapping[str, Rule]) -> Iterator[str]:
    for name in key.columns:
        rule = decided.get(name)
        if rule is None or (rule.name in _ONE_TO_ONE and not (rule.name == CLEAR and key.nulls_collide)):
            continue
        if rule.name in _CONSTANT_RULES and key.predicate and _is_outside(conn, table.columns[name], key, rule):
            continue
        yield (
            f"{rule.line}: {table.name}.{name}: `{rule.name}` can make two values equal, and {key.name} is unique. "
            f"Use one of {', '.join(sorted(_ONE_TO_ONE))}."
        )


def _is_outside(conn: "Connection", column: Column, key: UniqueKey, rule: Rule) -> bool:
    """Ask PostgreSQL whether the predicate of a partial index excludes rows with the constant."""
    from psycopg import Error, sql

    query = sql.SQL("SELECT NOT coalesce(({}), false) FROM (SELECT CAST({} AS {}) AS {}) constant").format(
        sql.SQL(key.predicate or ""),  # text from the catalogue, not from a user
        constant_of(rule),
        sql.SQL(column.type),
        sql.Identifier(column.name),
    )
    try:
        with conn.transaction():
            row = conn.execute(query).fetchone()
    except Error:  # the predicate depends on other columns too
        return False
    return bool(row and row[0])


def _remedy(coverage: Coverage, table: Table, column: Column, migrations: Path) -> str:
    place = f"{table.name}.{column.name} {column.type}"
    since = _find_migration(migrations, table.own_name, column.name)
    under = f"under columns, {table.name}" if table.name in coverage.rules.columns else f"under columns:  {table.name}:"
    added = f" (migration {since})" if since else ""
    return f"{place}{added}: add to {coverage.rules.file}, {under}:  {column.name}: {_suggest(column)}"


def _suggest(column: Column) -> str:
    for part, rule in _SUGGESTED.items():
        if part in column.name:
            return rule
    if not column.is_required:
        return CLEAR
    return "text" if column.category == "S" else KEEP


def _find_migration(folder: Path, table: str, column: str) -> str:
    """Return the number of the first migration that names both; an empty text if none does."""
    for file in _forward(folder):
        text = file.read_text(encoding="utf-8", errors="replace")
        if all(re.search(rf"\b{re.escape(name)}\b", text) for name in (table, column)):
            return file.name.partition("_")[0]
    return ""


def _forward(folder: Path) -> Iterable[Path]:
    return sorted(file for file in folder.glob("*.sql") if not file.name.endswith(".rollback.sql"))
