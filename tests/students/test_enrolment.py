"""The number of a photo is chosen by a pure function of what rows, bucket and collection have of the student."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.students.enrolment import Place, find_place

NUMBERS = st.frozensets(st.integers(1, 6))


def place(
    wanted: int | None = None,
    *,
    rows: Iterable[int] = (),
    stored: Mapping[int, str] | None = None,
    faces: Iterable[int] = (),
) -> Place | None:
    return find_place("this", wanted, rows=frozenset(rows), stored=stored or {}, faces=frozenset(faces))


def new(number: int) -> Place:
    return Place(number=number, is_stored=False, is_enrolled=False)


def test_the_first_photo_is_number_1() -> None:
    assert place() == new(1)


@pytest.mark.parametrize(
    "taken",
    [{"rows": {3}}, {"stored": {3: "another"}}, {"faces": {3}}],
    ids=["by a row", "by a photo", "by a face whose photo is gone"],
)
def test_a_number_that_is_taken_anywhere_is_not_given_out_again(taken: dict[str, object]) -> None:
    assert place(**taken) == new(4)  # type: ignore[arg-type]


def test_the_next_number_comes_after_the_highest_of_all() -> None:
    assert place(rows={1, 5}, stored={7: "another"}, faces={6}) == new(8)
    assert place(rows={1}, stored={2: "another"}, faces={9}) == new(10)


def test_the_same_photo_keeps_its_number_and_a_row_says_that_it_is_enrolled() -> None:
    assert place(stored={2: "this"}, rows={2}) == Place(number=2, is_stored=True, is_enrolled=True)
    assert place(stored={2: "this"}) == Place(number=2, is_stored=True, is_enrolled=False)
    assert place(5, stored={2: "this"}, rows={2}) == Place(number=2, is_stored=True, is_enrolled=True)


def test_of_two_equal_photos_the_one_with_a_row_counts() -> None:
    assert place(stored={1: "this", 2: "this"}, rows={2}) == Place(number=2, is_stored=True, is_enrolled=True)
    assert place(stored={2: "this", 1: "this"}) == Place(number=1, is_stored=True, is_enrolled=False)


@pytest.mark.parametrize("taken", [{"rows": {3}}, {"stored": {3: "another"}}], ids=["by a row", "by a photo"])
def test_a_wanted_number_that_another_photo_has_is_refused(taken: dict[str, object]) -> None:
    assert place(3, **taken) is None  # type: ignore[arg-type]


def test_a_wanted_number_may_have_a_face_which_is_indexed_again() -> None:
    assert place(3, faces={3}) == new(3)


@given(rows=NUMBERS, stored=NUMBERS, faces=NUMBERS)
def test_a_new_photo_never_gets_a_number_in_use(
    rows: frozenset[int], stored: frozenset[int], faces: frozenset[int]
) -> None:
    found = place(rows=rows, stored=dict.fromkeys(stored, "another"), faces=faces)
    assert found is not None
    assert found.number not in rows | stored | faces
