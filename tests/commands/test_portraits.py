"""The proof: enrol everybody from one picture, drop the database, and take attendance from other pictures.

The drawn pictures belong to the project. The portraits of real people do not; if they are not beside the checkout, only
that set is skipped.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DRAWN = ROOT / "seed_data" / "photos"
FACES = ROOT.parent / "shared" / "faces"
School = Any  # of conftest.py
Pictures = dict[Path, list[str]]


def drawn() -> tuple[dict[str, Path], Pictures]:
    """One picture of each student to enrol, and the students on the other pictures."""
    students = [f"student-00{number}" for number in range(1, 7)]
    folder = DRAWN / "students"
    others = {folder / student / f"photo-{number}.jpg": [student] for student in students for number in (2, 3)}
    group = {DRAWN / "classes" / "class-1b-lenguaje.jpg": students}
    return {student: folder / student / "photo-1.jpg" for student in students}, others | group


def portraits() -> tuple[dict[str, Path], Pictures]:
    """The same for real portraits."""
    if not (FACES / "labels.json").exists():
        pytest.skip(f"attendance is NOT tried on real portraits: there are none in {FACES}")
    labels: dict[str, list[str]] = json.loads((FACES / "labels.json").read_text())
    people = sorted({name for names in labels.values() for name in names})
    students = {name: f"student-00{number}" for number, name in enumerate(people, start=1)}
    others = {
        FACES / picture: sorted(students[name] for name in names)
        for picture, names in labels.items()
        if not picture.endswith("-1.jpg")
    }
    return {student: FACES / f"{name}-1.jpg" for name, student in students.items()}, others


def enrol(school: School, first: dict[str, Path], folder: Path) -> None:
    """Enrol one picture each; then drop the database, seed and sync."""
    for student, picture in first.items():
        file = folder / "photos" / "students" / student / "photo-4.jpg"
        file.parent.mkdir(parents=True)
        shutil.copy(picture, file)
    school.inv("enrol", "--from", str(folder / "photos"), "--users")
    seeds = folder / "seeds"
    shutil.copytree(ROOT / "seed_data", seeds)
    rows = [
        {
            "id": f"{student}-photo-4",
            "student_id": student,
            "external_image_id": f"{student}-photo-4",
            "photo_url": f"students/{student}/photo-4.jpg",
        }
        for student in first
    ]
    (seeds / "10_student_faces.yaml").write_text(yaml.safe_dump(rows))
    school.inv("reset", "--confirm", school.database.name)
    done = school.inv("seed-full", "--school", "school-001", INVOKE_SEED_FOLDER=str(seeds))
    assert f"{len(first)} synced, 0 unchanged, 0 not in" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--users",)], ids=["faces", "users"])
@pytest.mark.parametrize("pictures", [drawn, portraits])
def test_the_right_people_are_present_in_every_other_picture_and_nobody_else(
    school: School, tmp_path: Path, pictures: Any, flags: tuple[str, ...]
) -> None:
    first, others = pictures()
    enrol(school, first, tmp_path)
    for picture, students in others.items():
        done = school.inv("attendance", "take", "class-1b-lenguaje", str(picture), "--json", *flags)
        report = json.loads(done.stdout)
        present = sorted(entry["student_id"] for entry in report["students"] if entry["status"] == "present")
        assert present == students, (picture, report)
