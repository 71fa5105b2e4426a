"""Look for original values in what was exported: a second reading, which knows no rule, only which columns are kept.

First all that the output holds is marked in a table of a fixed size. Then the source is read again, and what may be in
the output is remembered; then the output is read again, to be sure. Whole values, RUTs, e-mail addresses and telephone
numbers always count; a word alone does not where a column that is kept has it, too.
"""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.portability.closure import from_only
from eduguard.portability.copying import copy_out, read_cell
from eduguard.portability.fields import is_textual, numbers_in, phrases_of, texts_in
from eduguard.portability.schema import Column, Table

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

_SHORTEST = 4  # characters of a value or a word that counts
_MARKS = 1 << 25  # bytes
_MASK = _MARKS - 1
_MOST_SUSPECTS = 200_000  # values that are remembered until the output is read again
_LINES = 8_000  # of the output that are looked at together
_LONGEST_FIELD = 1 << 30

Split = Callable[[str], tuple[list[str], list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A column of the source, and which of its values must not be found."""

    table: Table
    column: Column
    is_kept: bool
    among: "Composable"
    """holds for the rows that are read"""
    is_exempt: bool = False
    """the rows leave as they are, so that all of it may be found"""
    split: Split | None = None
    """of a document: the texts that are kept, and the others"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file of the output, and the columns that are in it."""

    path: Path
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found."""

    values: int
    """original values that were looked for"""
    found: Mapping[str, int]
    """how many of each column of the source are in the output"""
    kept_words: int
    """words that are in the output because a kept column has them, too"""


@dataclass(slots=True)
class _Suspects:
    """Values that may be in the output, each with the columns that have it."""

    wholes: dict[str, set[str]] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.wholes) + len(self.words)


class Scan:
    """The search for original values in files; it holds the same memory whatever their size."""

    def __init__(self, outputs: Sequence[Output], *, more: Iterable[str] = (), own: Iterable[str] = ()) -> None:
        """Mark what the files hold.

        Args:
            outputs: the files.
            more: other texts of the output.
            own: words that we write ourselves, whatever the source has.
        """
        self._outputs, self._more = outputs, list(more)
        self._own = {word for phrase in phrases_of(list(own)) for word in (phrase, *phrase.split())}
        self._marks = bytearray(_MARKS)
        for texts in self._read():
            self._mark(texts)

    def search(self, conn: "Connection", originals: Sequence[Original]) -> Report:
        """Return which columns have values in the output that must not be there; read-only."""
        found, suspects, values = _Suspects(), _Suspects(), 0
        for original in originals:
            if original.is_kept and not original.split:
                continue
            for _, texts in _read_original(conn, original):
                values += len(texts)
                self._suspect(suspects, f"{original.table.name}.{original.column.name}", texts)
                if len(suspects) > _MOST_SUSPECTS:
                    self._confirm(suspects, found)
                    suspects = _Suspects()
        if len(suspects):
            self._confirm(suspects, found)
        before = len(found.words)
        if len(found):
            _acquit(conn, originals, found)
        counts = Counter(column for each in (found.wholes, found.words) for of in each.values() for column in of)
        return Report(values=values, found=dict(counts), kept_words=before - len(found.words))

    def _mark(self, texts: Collection[str]) -> None:
        marks, phrases = self._marks, set(phrases_of(texts))
        for part in phrases | set(" ".join(phrases).split()) | numbers_in(texts):
            marks[hash(part) & _MASK] = 1

    def _suspect(self, suspects: _Suspects, column: str, texts: Collection[str]) -> None:
        marks, own = self._marks, self._own
        phrases = [phrase for phrase in phrases_of(texts) if len(phrase) >= _SHORTEST]
        for phrase in phrases:
            is_marked = marks[hash(phrase) & _MASK] or (" " in phrase and self._has_all(phrase))
            if is_marked and phrase not in own:
                suspects.wholes.setdefault(phrase, set()).add(column)
        for number in numbers_in(texts):
            if marks[hash(number) & _MASK]:
                suspects.wholes.setdefault(number, set()).add(column)
        for word in set(_words(phrases)) - own:
            if marks[hash(word) & _MASK]:
                suspects.words.setdefault(word, set()).add(column)

    def _has_all(self, phrase: str) -> bool:
        return all(self._marks[hash(token) & _MASK] for token in reversed(phrase.split()))

    def _confirm(self, suspects: _Suspects, found: _Suspects) -> None:
        lengths = _lengths_by_last(suspects.wholes)
        for texts in self._read():
            phrases = set(phrases_of(texts))
            wholes = suspects.wholes.keys() & (phrases | numbers_in(texts))
            for phrase in phrases if lengths else ():
                wholes.update(_contained(phrase.split(), lengths, suspects.wholes))
            for whole in wholes:
                found.wholes.setdefault(whole, set()).update(suspects.wholes[whole])
            for word in suspects.words.keys() & set(_words(phrases)):
                found.words.setdefault(word, set()).update(suspects.words[word])

    def _read(self) -> Iterator[Collection[str]]:
        """Return the texts of the output, each once among its neighbours."""
        yield self._more
        csv.field_size_limit(_LONGEST_FIELD)
        for output in self._outputs:
            with output.path.open(encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                next(rows)
                while lines := [row for row, _ in zip(rows, range(_LINES), strict=False)]:
                    for column, cells in zip(output.columns, zip(*lines, strict=True), strict=True):
                        if is_textual(column):
                            yield list(texts_in(column, set(cells) - {""}))


def _read_original(conn: "Connection", original: Original) -> Iterator[tuple[list[str], list[str]]]:
    """Return the texts of a column that are kept, and the others."""
    from psycopg import sql

    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.Identifier(original.column.name), from_only(original.table), original.among
    )
    for block in copy_out(conn, query):
        values = [value for cell in set(block[0]) if (value := read_cell(cell))]
        if original.split:
            pairs = [original.split(value) for value in values]
            yield sorted({t for kept, _ in pairs for t in kept}), sorted({t for _, other in pairs for t in other})
        else:
            texts = list(texts_in(original.column, values))
            yield (texts, []) if original.is_kept else ([], texts)


def _acquit(conn: "Connection", originals: Sequence[Original], found: _Suspects) -> None:
    """Take out of what was found the words of columns that are kept, and all that is in rows that are exempt."""
    for original in originals:
        for kept, _ in _read_original(conn, original):
            phrases = phrases_of(kept)
            for word in _words(phrases):
                found.words.pop(word, None)
            if original.is_exempt:
                for whole in (*phrases, *numbers_in(kept)):
                    found.wholes.pop(whole, None)


def _words(phrases: Iterable[str]) -> Iterator[str]:
    return (token for phrase in phrases for token in phrase.split() if len(token) >= _SHORTEST and token.isalpha())


def _lengths_by_last(wholes: Iterable[str]) -> dict[str, set[int]]:
    lengths: dict[str, set[int]] = {}
    for whole in wholes:
        tokens = whole.split()
        if len(tokens) > 1:
            lengths.setdefault(tokens[-1], set()).add(len(tokens))
    return lengths


def _contained(tokens: Sequence[str], lengths: Mapping[str, set[int]], wholes: Collection[str]) -> Iterator[str]:
    for end, token in enumerate(tokens, start=1):
        for length in lengths.get(token, ()):
            if length <= end and (phrase := " ".join(tokens[end - length : end])) in wholes:
                yield phrase
