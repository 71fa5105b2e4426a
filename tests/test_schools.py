"""A school has one collection on a target; a wrong name is an error that names it."""

import pytest

from eduguard.errors import EduguardError
from eduguard.schools import Place, Places, choose

TARGET = Places(target="local", collection="first", collections={"b": "second"})
PLACES = [
    Place(collection="first", school="a"),
    Place(collection="second", school="b"),
    Place(collection="third", guests=("a",)),
]


def test_the_targets_collection_is_that_of_the_only_school_that_is_not_named() -> None:
    assert TARGET.of_schools(["a", "b"]) == {"a": "first", "b": "second"}
    with pytest.raises(EduguardError, match=r"on target local: a, c\n.*targets.local.collections: \{c: COLLECTION\}"):
        TARGET.of_schools(["a", "b", "c"])


def test_a_row_that_names_a_collection_overrides_its_school() -> None:
    rows = {"s": ("a", None), "t": ("b", None), "u": ("b", "third"), "v": (None, None)}
    assert TARGET.of_rows(rows) == {
        "s": Place(collection="first", school="a"),
        "t": Place(collection="second", school="b"),
        "u": Place(collection="third"),
        "v": Place(collection="first", school="a"),
    }


def test_a_school_is_everywhere_where_its_students_have_faces() -> None:
    assert choose(PLACES) == PLACES
    assert choose(PLACES, school="a") == [PLACES[0], PLACES[2]]
    assert choose(PLACES, collection="second") == [PLACES[1]]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"school": "c"}, r"There is no school c\n  There are: a, b"),
        ({"collection": "fourth"}, "No school has its faces in collection fourth, but in: first, second, third"),
        ({"school": "b", "collection": "first"}, "There is no school b with faces in first"),
    ],
    ids=["a school", "a collection", "a collection of another school"],
)
def test_what_is_not_there_is_named_with_what_is(named: dict[str, str], message: str) -> None:
    with pytest.raises(EduguardError, match=message):
        choose(PLACES, **named)
