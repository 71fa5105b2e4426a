"""Real portraits: enrolled from one picture each, recognised in others, alone and in a group.

The pictures are no part of the project; where they are not beside the checkout, this is skipped.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FACES = ROOT.parent / "shared" / "faces"
School = Any  # of conftest.py

if not (FACES / "labels.json").exists():
    pytest.skip(f"attendance is NOT tried on real portraits: there are none in {FACES}", allow_module_level=True)

LABELS: dict[str, list[str]] = json.loads((FACES / "labels.json").read_text())
PEOPLE = sorted({name for names in LABELS.values() for name in names})
STUDENTS = {name: f"student-00{number}" for number, name in enumerate(PEOPLE, start=1)}


@pytest.fixture
def portraits(school: School, tmp_path: Path) -> School:
    """Everybody enrolled from one picture; then the database thrown away, seeded and synced."""
    for name, student in STUDENTS.items():
        school.inv("enrol", student, str(FACES / f"{name}-1.jpg"), "--users")
    seeds = tmp_path / "seeds"
    shutil.copytree(ROOT / "seed_data", seeds)
    rows = [
        {
            "id": f"{student}-photo-4",
            "student_id": student,
            "external_image_id": f"{student}-photo-4",
            "photo_url": f"students/{student}/photo-4.jpg",
        }
        for student in STUDENTS.values()
    ]
    (seeds / "10_student_faces.yaml").write_text(yaml.safe_dump(rows))
    school.inv("reset", "--confirm", school.database.name)
    assert "4 synced, 0 unchanged, 0 not in" in school.inv("seed-full", INVOKE_SEED_FOLDER=str(seeds)).stdout
    return school


@pytest.mark.parametrize("flags", [(), ("--users",)], ids=["faces", "users"])
def test_the_right_people_are_present_in_every_other_picture_and_nobody_else(
    portraits: School, flags: tuple[str, ...]
) -> None:
    for picture, names in LABELS.items():
        if not picture.endswith("-1.jpg"):
            done = portraits.inv("attendance", "take", "class-1b-lenguaje", "--json", str(FACES / picture), *flags)
            report = json.loads(done.stdout)
            present = sorted(entry["student_id"] for entry in report["students"] if entry["status"] == "present")
            assert present == sorted(STUDENTS[name] for name in names), (picture, report)
