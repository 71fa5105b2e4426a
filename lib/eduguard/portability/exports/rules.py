"""Read anonymise.yaml: how to mask each column, which rows to export, and which rows to keep unchanged."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eduguard.errors import EduguardError, suggest
from eduguard.fixtures import Entries, parse_document

KEEP, CLEAR, CONSTANT, PLACEHOLDER, PHOTO, JSON, KEY = (
    "keep", "clear", "constant", "placeholder", "photo", "json", "key",
)  # fmt: skip
DRAWN = ("first_name", "last_name", "rut", "email", "phone", "address", "date", "text", "uuid")
"""the rules that replace a value with another one of the same kind"""
_PLAIN = (KEEP, CLEAR, PLACEHOLDER, PHOTO, KEY, *DRAWN)
_WITH_ARGUMENT = (CONSTANT, JSON)
_IN_JSON = (KEEP, *(rule for rule in DRAWN if rule != "uuid"))
_SECTIONS = ("columns", "rows", "exempt")
_LAST_DAYS = re.compile(r"last (?P<days>[1-9][0-9]{0,4}) days by (?P<column>\S+)")
_PATH = re.compile(r"(\[\]|[^\[\].]+)(\[\]|\.[^\[\].]+)*")
_HINT = "docs/portability.md describes the rules."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How to mask the values of a column."""

    name: str
    line: int = 0
    constant: str = ""
    paths: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """for `json`, the rule of each path; [] means every element of an array"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChoice:
    """Which rows of a table to export: none, or those of the last days according to a date column."""

    line: int
    days: int = 0
    """0: no row is exported"""
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Rows of a table, by their keys, that are exported unchanged."""

    line: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All of anonymise.yaml, by table; a table that is not in the schema public has its schema in the name."""

    file: str
    sha256: str
    columns: Mapping[str, Mapping[str, Rule]]
    rows: Mapping[str, RowChoice]
    exempt: Mapping[str, Exemption]
    lines: Mapping[str, int]
    """the line where each table's rules begin"""


def read_rules(path: Path) -> Rules:
    """Read the rules, without asking a database.

    Raises:
        EduguardError: with file:line of anything that is not a rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise EduguardError(f"There is no {path}", hint="It says what becomes of each column. " + _HINT) from error
    except (OSError, UnicodeDecodeError) as error:
        raise EduguardError(f"{path}: {error}") from error
    return parse_rules(text, path.name)


def parse_rules(text: str, name: str) -> Rules:
    """Parse the rules in a text; a pure function.

    Args:
        text: the YAML.
        name: the name of the file in messages.

    Raises:
        EduguardError: with file:line of anything that is not a rule.
    """
    sections: dict[str, tuple[Any, int]] = dict.fromkeys(_SECTIONS, (None, 0))
    top = parse_document(text, name)
    if top is not None and not isinstance(top, Entries):
        raise EduguardError(f"{name}:1: expected the sections {', '.join(_SECTIONS)}", hint=_HINT)
    for key, value, line in top.with_lines() if top else ():
        if key not in sections:
            raise EduguardError(f"{name}:{line}: unknown section {key}", hint=suggest(key, _SECTIONS, _HINT))
        sections[key] = value, line
    tables = [
        (table, dict(_columns(table, columns, f"{name}:{line}", name)), line)
        for table, columns, line in _entries(*sections["columns"], name)
    ]
    return Rules(
        file=name,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        columns={table: columns for table, columns, _ in tables},
        lines={table: line for table, _, line in tables},
        rows=dict(_row_choices(_entries(*sections["rows"], name), name)),
        exempt={
            table: Exemption(line=line, keys=_keys(value, f"{name}:{line}: {table}"))
            for table, value, line in _entries(*sections["exempt"], name)
        },
    )


def _entries(value: Any, line: int, name: str) -> Iterator[tuple[str, Any, int]]:
    if value is None:
        return iter(())
    if not isinstance(value, Entries):
        raise EduguardError(f"{name}:{line}: expected one line for each table", hint=_HINT)
    return value.with_lines()


def _columns(table: str, value: Any, where: str, name: str) -> Iterator[tuple[str, Rule]]:
    if not isinstance(value, Entries):
        raise EduguardError(f"{where}: {table}: expected one `column: rule` a line", hint=_HINT)
    for column, rule, line in value.with_lines():
        yield column, _rule(rule, f"{name}:{line}: {table}.{column}", line)


def _rule(value: Any, where: str, line: int) -> Rule:
    if isinstance(value, str):
        if value not in _PLAIN:
            needs = " needs a value: `constant: VALUE` in braces" if value in _WITH_ARGUMENT else " is not a rule"
            raise EduguardError(f"{where}: {value!r}{needs}", hint=suggest(value, [*_PLAIN, *_WITH_ARGUMENT], _HINT))
        return Rule(name=str(value), line=line)
    if isinstance(value, Entries) and list(value) == [CONSTANT] and isinstance(value[CONSTANT], str):
        return Rule(name=CONSTANT, line=line, constant=str(value[CONSTANT]))
    if isinstance(value, Entries) and list(value) == [JSON] and isinstance(value[JSON], Entries):
        return Rule(name=JSON, line=line, paths=dict(_paths(value[JSON], where)))
    raise EduguardError(f"{where}: expected a rule", hint=_HINT)


def _paths(value: Entries, where: str) -> Iterator[tuple[tuple[str, ...], str]]:
    for path, rule, _ in value.with_lines():
        if not _PATH.fullmatch(path):
            raise EduguardError(f"{where}: {path!r} is not a path", hint="Examples: name, address.street, [].day")
        if rule not in _IN_JSON:
            hint = suggest(str(rule), _IN_JSON, f"Within JSON there are: {', '.join(_IN_JSON)}.")
            raise EduguardError(f"{where}: {path}: {rule!r} is not a rule of a path", hint=hint)
        yield tuple(re.findall(r"\[\]|[^\[\].]+", path)), str(rule)


def _row_choices(entries: Iterator[tuple[str, Any, int]], name: str) -> Iterator[tuple[str, RowChoice]]:
    for table, value, line in entries:
        found = _LAST_DAYS.fullmatch(value) if isinstance(value, str) else None
        if found:
            yield table, RowChoice(line=line, days=int(found["days"]), column=found["column"])
        elif value == "none":
            yield table, RowChoice(line=line)
        elif value != "all":
            hint = "Write all, none, or `last 30 days by COLUMN`."
            raise EduguardError(f"{name}:{line}: {table}: {value!r} does not choose rows", hint=hint)


def _keys(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise EduguardError(f"{where}: expected a list of keys", hint="Example: [teacher-001, teacher-002]")
    return tuple(map(str, value))
