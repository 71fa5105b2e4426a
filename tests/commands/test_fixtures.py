"""Enrolled students survive a `full`: `inv fixtures save` writes their rows into the fixtures, but never real data."""

import difflib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eduguard.postgres import Database, connect
from eduguard.rebuild import mark

from .conftest import School

ROOT = Path(__file__).parents[2]
Inv = Callable[..., subprocess.CompletedProcess[str]]
READ = "SELECT array_agg((id, student_id, external_image_id, face_id, photo_url)::text ORDER BY id) FROM student_faces"


class Checkout:
    """A school made by us whose fixtures a test may change."""

    def __init__(self, school: School, folder: Path) -> None:
        self.school, self.folder = school, folder
        self.before = self.texts()

    def inv(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.school.inv(*words, **({"INVOKE_SEED_FOLDER": str(self.folder)} | options))

    def texts(self) -> dict[str, str]:
        return {file.name: file.read_text() for file in sorted(self.folder.glob("*.*"))}

    def diff(self) -> list[str]:
        """The lines that git diff would show."""
        found = []
        for name, text in self.texts().items():
            lines = difflib.ndiff(self.before.get(name, "").splitlines(), text.splitlines())
            found += [line for line in lines if line[0] in "+-"]
        return found


def mark_as_ours(database: Database, command: str = "inv full") -> None:
    with connect(database, purpose="tests") as conn, conn.transaction():
        live = replace(database, target="local")
        mark.write_mark(conn, live, command=command, inputs=None, replaces=None, written={})


@pytest.fixture
def checkout(school: School, tmp_path: Path) -> Checkout:
    folder = tmp_path / "seed_data"
    shutil.copytree(ROOT / "seed_data", folder)
    mark_as_ours(school.database)
    return Checkout(school, folder)


def test_an_enrolled_photo_survives_a_full(checkout: Checkout, photo: Path, value: Callable[..., Any]) -> None:
    checkout.inv("full")
    done = checkout.inv("enrol", "student-001", str(photo))
    assert done.stderr.endswith(
        "`inv full` forgets rows that are not saved: `inv fixtures save` writes them into seed_data\n"
    )
    said = checkout.inv("fixtures", "save").stdout
    assert said == (
        "save       student_faces: 1 added, 0 changed, 0 removed in 10_student_faces.yaml\n"
        "save       1 file written; 11 tables are as their fixtures say\n"
    )
    assert f"$ inv fixtures save\n{said}```" in (ROOT / "docs" / "fixtures.md").read_text()
    assert checkout.diff() == [
        "+ - id: student-001-photo-4",
        "+   student_id: student-001",
        "+   external_image_id: student-001-photo-4",
        "+   photo_url: students/student-001/photo-4.jpg",
    ]
    assert (
        checkout.inv("fixtures", "save").stdout == "save       0 files written; 12 tables are as their fixtures say\n"
    )
    before = value(checkout.school.database, READ)
    assert "student-001-photo-4" in str(before)
    checkout.inv("full")
    assert value(checkout.school.database, READ) == before


def test_a_student_who_was_removed_is_removed_from_the_fixtures(checkout: Checkout) -> None:
    checkout.inv("unenrol", "student-001", "--yes")
    checkout.inv("fixtures", "save")
    assert [line for line in checkout.diff() if line.startswith("+")] == []
    assert [line for line in checkout.diff() if " id: " in line] == [f"- - id: face-001-{n}" for n in (1, 2, 3)]


def test_a_dry_run_writes_nothing_and_json_says_what_would_be_written(
    checkout: Checkout, value: Callable[..., Any]
) -> None:
    with connect(checkout.school.database, purpose="tests") as conn:
        conn.execute("UPDATE stages SET name = 'Enseñanza Media' WHERE name = 'Educación Media'")
        conn.execute("INSERT INTO sessions (id, class_id, starts_at) SELECT 's', id, now() FROM classes LIMIT 1")
    found = json.loads(checkout.inv("fixtures", "save", "--dry-run", "--json").stdout)
    file = str(checkout.folder / "01_stages.yaml")
    assert found == {
        "database": checkout.school.database.name,
        "is_written": False,
        "tables": [{"table": "stages", "file": file, "added": 0, "changed": 1, "removed": 0}],
        "unchanged": 11,
        "columns_left_out": [],
        "tables_without_fixture": ["sessions"],
    }
    assert checkout.diff() == []
    done = checkout.inv("fixtures", "save", "sessions", "--dry-run")
    assert "sessions: 1 added, 0 changed, 0 removed in 12_sessions.yaml" in done.stdout


@pytest.mark.parametrize("level", ["confirm", "refuse"])
def test_rows_of_a_protected_target_are_not_saved(checkout: Checkout, level: str) -> None:
    done = checkout.inv("fixtures", "save", check=False, INVOKE_TARGETS_LOCAL_PROTECTION=level)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the protection of target local is `{level}`, not `open`\n  Fixtures are kept in git" in done.stderr
    assert checkout.diff() == []


def test_rows_that_came_from_elsewhere_are_not_saved(checkout: Checkout) -> None:
    mark_as_ours(checkout.school.database, "inv load production --confirm-plain school")
    done = checkout.inv("fixtures", "save", check=False)
    assert "was made by `inv load production --confirm-plain school`: its rows came from another" in done.stderr
    with connect(checkout.school.database, purpose="tests") as conn:
        conn.execute("DROP TABLE eduguard.origin")
    done = checkout.inv("fixtures", "save", check=False)
    assert "was not made by EduGuard DB: it may be a copy of another one" in done.stderr
    done = checkout.inv(
        "fixtures", "save", check=False, DATABASE_URL="postgresql://me@192.0.2.1:9/school?connect_timeout=1"
    )
    assert (done.returncode, checkout.diff()) == (1, [])


def test_a_database_that_is_older_than_the_fixtures_is_named(checkout: Checkout) -> None:
    checkout.inv("reset", "--to", "0003")
    done = checkout.inv("fixtures", "save", check=False)
    assert "is older than the fixtures (0004_leave_room_for_face_ids" in done.stderr
    assert checkout.diff() == []


@pytest.mark.slow
def test_an_interrupted_save_is_named_by_full_and_ended_by_the_next_save(checkout: Checkout) -> None:
    stages = checkout.folder / "01_stages.yaml"
    (checkout.folder / ".saved").mkdir()
    (checkout.folder / ".saved" / stages.name).write_text(stages.read_text() + "# new\n")
    done = checkout.inv("seed", "--dry-run", check=False)
    assert (done.returncode, "`inv fixtures save` moves the others into place first" in done.stderr) == (1, True)
    assert "were moved into" in checkout.inv("fixtures", "save").stderr
    assert checkout.diff() == ["+ # new"]
    checkout.inv("seed", "--dry-run")
