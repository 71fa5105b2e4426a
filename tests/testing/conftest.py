"""Tests of another application: files in a folder, run by pytest in a separate process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "seed_data" / "photos" / "students"
Suite = Callable[..., subprocess.CompletedProcess[str]]

_STUDENT = "{id: %s, school_id: school-001, rut: %s, first_name: %s, last_name: L, birth_date: 2019-03-14, grade_id: g, legal_guardian_id: p}"
# Two students of one school, one of them with a photo.
_FIXTURES = {
    "0_schools": "- {id: school-001, name: Uno}",
    "1_stages": "- {id: stage, name: Básica, position: 1}",
    "2_grades": "- {id: g, stage_id: stage, name: Primero, position: 1}",
    "3_legal_guardians": "- {id: p, rut: 13456789-9, first_name: P, last_name: L, email: p@example.invalid, phone: '+56912345001'}",
    "4_students": f"- {_STUDENT % ('student-001', '25678901-9', 'A')}\n- {_STUDENT % ('student-002', '25812347-6', 'B')}",
    "5_student_faces": "- {id: face-1, student_id: student-001, external_image_id: student-001-photo-1,"
    " photo_url: students/student-001/photo-1.jpg}",
}


@pytest.fixture
def suite(tmp_path: Path, state_folder: Path, server_url: str) -> Suite:
    """Run the files of a test suite, by name, in a folder with a small school beside them."""
    assert server_url
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    for name, rows in _FIXTURES.items():
        (tmp_path / "small").mkdir(exist_ok=True)
        (tmp_path / "small" / f"{name}.yaml").write_text(rows)
    photo = tmp_path / "small" / "photos" / "students" / "student-001" / "photo-1.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes((PHOTOS / "student-001" / "photo-1.jpg").read_bytes())

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path,
            env=os.environ | {"INVOKE_STATE_FOLDER": str(state_folder)} | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run
