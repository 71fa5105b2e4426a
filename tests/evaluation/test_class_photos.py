"""Labels of class photos are read strictly, and compared with the recognised students."""

from pathlib import Path

import pytest

from eduguard.aws import Box
from eduguard.errors import EduguardError
from eduguard.evaluation import read_labels, score_sightings
from eduguard.students import Likeness, Sighting, Stranger

BOX = Box(left=0, top=0, width=1, height=1)


def folder(path: Path, labels: str) -> Path:
    (path / "monday.jpg").touch()
    (path / "labels.csv").write_text(labels, encoding="utf-8")
    return path


def test_labels_name_the_students_of_each_photo(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    labels = "\ufeffphoto,student\nmonday.jpg,student-001\n\nmonday.jpg, student-002\nempty.jpg,\n"
    assert read_labels(folder(tmp_path, labels)) == {
        tmp_path / "monday.jpg": {"student-001", "student-002"},
        tmp_path / "empty.jpg": frozenset(),
    }


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("", "labels.csv:1: the columns are missing"),
        ("file,name\n", "labels.csv:1: the columns are file,name"),
        ("photo,student\n", "labels.csv names no photo"),
        ("photo,student\nmonday.jpg\n", "labels.csv:2: a photo and a student are expected"),
        ("photo,student\n,student-001\n", "labels.csv:2: a photo and a student are expected"),
        ("photo,student\nmonday.jpg,a\ntuesday.jpg,a\n", "labels.csv:3: there is no photo "),
        ('photo,student\n"monday.jpg,a\n', "unexpected end of data"),
    ],
)
def test_labels_of_another_form_are_refused_with_their_line(tmp_path: Path, labels: str, message: str) -> None:
    with pytest.raises(EduguardError, match=message):
        read_labels(folder(tmp_path, labels))


def test_a_folder_without_labels_is_refused_with_the_form(tmp_path: Path) -> None:
    with pytest.raises(EduguardError, match="Cannot read .*labels.csv: No such file") as refused:
        read_labels(tmp_path)
    assert "photo,student" in str(refused.value.hint)


def sighting(photo: int, student: str | None, similarity: float) -> Sighting:
    likeness = Likeness(student_id=student, face_id="f", similarity=similarity) if student else None
    return Sighting(photo=photo, box=BOX, likeness=likeness)


def test_a_student_who_is_not_in_the_photo_is_a_false_accept_and_one_who_is_not_seen_a_false_reject() -> None:
    seen = [
        sighting(0, "a", 99.0),
        sighting(0, "a", 90.0),  # another face of the same photo, which counts once
        sighting(0, "c", 97.0),
        sighting(0, None, 0.0),
        sighting(1, "a", 96.0),
        Sighting(photo=1, box=BOX, likeness=Stranger(name="x", student_id=None, similarity=99.0)),
    ]
    scores = score_sightings([frozenset({"a", "b"}), frozenset()], seen)
    assert (scores.photos, scores.faces, scores.own.total) == (2, 6, 2)
    assert scores.own.count_from([95.0, 99.5]) == [1, 0]
    assert scores.strangers.count_from([95.0, 96.5, 98.0]) == [2, 1, 0]
