"""Find the cells that must be read as texts regardless of their words: those with numbers or nested texts."""

from collections.abc import Iterator, Sequence

import numpy as np

from eduguard.portability.exports.cells import Cells, Flags, Places
from eduguard.portability.exports.fields import is_plain, is_textual, numbers_in
from eduguard.portability.exports.schema import Column

_MOST_KNOWN = 50_000  # forms to remember


class Forms:
    """Remembers which forms of cells contain a RUT or a telephone number."""

    def __init__(self) -> None:
        """Start without known forms."""
        self._known: dict[int, bool] = {}

    def unclear(self, columns: Sequence[Column], cells: Cells) -> Flags:
        """Flag the textual cells whose words alone do not show their content.

        These are cells with characters that are not ASCII, because of accents and other alphabets; documents, arrays
        and bytes; and RUTs and telephone numbers, which can be written in more than one way.
        """
        rows = len(cells.ends) // len(columns)
        is_hidden = cells.not_ascii() | np.tile([not is_plain(column) for column in columns], rows)
        chosen: Flags = (
            is_hidden & np.tile([is_textual(column) for column in columns], rows) & (cells.ends > cells.starts)
        )
        numbered = np.tile([is_textual(column) and column.base != "uuid" for column in columns], rows)
        places = np.flatnonzero(numbered & ~chosen & ~cells.uuids())
        chosen[places[self._have_numbers(cells, places)]] = True
        return chosen

    def _have_numbers(self, cells: Cells, places: Places) -> Flags:
        forms, first, which = np.unique(cells.forms(places), return_index=True, return_inverse=True)
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        for form, place in zip(forms.tolist(), places[first], strict=True):
            if form not in self._known:
                self._known[form] = bool(numbers_in([cells.read(place)]))
        verdicts: Flags = np.array([self._known[form] for form in forms.tolist()], np.bool_)
        return verdicts[which]


def read_values(columns: Sequence[object], cells: Cells, chosen: Flags) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each column with the distinct values of its chosen cells."""
    picked = np.flatnonzero(chosen)
    of = picked % len(columns)
    for number in np.unique(of).tolist():
        if values := {cells.read(cell) for cell in picked[of == number].tolist()} - {""}:
            yield number, list(values)
