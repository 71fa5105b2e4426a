"""Finding many cells and words at once gives the same ones as finding them one by one."""

import csv
import io
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eduguard.portability.exports.cells import Cells, Few, cells_of, numbers_of, split_rows
from eduguard.portability.exports.fields import numbers_in, phrases_of
from eduguard.portability.exports.marks import Marks

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12) | st.text(
    st.sampled_from('aK1.-+ ,"\n_'), max_size=25
)
ROWS = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width), min_size=1))


def parse(rows: list[list[str]]) -> Cells:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    data = written.getvalue().encode()
    is_end, ends = split_rows(data)
    assert len(ends) == len(rows)
    return cells_of(data, is_end)


@given(rows=ROWS)
def test_cells_are_those_that_the_csv_module_writes(rows: list[list[str]]) -> None:
    cells, values = parse(rows), [value for row in rows for value in row]
    assert [cells.read(number) for number in range(len(cells.ends))] == values
    assert cells.not_ascii().tolist() == [not value.isascii() for value in values]


@given(rows=ROWS)
def test_words_of_plain_cells_are_those_of_their_phrases_and_share_their_numbers(rows: list[list[str]]) -> None:
    cells = parse([[re.sub(r"[^ -~\n]", "", value) for value in row] for row in rows])
    of = cells.of_words(slice(None))
    for number in range(len(cells.ends)):
        (phrase,) = phrases_of([cells.read(number)])
        assert cells.words.numbers[of == number].tolist() == numbers_of(phrase.split()).tolist()


@given(value=TEXT.filter(str.isascii), digit=st.sampled_from("0123456789"))
def test_cells_of_one_form_all_have_numbers_or_none_has(value: str, digit: str) -> None:
    other = re.sub("[a-jl-z]", "b", re.sub(r"\d", digit, value))
    forms = parse([[value, other]]).forms(np.arange(2))
    assert forms[0] == forms[1]
    assert bool(numbers_in([value])) == bool(numbers_in([other]))


def test_what_was_marked_is_known_and_hardly_anything_else() -> None:
    marks, many = Marks(), numbers_of(f"k{number:020}" for number in range(300_000))
    marks.add(many)
    assert marks.has(many).all()
    assert marks.has(numbers_of(f"rut{number}" for number in range(100_000))).mean() < 0.001


def test_a_few_numbers_are_found_among_many() -> None:
    many = numbers_of(f"word{number}" for number in range(70_000))
    assert Few(many[[7, 60_000]]).places(many).tolist() == [7, 60_000]
    assert Few(many[:0]).places(many).tolist() == []
