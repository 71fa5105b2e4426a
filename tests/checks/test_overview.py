"""`inv status` summarises any report in at most ten lines."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.checks import summarise
from eduguard.postgres import Database

ROOT = Path(__file__).parents[2]
Inv = Any  # of conftest.py

count = st.none() | st.integers(0, 3)
schools = st.dictionaries(
    st.text("abc-1", min_size=1, max_size=9),
    st.builds(
        lambda rows, there: {"rows": rows, "placeholders": rows, "in_collection": there, "collection": "faces"},
        count,
        count,
    ),
    max_size=12,
)


def report(**changes: Any) -> dict[str, Any]:
    return {
        "target": "local",
        "protection": "open",
        "database": {"name": "eduguard", "is_running": True, "exists": True, "beside": []},
        "cloud": {"endpoint": None, "folder": "/cloud"},
        "migrations": {"applied": ["0000_a", "0001_b"], "pending": [], "problem": None},
        "rows": {"students": 1200, "student_faces": 1300},
        "faces": {"placeholders": 0, "in_collection": 1300},
        "schools": {},
    } | changes


@given(schools, st.lists(st.sampled_from(["eduguard_previous", "eduguard_template_1", "eduguard_unfinished_2"])))
def test_there_are_at_most_ten_lines_of_one_line_each(found: dict[str, Any], beside: list[str]) -> None:
    database = {"name": "eduguard", "is_running": True, "exists": True, "beside": beside}
    lines = summarise(report(schools=found, database=database))
    assert len(lines) <= 10
    assert all("\n" not in f"{name}{text}" for name, text in lines.items())


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        ({}, "faces", "1,300 rows, all linked; 1,300 in the collections"),
        ({}, "database", "eduguard: 2,500 rows in 2 tables"),
        ({}, "migrations", "2 applied, none pending"),
        ({}, "cloud", "stopped: `inv up` starts it"),
        (
            {"faces": {"placeholders": 7, "in_collection": None}},
            "faces",
            "1,300 rows, 7 wait for their FaceId: `inv sync-faces`; unknown how many in the collections",
        ),
        (
            {"migrations": {"applied": ["0000_a"], "pending": ["0001_b", "0002_c"], "problem": None}},
            "migrations",
            "1 applied, 2 pending from 0001_b: `inv migrate` applies them",
        ),
    ],
)
def test_each_line_says_what_is_and_what_to_run(changes: dict[str, Any], name: str, text: str) -> None:
    assert summarise(report(**changes))[name] == text


def test_of_many_schools_those_that_are_not_right_are_named() -> None:
    right = {"rows": 3, "placeholders": 0, "in_collection": 3, "collection": "faces"}
    found = {f"school-{number}": right for number in range(9)} | {"school-bad": {**right, "in_collection": 2}}
    lines = summarise(report(schools=found))
    assert [name for name in lines if name.startswith("school")] == ["school-bad"]
    assert lines["school-bad"] == "3 rows, 0 not linked; 2 faces in faces"


@pytest.mark.slow
def test_a_missing_database_and_stopped_servers_are_said(inv: Inv, database: Database) -> None:
    assert f"{database.name} does not exist: `inv full` makes it\n" in inv("status").stdout
    with tempfile.TemporaryDirectory(prefix="eg-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's account can reach it
        said = inv("status", INVOKE_STATE_FOLDER=folder, DATABASE_URL="").stdout
    assert "the server is stopped: `inv up` starts it\n" in said


@pytest.mark.slow
def test_status_answers_after_an_applied_migration_was_edited(inv: Inv, full: Database, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    own = {"INVOKE_MIGRATIONS_FOLDER": str(tmp_path / "migrations")}
    file = next((tmp_path / "migrations").glob("0002_*_drilldown.sql"))
    file.write_text(f"{file.read_text()}-- edited\n")
    said = inv("status", **own).stdout
    assert "Edited after being applied: 0002_add_grade_sections_attendance_drilldown Put the change into" in said
    assert f"{full.name}: 129 rows in 14 tables" in said
    assert (
        "rebuild the database with `inv reset`"
        in json.loads(inv("status", "--json", **own).stdout)["migrations"]["problem"]
    )


@pytest.mark.slow
def test_verbose_shows_every_value(inv: Inv, full: Database) -> None:
    assert len(inv("status").stdout.splitlines()) <= 10
    said = inv("status", "--verbose").stdout
    assert "migrations.applied" in said
    assert "rows.student_faces" in said
