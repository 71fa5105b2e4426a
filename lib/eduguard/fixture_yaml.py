"""Read a fixture: a YAML list of rows, kept as the text it is written in, each value with its line.

Stricter than YAML: no anchors, aliases, tags or merge keys, no key twice, one document. What is not quoted stays text
too (`no`, `007`, `1.10`); only `null`, `~` and nothing at all are NULL. The type of the column decides what the text
means.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from eduguard.errors import EduguardError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 32
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Plain(str):
    """Text that stands in the file without quotes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FixtureRow:
    """One row: values by column, and the line of each; a value is None, text, or a list or mapping of such."""

    line: int
    values: dict[str, Any]
    lines: list[int]

    def line_of(self, column: str) -> int:
        """Return the line on which a column's name stands, the row's own if it has no such column."""
        return self.lines[list(self.values).index(column)] if column in self.values else self.line


@cache  # by the text itself: what `rebuild` has checked, `seed` of the same command line need not read again
def parse_rows(text: str, name: str) -> tuple[FixtureRow, ...]:
    """Return the rows of a fixture, not to be changed; an empty one has none.

    Args:
        text: YAML.
        name: what messages call the file.

    Raises:
        EduguardError: with `name:line:column` of what is not allowed or not YAML.
    """
    try:
        loader = _Loader(text)
        try:
            with _without_collector():
                top = _Reader(loader, name).read()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _error(name, error.problem_mark, error.problem or str(error)) from error
    except yaml.YAMLError as error:
        raise EduguardError(f"{name}: {error}") from error
    return _rows(top, name)


class _Reader:
    """Walk the parser's events with a stack of our own: neither depth nor aliases can exhaust anything."""

    def __init__(self, loader: Any, name: str) -> None:
        self._loader = loader
        self._name = name
        self._documents = 0

    def read(self) -> Any:
        """Return None for an empty document, else nested lists, _Mapping and text."""
        top: list[Any] = []
        stack: list[tuple[Any, Any]] = []
        current: Any = top
        key: Any = None
        get_event = self._loader.get_event
        while (event := get_event()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                value = self._scalar(event)
                if type(current) is list:
                    current.append(value)
                elif key is None:
                    key = self._key(event, current)
                else:
                    current[key] = value
                    key = None
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                opened = self._open(event, len(stack))
                if type(current) is list:
                    current.append(opened)
                elif key is None:
                    raise _error(self._name, event.start_mark, "a key must be text")
                else:
                    current[key] = opened
                stack.append((current, key))
                current, key = opened, None
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                current = stack.pop()[0]
            else:
                self._other(event)
        return top[0] if top else None

    def _scalar(self, event: Any) -> Any:
        if event.anchor or event.tag:
            self._refuse_properties(event)
        if event.style:
            if "\0" in event.value:
                raise _error(self._name, event.start_mark, "PostgreSQL text cannot hold the character NUL")
            return event.value
        return None if event.value in _NULLS else Plain(event.value)

    def _key(self, event: Any, mapping: "_Mapping") -> str:
        key = str(event.value)
        if key in ("", "<<"):
            raise _error(self._name, event.start_mark, f"{key!r} is no column's name")
        if key in mapping:
            raise _error(self._name, event.start_mark, f"{key} stands twice in this row")
        mapping.lines.append(event.start_mark.line + 1)
        return key

    def _open(self, event: Any, depth: int) -> Any:
        self._refuse_properties(event)
        if depth >= _DEEPEST:
            raise _error(self._name, event.start_mark, f"nested deeper than {_DEEPEST} levels")
        is_mapping = type(event) is MappingStartEvent
        return _Mapping(event.start_mark.line + 1) if is_mapping else []

    def _refuse_properties(self, event: Any) -> None:
        if event.anchor or (event.tag and event.tag != "!"):
            raise _error(self._name, event.start_mark, "anchors and tags are not allowed in fixtures")

    def _other(self, event: Any) -> None:
        if type(event) is AliasEvent:
            raise _error(self._name, event.start_mark, "aliases are not allowed in fixtures")
        if type(event) is DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise _error(self._name, event.start_mark, "a fixture is one YAML document")


class _Mapping(dict[str, Any]):
    """A mapping with the line it begins on and the line of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def _rows(top: Any, name: str) -> tuple[FixtureRow, ...]:
    if top is None:
        return ()
    if not isinstance(top, list):
        raise EduguardError(f"{name}:1: a fixture is a list of rows", hint="Begin each row with a hyphen: `- id: ...`")
    for number, row in enumerate(top, start=1):
        if not isinstance(row, _Mapping):
            raise EduguardError(f"{name}: row {number} is not a mapping of columns to values")
    return tuple(FixtureRow(line=row.line, values=row, lines=row.lines) for row in top)


def _error(name: str, mark: Any, problem: str) -> EduguardError:
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    return EduguardError(f"{where}: {problem}")


@contextmanager
def _without_collector() -> Iterator[None]:
    # Rows are all kept, so collecting garbage meanwhile finds none: it only makes reading three times slower.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """The rows of one table and the file they stand in."""

    table: str
    file: Path
    rows: tuple[FixtureRow, ...]


def read_fixture(file: Path, table: str) -> Fixture:
    """Read one file; read-only.

    Raises:
        EduguardError: when it cannot be read or is no UTF-8, or as `parse_rows` does.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EduguardError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise EduguardError(f"{file}: not UTF-8 at byte {error.start}") from error
    return Fixture(table=table, file=file, rows=parse_rows(text, str(file)))
