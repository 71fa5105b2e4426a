"""A hint suggests names that resemble the typed word; a failure has a code and a place for programs."""

import pytest

from eduguard.errors import EduguardError, suggest
from eduguard.students import check_keys


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("student-0001", ["student-001", "class-1"], "Did you mean student-001? Look there."),
        ("prodution", ["production", "local"], "Did you mean production? Look there."),
        ("nobody", ["student-001"], "Look there."),
        ("nobody", [], "Look there."),
    ],
)
def test_a_near_name_comes_first(word: str, known: list[str], hint: str) -> None:
    assert suggest(word, known, "Look there.") == hint


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert suggest("a.jpg", ["zzz.png"]) == ""


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ("seed_data/09_students.yaml:12: not a date", "seed_data/09_students.yaml:12"),
        ("0104_breaks.sql:2:13: relation does not exist", "0104_breaks.sql:2"),
        ("invoke.yaml: limit is not known", "invoke.yaml"),
        ("Cannot connect to http://127.0.0.1:9000: refused", None),
        ("Not a student's photo: a.jpg", None),
    ],
)
def test_the_place_of_a_failure_is_the_file_that_its_message_begins_with(message: str, place: str | None) -> None:
    assert EduguardError(message).as_json()["place"] == place
    assert EduguardError(message, place="students").as_json()["place"] == "students"


def test_the_code_of_a_failure_is_the_given_word_or_the_room_that_raised() -> None:
    with pytest.raises(EduguardError) as raised:
        check_keys(["../a.jpg"])
    assert raised.value.code == "students"
    assert EduguardError("nothing raised it").code == "failed"
    assert EduguardError("known", code="locked").code == "locked"
