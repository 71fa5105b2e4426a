"""What an export must not contain: the columns to search for, and the values that must not be made up."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eduguard.identifiers import PLACEHOLDER, external_image_id, photo_key
from eduguard.portability.exports.closure import from_only
from eduguard.portability.exports.copying import copy_out, read_cell
from eduguard.portability.exports.coverage import Coverage
from eduguard.portability.exports.fakes import PHONES, POOL_WORD, POOL_WORD_IN_SQL, Source
from eduguard.portability.exports.fields import is_textual, texts_in
from eduguard.portability.exports.keyed import Key
from eduguard.portability.exports.leak_scan import Original
from eduguard.portability.exports.rules import CONSTANT, JSON, KEEP, PHOTO
from eduguard.portability.exports.rut import RutMap
from eduguard.portability.exports.schema import Column, Table
from eduguard.portability.exports.spelling import fold

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable


def read_source(conn: "Connection", coverage: Coverage, key: Key) -> Source:
    """Return the values that must not be made up, from all rows of the source; read-only."""
    words, phones = set[str](), set[str]()
    for table, column in _personal(coverage):
        for text in _read(conn, table, column):
            folded = fold(text)
            words.update(POOL_WORD.findall(folded))
            if PHONES in folded:
                phones.update(part for part in folded.split() if part.startswith(PHONES))
    return Source(
        words=frozenset(words),
        phones=frozenset(phones),
        ruts=RutMap(key, _read_ruts(conn, coverage)),
        exempt={table: frozenset(exemption.keys) for table, exemption in coverage.rules.exempt.items()},
    )


def list_originals(coverage: Coverage) -> list[Original]:
    """Return the textual columns of all tables, with whether and for which rows they are kept."""
    from psycopg import sql

    found = []
    for table in coverage.schema.values():
        for column in filter(is_textual, table.written):
            rule = coverage.rule_of(table.name, column.name)
            if rule.name == KEEP:
                found.append(Original(table=table, column=column, is_kept=True, among=sql.SQL("true")))
            elif not table.reference_of(column.name):  # a foreign key has the values of the column that it references
                found += _split_exempt(coverage, table, column)
    return found


def own_words(coverage: Coverage) -> list[str]:
    """Return the texts that an export itself writes; finding them is not a leak."""
    constants = [r.constant for columns in coverage.decided.values() for r in columns.values() if r.name == CONSTANT]
    return [PLACEHOLDER, "example invalid", photo_key("k", 1), external_image_id("k", 1), *constants]


def _personal(coverage: Coverage) -> Iterator[tuple[Table, Column]]:
    for table in coverage.schema.values():
        for column in filter(is_textual, table.written):
            if coverage.rule_of(table.name, column.name).name != KEEP and not table.reference_of(column.name):
                yield table, column


def _read(conn: "Connection", table: Table, column: Column) -> Iterator[str]:
    """Yield the texts of a column, many joined into one."""
    from psycopg import sql

    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.Identifier(column.name), from_only(table), _may_be_ours(column)
    )
    for block in copy_out(conn, query):
        yield "\n".join(texts_in(column, (value for cell in set(block[0]) if (value := read_cell(cell)))))


def _may_be_ours(column: Column) -> "Composable":
    """Return the SQL condition for values that look made up, so that PostgreSQL skips the others."""
    from psycopg import sql

    if column.base == "bytea":
        return sql.SQL("true")
    text = sql.SQL("{}::text").format(sql.Identifier(column.name))
    return sql.SQL("({} ~* {} OR strpos({}, {}) > 0)").format(text, POOL_WORD_IN_SQL, text, PHONES)


def _read_ruts(conn: "Connection", coverage: Coverage) -> Iterator[str]:
    from psycopg import sql

    for table, column in _personal(coverage):
        if coverage.rule_of(table.name, column.name).name == "rut":
            query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column.name), from_only(table))
            for block in copy_out(conn, query):
                yield from (value for cell in block[0] if (value := read_cell(cell)))


def _split_exempt(coverage: Coverage, table: Table, column: Column) -> Iterator[Original]:
    """Yield a column that is not kept: once for the exempt rows, if there are any, and once for the others."""
    from psycopg import sql

    rule = coverage.rule_of(table.name, column.name)
    split = None
    if rule.name == JSON:
        paths = rule.paths

        def split(value: str) -> tuple[list[str], list[str]]:
            kept, other = list[str](), list[str]()
            _split_document(json.loads(value), (), paths, kept, other)
            return kept, other

    exempt = _exempt_rows(coverage, table, follows_students=rule.name == PHOTO)
    if exempt is None:
        yield Original(table=table, column=column, is_kept=False, among=sql.SQL("true"), split=split)
        return
    yield Original(table=table, column=column, is_kept=False, among=sql.SQL("NOT {}").format(exempt), split=split)
    yield Original(table=table, column=column, is_kept=True, is_exempt=True, among=exempt)


def _exempt_rows(coverage: Coverage, table: Table, *, follows_students: bool) -> "Composable | None":
    from psycopg import sql

    listed = [(table.primary[0], coverage.rules.exempt[table.name].keys)] if table.name in coverage.rules.exempt else []
    if follows_students and "students" in coverage.rules.exempt:
        keys = coverage.rules.exempt["students"].keys
        listed += [(r.columns[0], keys) for r in table.references if r.to == "students" and len(r.columns) == 1]
    conditions = [
        sql.SQL("coalesce({}::text = ANY ({}::text[]), false)").format(sql.Identifier(column), list(keys))
        for column, keys in listed
    ]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(conditions)) if conditions else None


def _split_document(
    value: Any, path: tuple[str, ...], paths: Mapping[tuple[str, ...], str], kept: list[str], other: list[str]
) -> None:
    if isinstance(value, dict):
        for name, each in value.items():
            inside = (*path, name)
            (kept if any(known[: len(inside)] == inside for known in paths) else other).append(name)
            _split_document(each, inside, paths, kept, other)
    elif isinstance(value, list):
        for each in value:
            _split_document(each, (*path, "[]"), paths, kept, other)
    elif value is not None and not isinstance(value, bool):
        (kept if paths.get(path) == KEEP else other).append(str(value).replace("\0", " "))
