"""For a misspelled name of any kind, the error suggests the right one."""

import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eduguard.postgres import Database
from eduguard.rebuild.publication import describe_live

Inv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.sampled("stauts-`inv status`", "sync-faces --dry-rum---dry-run", "enrol student-0001 PHOTO-student-001")
@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("stauts", "`inv status`"),
        ("photos chek", "`inv photos check`"),
        ("sync-faces --dry-rum", "--dry-run"),
        ("sync-faces --student student-0001", "student-001"),
        ("enrol student-0001 PHOTO", "student-001"),
        ("unenrol student-0001", "student-001"),
        ("attendance take class-1b-lenguage PHOTO", "class-1b-lenguaje"),
        ("attendance take class-1b-lenguaje PHOTO.jpg", "photo.jpg"),
        ("snapshot restore before-tripp", "before-trip"),
    ],
)
def test_a_near_name_is_suggested(school: Any, photo: Path, line: str, near: str) -> None:
    if "snapshot" in line:
        school.inv("snapshot", "save", "before-trip")
    done = school.inv(*line.replace("PHOTO", str(photo)).split(), check=False)
    assert done.returncode == 1
    assert "Did you mean" in done.stderr
    assert near in done.stderr.partition("Did you mean")[2], done.stderr


def test_a_near_target_is_suggested(inv: Inv, database: Database) -> None:
    done = inv("status", check=False, INVOKE_TARGET="stagin")
    assert "Did you mean staging?" in done.stderr


def test_a_student_that_nobody_knows_is_not_unenrolled(school: Any) -> None:
    done = school.inv("unenrol", "nobody", "--yes", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: No such student: nobody\n")


def test_version_names_what_is_at_work(inv: Inv, database: Database) -> None:
    shown = inv("version").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["eduguard", "Python", "PostgreSQL"]
    assert shown[1].split()[1] == platform.python_version()
    assert re.fullmatch(r"PostgreSQL +[0-9.]+.* \(target local\)", shown[2])


def test_what_is_live_is_told(database: Database, empty_database: Database) -> None:
    assert describe_live(empty_database).startswith(f"{database.name} is live.")
    assert describe_live(database.named("no_such_school")) == "There is no no_such_school yet."
