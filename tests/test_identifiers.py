"""External image ids and photo keys are spelled in one place, and can be read back."""

import re
from pathlib import Path

import pytest

from eduguard.identifiers import external_image_id, photo_key, photos_prefix, split_external_image_id, split_photo_key

LIB = Path(__file__).parents[1] / "lib" / "eduguard"


@pytest.mark.parametrize("student", ["student-001", "a", "a-photo-1", "x.y:z_0"])
@pytest.mark.parametrize("number", [1, 9, 10, 12345])
def test_what_is_spelled_is_read_back(student: str, number: int) -> None:
    assert split_external_image_id(external_image_id(student, number)) == (student, number)
    assert split_photo_key(photo_key(student, number)) == (student, number)
    assert photo_key(student, number).startswith(photos_prefix(student))


@pytest.mark.parametrize(
    "key",
    [
        "students/student-001/photo-0.jpg",
        "students/student-001/photo-01.jpg",
        "students/student-001/photo-1.jpeg",
        "students/student-001/photo-1.jpg\n",
        "students/a/b/photo-1.jpg",
        "students//photo-1.jpg",
        "students/ñ/photo-1.jpg",
        "students/student-001/",
        "classes/student-001/photo-1.jpg",
    ],
)
def test_other_keys_are_not_a_students_photo(key: str) -> None:
    assert split_photo_key(key) is None


def test_no_other_module_spells_an_identifier() -> None:
    spelled = re.compile(r"students/|-photo-|photo-\{|= .placeholder.")
    modules = [path for path in LIB.rglob("*.py") if path.name != "identifiers.py"]
    found = [
        f"{path.relative_to(LIB)}: {line.strip()}"
        for path in modules
        for line in path.read_text().splitlines()
        if spelled.search(line.partition("#")[0])
    ]
    assert found == []
