"""Mask the cells of columns by their rules, one column at a time; each distinct value is made up once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eduguard import identifiers
from eduguard.portability.exports.copying import NULL, keep_cells, read_cell, write_csv
from eduguard.portability.exports.coverage import Coverage, constant_of
from eduguard.portability.exports.fakes import Fake, Fakes
from eduguard.portability.exports.rules import CLEAR, CONSTANT, JSON, KEEP, KEY, PLACEHOLDER, Rule
from eduguard.portability.exports.schema import Column, Table

Cells = Sequence[str]
Mask = Callable[[Cells], Cells]
# A FaceId is valid in one collection only, and rows that name a collection would write faces to the source's.
_OF_THE_COLLECTION: Mapping[str, Mapping[str, str | None]] = {
    "student_faces": {"face_id": identifiers.PLACEHOLDER, "indexed_at": None},
    "students": {"aws_collection_id": None},
}
_MOST_KNOWN = 50_000  # values of a column to remember


@dataclass(frozen=True, kw_only=True)
class TableMask:
    """The masks of a table's rows."""

    columns: tuple[str, ...]
    masks: tuple[Mask, ...]
    key_column: int = 0
    exempt: frozenset[str] = frozenset()
    """the primary keys, as COPY writes them, of rows that stay as they are"""
    naming: frozenset[int] = frozenset()
    """the foreign key columns, which are masked in exempt rows too, so that they follow the rows they reference"""

    def apply(self, block: Sequence[Cells]) -> list[str]:
        """Return the rows of a block as lines of CSV."""
        made = [mask(cells) for mask, cells in zip(self.masks, block, strict=True)]
        if self.exempt and not self.exempt.isdisjoint(block[self.key_column]):
            spared = [n for n, key in enumerate(block[self.key_column]) if key in self.exempt]
            made = [
                new if number in self.naming else _spare(new, block[number], spared) for number, new in enumerate(made)
            ]
        return list(map(",".join, zip(*made, strict=True)))


def _spare(new: Cells, old: Cells, rows: Sequence[int]) -> Cells:
    cells = list(new)
    for row in rows:
        cells[row] = write_csv(read_cell(old[row]))
    return cells


def mask_table(coverage: Coverage, table: Table, fakes: Fakes, shared: dict[str, Mask]) -> TableMask:
    """Return the masks of a table.

    Args:
        coverage: the rule of each column.
        table: the table.
        fakes: the functions that make up values.
        shared: the masks of keys that several columns use, passed from one table to the next.
    """
    columns = table.written
    exemption = coverage.rules.exempt.get(table.name)
    names = [column.name for column in columns]
    return TableMask(
        columns=tuple(names),
        masks=tuple(_mask(coverage, table, column, fakes, shared) for column in columns),
        key_column=names.index(table.primary[0]) if exemption else 0,
        exempt=frozenset(exemption.keys) if exemption else frozenset(),
        naming=frozenset(number for number, name in enumerate(names) if table.reference_of(name)),
    )


def keep_table(table: Table) -> TableMask:
    """Return masks that keep every value, except those that belong only to the source's collection."""
    columns = tuple(column.name for column in table.written)
    own = _OF_THE_COLLECTION.get(table.name, {})
    return TableMask(columns=columns, masks=tuple(_all(own[name]) if name in own else keep_cells for name in columns))


def _mask(coverage: Coverage, table: Table, column: Column, fakes: Fakes, shared: dict[str, Mask]) -> Mask:
    rule = coverage.rule_of(table.name, column.name)
    if rule.name == KEEP:
        return keep_cells
    if rule.name == CLEAR:
        return _all(None)
    if rule.name in (CONSTANT, PLACEHOLDER):
        return _all(constant_of(rule))
    if rule.name != KEY:
        return _remembering(_fake(rule, column, fakes))
    home, named = find_home(coverage.schema, table, column.name)
    mask = shared.get(f"{home}.{named}") or _remembering(fakes.key_of(home, named))
    if any(reference.to == home for each in coverage.schema.values() for reference in each.references):
        shared[f"{home}.{named}"] = mask
    return mask


def _all(value: str | None) -> Mask:
    cell = write_csv(value)
    return lambda cells: [cell] * len(cells)


def find_home(schema: Mapping[str, Table], table: Table, column: str) -> tuple[str, str]:
    """Return the table and column where a column's values come from: through foreign keys, or the column itself."""
    seen = {(table.name, column)}
    while reference := table.reference_of(column):
        table, column = schema[reference[0].to], reference[1]
        if (table.name, column) in seen:
            break
        seen.add((table.name, column))
    return table.name, column


def _fake(rule: Rule, column: Column, fakes: Fakes) -> Fake:
    if rule.name == JSON:
        return fakes.json_of(rule.paths)
    made = fakes.of(rule.name)
    return (lambda value: made(value)[: column.length]) if column.length and rule.name == "text" else made


def _remembering(fake: Fake) -> Mask:
    known: dict[str, str] = {NULL: "", "": '""'}

    def make(cell: str) -> str:
        return write_csv(fake(cell if "\\" not in cell else read_cell(cell) or ""))

    def mask(cells: Cells) -> Cells:
        new = {cell for cell in cells if cell not in known}
        if len(new) == len(cells):  # all are different, as in a primary key: remembering them would not help
            return list(map(make, cells))
        if len(known) + len(new) > _MOST_KNOWN:
            known.clear()
            known.update({NULL: "", "": '""'})
            new = set(cells) - known.keys()
        known.update((cell, make(cell)) for cell in new)
        return [known[cell] for cell in cells]

    return mask
