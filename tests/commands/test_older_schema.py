"""Rows seeded at an older version of the schema survive the migrations that follow."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
Inv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
def test_rows_seeded_at_an_older_version_are_migrated_and_synced(inv: Inv, full: Database, tmp_path: Path) -> None:
    older = tmp_path / "seed_data"
    shutil.copytree(ROOT / "seed_data", older)
    (older / "00_schools.yaml").unlink()  # a table of 0005; below, its column
    students = older / "09_students.yaml"
    students.write_text(re.sub(r"(?m)^  school_id: .*\n", "", students.read_text()))
    faces = older / "10_student_faces.yaml"
    faces.write_text(re.sub(r"(?m)^  external_image_id: .*\n", "", faces.read_text()))  # a column of 0003

    assert "0 students" in inv("reset", "--to", "2", "--confirm", full.name).stdout
    refused = inv("seed", check=False)
    assert refused.returncode == 1
    assert f"error: {full.name} is older than the fixtures (0003_" in refused.stderr
    assert "pending): run `inv migrate` first\n" in refused.stderr
    assert "00_schools.yaml:1: there is no table schools" in refused.stderr
    assert "127 inserted" in inv("seed", INVOKE_SEED_FOLDER=str(older)).stdout, "nothing was kept of what was refused"
    assert "3 applied" in inv("migrate").stdout
    status = json.loads(inv("status", "--json").stdout)
    assert status["migrations"]["pending"] == []
    assert status["faces"]["placeholders"] == 24
    own = {"INVOKE_TARGETS_LOCAL_COLLECTION": "older", "INVOKE_TARGETS_LOCAL_BUCKET": "older"}
    with connect(full, purpose="tests") as conn:
        assert conn.execute("SELECT array_agg(id) FROM schools").fetchone() == (["school-001"],)
    inv("enrol", INVOKE_SEED_FOLDER=str(older), **own)
    assert "24 synced" in inv("sync-faces", "--confirm-collection", "older", **own).stdout, (
        "all rows that were there are of one school"
    )
    assert "24 of 24" in inv("verify", **own).stdout
    with connect(full, purpose="tests") as conn:
        assert conn.execute("SELECT count(DISTINCT external_image_id) FROM student_faces").fetchone() == (24,)


@pytest.mark.slow
def test_a_sync_at_an_older_version_names_the_migrations(inv: Inv, full: Database) -> None:
    inv("reset", "--to", "0002", "--confirm", full.name)
    for command in ("sync-faces", "seed", "seed-full"):
        refused = inv(command, check=False)
        assert (refused.returncode, refused.stderr.count("error: ")) == (1, 1)
        assert "`inv migrate`" in refused.stderr
    inv("migrate")
    assert "18 synced" in (done := inv("seed-full").stdout)
    assert "6 synced" in done


@pytest.mark.sampled("reset-0009")
@pytest.mark.parametrize("number", ["0009", "9", "-1", "x", "00x"])
@pytest.mark.parametrize("command", ["reset", "migrate", "rebuild"])
def test_a_migration_that_does_not_exist_is_refused_before_anything_is_built(
    inv: Inv, full: Database, command: str, number: str
) -> None:
    refused = inv(command, f"--to={number}", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"error: There is no migration {number}\n  The newest is 0005_add_schools." in refused.stderr
    assert json.loads(inv("status", "--json").stdout)["database"]["beside"] == []
