"""Search an export for original values. The scan does not know the rules, only which columns are kept.

First, all words of the output are marked in a table of fixed size. Then the source is read again, and values that may
be in the output are remembered. Then the output is read again to confirm them. Whole values, RUTs, e-mail addresses and
telephone numbers always count. A single word does not count if a kept column has it too.

Only cells whose words or form show that something may be found there are read as texts.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from eduguard.portability.exports.cells import Cells, Few, Flags, cells_of, numbers_of, split_rows
from eduguard.portability.exports.closure import from_only
from eduguard.portability.exports.copying import copy_csv
from eduguard.portability.exports.fields import is_plain, is_textual, numbers_in, phrases_of, texts_in
from eduguard.portability.exports.forms import Forms, read_values
from eduguard.portability.exports.marks import Marks
from eduguard.portability.exports.schema import Column, Table

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

_SHORTEST = 4  # the least length in characters of a value or word that counts
_MOST_SUSPECTS = 200_000  # values to remember before the output is read again
_MOST_KNOWN = 50_000  # words to remember
_BLOCK = 1 << 16  # bytes to process at once, so that the results stay in the processor's cache
_HEXADECIMAL = set("abcdef")  # a word of only these letters is just as likely to be part of a UUID
_NUMBERS = ("rut ", "phone ")  # the prefixes of the results of numbers_in

Split = Callable[[str], tuple[list[str], list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A column of the source, and which of its values must not be in the output."""

    table: Table
    column: Column
    is_kept: bool
    among: "Composable"
    """the SQL condition for the rows to read"""
    is_exempt: bool = False
    """whether the rows are exported unchanged, so that all their values may be in the output"""
    split: Split | None = None
    """for documents, the function that separates the texts that are kept from the others"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file of the output, and its columns."""

    path: Path
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of the scan."""

    values: int
    """the number of original values that were searched for"""
    found: Mapping[str, int]
    """by column of the source, the number of its values in the output"""
    kept_words: int
    """the number of words that are in the output because a kept column has them too"""


@dataclass(slots=True)
class _Suspects:
    """Values that may be in the output, each with its columns of the source."""

    wholes: dict[str, set[str]] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.wholes) + len(self.words)

    def anchors(self) -> Few:
        """Return the numbers of words so chosen that every text with one of these values has one of the words."""
        return Few(numbers_of([*self.words, *(max(whole.split(), key=len) for whole in self.wholes)]))

    @property
    def have_numbers(self) -> bool:
        """Say whether there may be RUTs or telephone numbers among the values."""
        return any(whole.startswith(_NUMBERS) for whole in self.wholes)

    def give(self, names: tuple[set[str], set[str]], to: "_Suspects") -> None:
        """Move whole values and words to other suspects."""
        for mine, theirs, moved in zip((self.wholes, self.words), (to.wholes, to.words), names, strict=True):
            for name in moved:
                theirs.setdefault(name, set()).update(mine.pop(name))


class Scan:
    """The search for original values in files; its memory does not depend on the size of the files."""

    def __init__(self, outputs: Sequence[Output], *, own: Iterable[str] = ()) -> None:
        """Mark the words in the files.

        Args:
            outputs: the files.
            own: words that an export itself writes; finding them is not a leak.
        """
        self._outputs, self._marks, self._forms = outputs, Marks(), Forms()
        self._own = {word for phrase in phrases_of(list(own)) for word in (phrase, *phrase.split())}
        for columns, cells in self._read():
            self._marks.add(cells.words.numbers)
            for texts in _read_texts(columns, cells, self._forms.unclear(columns, cells)):
                words = set(" ".join(phrases_of(texts)).split())
                self._marks.add(numbers_of(map(_join, words | numbers_in(texts))))

    def search(self, conn: "Connection", originals: Sequence[Original]) -> Report:
        """Return the columns that have values in the output that must not be there; read-only."""
        found, suspects, values = _Suspects(), _Suspects(), 0
        known, of = set[int](), None
        for group, cells in _read_originals(conn, [each for each in originals if not each.is_kept]):
            values += int(np.count_nonzero(cells.ends > cells.starts))
            known, of = (known if of is group else set[int]()), group
            for number, read in read_values(group, cells, self._may_be_found(group, cells, known)):
                _, texts = _split(group[number], read)
                self._suspect(suspects, f"{group[number].table.name}.{group[number].column.name}", texts)
            if len(suspects) > _MOST_SUSPECTS:
                self._confirm(suspects, found)
                suspects = _Suspects()
        self._confirm(suspects, found)
        before = len(found.words)
        if len(found):
            _acquit(conn, originals, found)
        counts = Counter(column for each in (found.wholes, found.words) for of in each.values() for column in of)
        return Report(values=values, found=dict(counts), kept_words=before - len(found.words))

    def _may_be_found(self, group: Sequence[Original], cells: Cells, known: set[int]) -> Flags:
        """Flag the cells to read: all their words are marked, or a new word is marked, or the cell is unclear."""
        words = cells.words
        is_marked = self._marks.has(words.numbers)
        cell_of = cells.of_words(slice(None))
        is_whole = cells.flag(cell_of) & ~cells.flag(cell_of[~is_marked])
        chosen = is_whole | self._forms.unclear([each.column for each in group], cells)
        alone = np.flatnonzero(is_marked & (words.ends - words.starts >= _SHORTEST))
        column = (cell_of[alone] % len(group)).astype(np.uint64)
        keys, first = np.unique(words.numbers[alone] + column, return_index=True)
        new = [place for key, place in zip(keys.tolist(), first.tolist(), strict=True) if key not in known]
        if len(known) > _MOST_KNOWN:
            known.clear()
        known.update(keys.tolist())
        return chosen | cells.flag(cell_of[alone[new]])

    def _suspect(self, suspects: _Suspects, column: str, texts: Collection[str]) -> None:
        phrases = {phrase for phrase in phrases_of(texts) if len(phrase) >= _SHORTEST} - self._own
        marked = self._choose_marked(set(" ".join(phrases).split()))
        wholes = {phrase for phrase in phrases if marked.issuperset(phrase.split())}
        for whole in wholes | self._choose_marked(numbers_in(texts)):
            suspects.wholes.setdefault(whole, set()).add(column)
        for word in marked.intersection(_words(phrases)) - self._own:
            suspects.words.setdefault(word, set()).add(column)

    def _choose_marked(self, words: set[str]) -> set[str]:
        listed = list(words)
        are_marked = self._marks.has(numbers_of(map(_join, listed)))
        return {word for word, is_marked in zip(listed, are_marked.tolist(), strict=True) if is_marked}

    def _confirm(self, suspects: _Suspects, found: _Suspects) -> None:
        """Move the suspects that really are in the output to `found`."""
        anchors, lengths = suspects.anchors(), _lengths_by_last(suspects.wholes)
        for columns, cells in self._read():
            if not len(suspects):
                return
            chosen = cells.flag(cells.of_words(anchors.places(cells.words.numbers)))
            if suspects.have_numbers or not (cells.data.isascii() and all(map(is_plain, columns))):
                chosen |= self._forms.unclear(columns, cells)
            before = len(suspects)
            for texts in _read_texts(columns, cells, chosen):
                suspects.give(_find(suspects, lengths, texts), found)
            if len(suspects) < before:
                anchors = suspects.anchors()

    def _read(self) -> Iterator[tuple[Sequence[Column], Cells]]:
        """Yield the cells of the output in blocks."""
        for output in self._outputs:
            with output.path.open("rb") as file:
                for cells in _read_file(file):
                    yield output.columns, cells


def _read_texts(columns: Sequence[Column], cells: Cells, chosen: Flags) -> Iterator[list[str]]:
    for number, values in read_values(columns, cells, chosen):
        if is_textual(columns[number]):
            yield list(texts_in(columns[number], values))


def _read_file(file: IO[bytes]) -> Iterator[Cells]:
    """Yield the cells of a CSV file in blocks, without the header row."""
    rest, skipped = b"", 0
    while read := file.read(max(_BLOCK, len(rest))):
        data = rest + read
        is_end, rows = split_rows(data)
        first = int(rows[0]) + 1 if len(rows) and not skipped else 0
        last = int(rows[-1]) + 1 if len(rows) else 0
        skipped |= first
        if last > first:
            yield cells_of(data[first:last], is_end[first:last])
        rest = data[last:]


def _read_originals(
    conn: "Connection", originals: Iterable[Original], *, each_once: bool = False
) -> Iterator[tuple[Sequence[Original], Cells]]:
    """Yield the cells of the columns in blocks; columns of the same rows are read together."""
    from psycopg import sql

    together: dict[tuple[str, str], list[Original]] = {}
    for original in originals:
        together.setdefault((original.table.name, repr(original.among)), []).append(original)
    for group in together.values():
        query = sql.SQL("SELECT {} {} FROM {} WHERE {}").format(
            sql.SQL("DISTINCT" if each_once else ""),
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(each.column.name)) for each in group),
            from_only(group[0].table),
            group[0].among,
        )
        for block in copy_csv(conn, query, size=_BLOCK):
            is_end, _ = split_rows(block)
            yield group, cells_of(block, is_end)


def _split(original: Original, values: list[str]) -> tuple[list[str], list[str]]:
    """Return the texts of values: those that are kept, and the others."""
    if original.split:
        pairs = [original.split(value) for value in values]
        return sorted({t for kept, _ in pairs for t in kept}), sorted({t for _, other in pairs for t in other})
    texts = list(texts_in(original.column, values))
    return (texts, []) if original.is_kept else ([], texts)


def _acquit(conn: "Connection", originals: Sequence[Original], found: _Suspects) -> None:
    """Remove from `found` the words of kept columns, and everything that is in exempt rows."""
    forms, anchors = Forms(), found.anchors()
    for group, cells in _read_originals(
        conn, [each for each in originals if each.is_kept or each.split], each_once=True
    ):
        chosen = cells.flag(cells.of_words(anchors.places(cells.words.numbers)))
        chosen |= forms.unclear([each.column for each in group], cells)
        before = len(found)
        for number, values in read_values(group, cells, chosen):
            kept, _ = _split(group[number], values)
            phrases = phrases_of(kept)
            for word in _words(phrases):
                found.words.pop(word, None)
            for whole in (*phrases, *numbers_in(kept)) if group[number].is_exempt else ():
                found.wholes.pop(whole, None)
        if not len(found):
            return
        if len(found) < before:
            anchors = found.anchors()


def _find(suspects: _Suspects, lengths: Mapping[str, set[int]], texts: Collection[str]) -> tuple[set[str], set[str]]:
    """Return the whole values and the words of the suspects that occur in the texts."""
    phrases = set(phrases_of(texts))
    wholes = suspects.wholes.keys() & (phrases | numbers_in(texts))
    for phrase in phrases if lengths else ():
        wholes.update(_contained(phrase.split(), lengths, suspects.wholes))
    return wholes, suspects.words.keys() & set(_words(phrases))


def _join(word: str) -> str:
    return word.replace(" ", "")  # the results of numbers_in contain a space


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
