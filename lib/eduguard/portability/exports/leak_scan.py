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

from eduguard.portability.exports.closure import from_only
from eduguard.portability.exports.copying import copy_out, read_cell
from eduguard.portability.exports.fields import is_textual, numbers_in, phrases_of, texts_in
from eduguard.portability.exports.schema import Column, Table

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

_SHORTEST = 4  # characters of a value or a word that counts
_MARKS = 1 << 25  # bytes
_MASK = 8 * _MARKS - 1
_SECOND = 28  # bits, after which a hash gives its second place in the table
_MOST_SUSPECTS = 200_000  # values that are remembered until the output is read again
_LINES = 8_000  # of the output that are looked at together
_HEXADECIMAL = set("abcdef")  # letters alone are a part of a UUID as often as a word
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
        for original, (_, texts) in _read_originals(conn, [o for o in originals if not o.is_kept]):
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
            hashed = hash(part)
            first, second = hashed & _MASK, hashed >> _SECOND & _MASK
            marks[first >> 3] |= 1 << (first & 7)
            marks[second >> 3] |= 1 << (second & 7)

    def _is_marked(self, text: str) -> bool:
        hashed = hash(text)
        place = hashed & _MASK
        if not self._marks[place >> 3] >> (place & 7) & 1:
            return False
        place = hashed >> _SECOND & _MASK
        return bool(self._marks[place >> 3] >> (place & 7) & 1)

    def _suspect(self, suspects: _Suspects, column: str, texts: Collection[str]) -> None:
        is_marked, own = self._is_marked, self._own
        phrases = [phrase for phrase in phrases_of(texts) if len(phrase) >= _SHORTEST]
        for phrase in phrases:
            if (is_marked(phrase) or (" " in phrase and all(map(is_marked, phrase.split())))) and phrase not in own:
                suspects.wholes.setdefault(phrase, set()).add(column)
        for number in filter(is_marked, numbers_in(texts)):
            suspects.wholes.setdefault(number, set()).add(column)
        for word in filter(is_marked, set(_words(phrases)) - own):
            suspects.words.setdefault(word, set()).add(column)

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


def _read_originals(
    conn: "Connection", originals: Iterable[Original]
) -> Iterator[tuple[Original, tuple[list[str], list[str]]]]:
    """Return of each column the texts that are kept and the others, in parts; a table is read once."""
    from psycopg import sql

    together: dict[tuple[str, str], list[Original]] = {}
    for original in originals:
        together.setdefault((original.table.name, repr(original.among)), []).append(original)
    for group in together.values():
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(sql.Identifier(original.column.name) for original in group),
            from_only(group[0].table),
            group[0].among,
        )
        for block in copy_out(conn, query):
            for original, cells in zip(group, block, strict=True):
                yield original, _split(original, [value for cell in set(cells) if (value := read_cell(cell))])


def _split(original: Original, values: list[str]) -> tuple[list[str], list[str]]:
    if original.split:
        pairs = [original.split(value) for value in values]
        return sorted({t for kept, _ in pairs for t in kept}), sorted({t for _, other in pairs for t in other})
    texts = list(texts_in(original.column, values))
    return (texts, []) if original.is_kept else ([], texts)


def _acquit(conn: "Connection", originals: Sequence[Original], found: _Suspects) -> None:
    """Take out of what was found the words of columns that are kept, and all that is in rows that are exempt."""
    for original, (kept, _) in _read_originals(conn, [o for o in originals if o.is_kept or o.split]):
        phrases = phrases_of(kept)
        for word in _words(phrases):
            found.words.pop(word, None)
        if original.is_exempt:
            for whole in (*phrases, *numbers_in(kept)):
                found.wholes.pop(whole, None)


def _words(phrases: Iterable[str]) -> Iterator[str]:
    tokens = set(" ".join(phrases).split())
    return (token for token in tokens if len(token) >= _SHORTEST and token.isalpha() and not set(token) <= _HEXADECIMAL)


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
