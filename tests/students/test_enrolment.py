"""The missing parts of a photo, and its number, depend only on rows, bucket and collection: pure functions."""

from collections.abc import Iterable, Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.aws import Match
from eduguard.students.completion import Place, choose_face, find_strange, summarise_work
from eduguard.students.enrolment import find_number

NUMBERS = st.frozensets(st.integers(1, 6))


def number(
    wanted: int | None = None,
    *,
    rows: Iterable[int] = (),
    stored: Mapping[int, bool] | None = None,
    faces: Iterable[int] = (),
) -> int | None:
    return find_number(wanted, rows=rows, stored=stored or {}, faces=faces)


def test_the_first_photo_is_number_1() -> None:
    assert number() == 1


@pytest.mark.parametrize(
    "taken",
    [{"rows": {3}}, {"stored": {3: False}}, {"faces": {3}}],
    ids=["by a row", "by a photo", "by a face whose photo is gone"],
)
def test_a_number_that_is_taken_anywhere_is_not_given_out_again(taken: dict[str, object]) -> None:
    assert number(**taken) == 4  # type: ignore[arg-type]


def test_the_next_number_comes_after_the_highest_of_all() -> None:
    assert number(rows={1, 5}, stored={7: False}, faces={6}) == 8
    assert number(rows={1}, stored={2: False}, faces={9}) == 10


def test_the_same_photo_keeps_its_number_and_one_with_a_row_comes_first() -> None:
    assert number(stored={2: True}) == number(5, stored={2: True}) == 2
    assert number(stored={1: True, 2: True}, rows={2}) == 2
    assert number(stored={2: True, 1: True}) == 1


def test_a_wanted_number_is_refused_only_where_the_bucket_has_another_photo_under_it() -> None:
    assert number(3, stored={3: False}) is None
    assert number(3, rows={3}) == number(3, faces={3}) == number(3, rows={3}, faces={3}) == 3


@given(rows=NUMBERS, stored=NUMBERS, faces=NUMBERS)
def test_a_new_photo_never_gets_a_number_in_use(
    rows: frozenset[int], stored: frozenset[int], faces: frozenset[int]
) -> None:
    assert number(rows=rows, stored=dict.fromkeys(stored, False), faces=faces) not in rows | stored | faces


def place(*, photo: bool, face: str | None, row: str | None, needs_row: bool = True) -> Place:
    return Place(student_id="ana", number=1, has_photo=photo, face_id=face, row=row, needs_row=needs_row)


@pytest.mark.parametrize(("photo", "face", "row"), list(product([True, False], ["f", None], ["f", "old", None])))
def test_what_is_missing_follows_from_row_photo_and_face(photo: bool, face: str | None, row: str | None) -> None:
    missing = set(place(photo=photo, face=face, row=row).missing)
    assert ("photo" in missing, "face" in missing, "row" in missing) == (not photo, face is None, row is None)
    assert ("link" in missing) is (row is not None and row != face)
    assert set(place(photo=photo, face=face, row=row, needs_row=False).missing) == missing - {"row", "link"}
    assert place(photo=photo, face=face, row=row).is_searched is bool(missing & {"photo", "face"})


def test_a_row_keeps_its_face_while_the_collection_has_it() -> None:
    assert choose_face(["sure", "other"], "other") == "other"
    assert choose_face(["sure", "other"], "gone") == choose_face(["sure", "other"], None) == "sure"
    assert choose_face([], "gone") is None


def test_work_is_counted() -> None:
    places = [place(photo=False, face=None, row=None), place(photo=True, face="f", row="old")]
    places.append(place(photo=True, face="f", row="f"))
    assert summarise_work(places) == "3 photos: 1 to upload, 1 to search for, 1 to index, 2 rows to write"


def test_the_best_match_of_each_other_student_is_strange() -> None:
    matches = [
        Match(face_id=str(index), external_image_id=name, similarity=99 - index)
        for index, name in enumerate(["ana-photo-1", "luz-photo-2", "luz-photo-1", None, "visitor", "eva-photo-1"])
    ]
    assert find_strange("ana", matches) == [matches[1], matches[5]]
