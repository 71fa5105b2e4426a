"""If AWS throttles, fails or shows new faces late, photos and faces still arrive once, and can still be removed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

CLASS_PHOTO = Path(__file__).parents[2] / "seed_data" / "photos" / "classes" / "class-1b-lenguaje.jpg"
School = Any  # of conftest.py
NewPhoto = Callable[..., Path]


@pytest.fixture
def faults(tell_cloud: Callable[..., None]) -> Callable[..., AbstractContextManager[None]]:
    """Switch on faults in the local cloud."""

    @contextmanager
    def bad_day(**faults: Any) -> Iterator[None]:
        tell_cloud(**faults)
        try:
            yield
        finally:
            tell_cloud()

    return bad_day


@pytest.mark.slow
@pytest.mark.fault
def test_throttling_loses_no_photo(school: School, new_photo: NewPhoto, tmp_path: Path, faults: Any) -> None:
    for number in (1, 2):
        new_photo(tmp_path / "students" / "student-001" / f"photo-{number + 3}.jpg", "student-001", number)
        new_photo(tmp_path / "students" / "student-002" / f"photo-{number + 3}.jpg", "student-002", number)
    with faults(throttle=2, operation="IndexFaces"):
        assert "4 photos: 4 enrolled" in school.inv("enrol", "--from", str(tmp_path)).stdout
    school.assert_enrolled(*(f"student-00{student}-photo-{number}" for student in (1, 2) for number in (4, 5)))


@pytest.mark.slow
@pytest.mark.fault
def test_a_photo_that_aws_failed_to_index_is_finished_later(school: School, photo: Path, faults: Any) -> None:
    flags = ("enrol", "student-001", str(photo))
    with faults(fail=1000, operation="IndexFaces"):
        done = school.inv(*flags, check=False)
    assert (done.returncode, "InternalServerError" in done.stderr) == (1, True), done.stderr
    assert (school.keys(), school.rows()) == (["students/student-001/photo-4.jpg"], [])
    assert "1 enrolled" in school.inv(*flags).stdout
    school.assert_enrolled("student-001-photo-4")


@pytest.mark.slow
def test_a_face_that_is_not_listed_yet_is_still_removed(school: School, photo: Path, faults: Any) -> None:
    with faults(visibility_delay=600):
        school.inv("enrol", "student-001", str(photo), "--users")
        assert school.faces() == []
        school.inv("unenrol", "student-001", "--yes")
    school.assert_enrolled()
    assert school.collection.list_users() == set()


@pytest.mark.slow
@pytest.mark.fault
def test_throttling_makes_nobody_absent(school: School, faults: Any) -> None:
    school.inv("enrol")
    assert "18 synced" in school.inv("sync-faces").stdout
    with faults(throttle=2):
        report = school.inv("attendance", "take", "class-1b-lenguaje", str(CLASS_PHOTO))
    assert "6 present, 0 absent" in report.stdout
