"""Which faces are missing, judged by the rows, the bucket and the collection."""

from collections.abc import Callable

import pytest

from eduguard.errors import EduguardError
from eduguard.portability import plan_reindexing, read_wanted
from eduguard.postgres import Database, connect
from eduguard.schools import Place

PLACE = Place(collection="tests", school="school-001")
OTHER = Place(collection="tests-2", school="school-002")


def key(name: str) -> str:
    student, _, number = name.rpartition("-photo-")
    return f"students/{student}/photo-{number}.jpg"


def test_the_plan_is_rows_less_what_the_collection_lists() -> None:
    names = ["a-photo-1", "a-photo-2", "a-photo-3", "b-photo-1"]
    stored = {key(name): 100 for name in ("a-photo-1", "a-photo-2", "b-photo-1")}
    listed = {"a": {1: ("one",)}, "b": {1: ("two", "three")}, "c": {7: ("four",)}}
    plan = plan_reindexing(PLACE, {name: key(name) for name in names}, stored, listed)
    assert [each.name for each in plan.to_index] == ["a-photo-2"]
    assert [each.name for each in plan.lost] == ["a-photo-3"]
    assert (plan.photos, plan.repeated, plan.strange) == (4, ("b-photo-1",), ("c-photo-7",))


def test_a_photo_that_only_the_collection_has_needs_nothing() -> None:
    plan = plan_reindexing(PLACE, {"a-photo-1": key("a-photo-1")}, {}, {"a": {1: ("one",)}})
    assert (plan.to_index, plan.lost) == ((), ())


def test_the_key_is_the_one_that_the_row_names() -> None:
    plan = plan_reindexing(PLACE, {"a-photo-1001": "students/a/front.jpg"}, {"students/a/front.jpg": 5}, {})
    assert [(each.name, each.key) for each in plan.to_index] == [("a-photo-1001", "students/a/front.jpg")]


@pytest.fixture
def wanted(school: Database) -> Callable[..., dict[str, str]]:
    def read(place: Place, stored: list[str], *, is_only: bool = False, change: str = "SELECT") -> dict[str, str]:
        with connect(school, purpose="tests") as conn:
            conn.execute(change.encode())
            return read_wanted(conn, place, stored, is_only=is_only)

    return read


def test_each_collection_gets_the_photos_of_its_rows(wanted: Callable[..., dict[str, str]]) -> None:
    assert len(wanted(PLACE, [])) == 18
    assert wanted(OTHER, []) == {
        f"student-10{student}-photo-{number}": f"students/student-10{student}/photo-{number}.jpg"
        for student in (1, 2)
        for number in (1, 2, 3)
    }
    moved = "UPDATE students SET aws_collection_id = 'tests-2' WHERE id = 'student-001'"
    assert len(wanted(OTHER, [], change=moved)) == 9


def test_lost_rows_are_made_up_for_by_the_keys_of_the_students(wanted: Callable[..., dict[str, str]]) -> None:
    stored = [key("student-001-photo-1"), key("student-101-photo-2"), key("gone-photo-1"), "students/student-001/a.txt"]
    found = wanted(PLACE, stored, change="DELETE FROM student_faces")
    assert found == {"student-001-photo-1": stored[0]}


def test_without_students_only_one_collection_can_be_meant(wanted: Callable[..., dict[str, str]]) -> None:
    empty, stored = "TRUNCATE students CASCADE", [key("gone-photo-1"), "students/x"]
    assert wanted(PLACE, stored, is_only=True, change=empty) == {"gone-photo-1": stored[0]}
    with pytest.raises(EduguardError, match="nothing says which photos belong in tests"):
        wanted(PLACE, stored, change=empty)
