"""Rows seeded at an older version of the schema survive the migrations that follow."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
Inv = Callable[..., subprocess.CompletedProcess[str]]


def test_rows_seeded_at_an_older_version_are_migrated_and_synced(inv: Inv, full: Database, tmp_path: Path) -> None:
    older = tmp_path / "seed_data"
    shutil.copytree(ROOT / "seed_data", older, ignore=shutil.ignore_patterns("photos"))
    faces = older / "10_student_faces.yaml"
    faces.write_text(re.sub(r"(?m)^  external_image_id: .*\n", "", faces.read_text()))  # a column of 0003

    assert "0 students" in inv("reset", "--to", "0002").stdout
    refused = inv("seed", check=False)
    assert refused.returncode == 1
    assert re.search(r"10_student_faces\.yaml:4: .*external_image_id", refused.stderr)
    assert "113 inserted" in inv("seed", INVOKE_SEED_FOLDER=str(older)).stdout, "nothing was kept of what was refused"
    assert "2 applied" in inv("migrate").stdout
    status = json.loads(inv("status", "--json").stdout)
    assert status["migrations"]["pending"] == []
    assert status["faces"]["placeholders"] == 18
    assert "18 synced" in inv("sync-faces").stdout
    assert "18 of 18" in inv("verify").stdout
    with connect(full, purpose="tests") as conn:
        assert conn.execute("SELECT count(DISTINCT external_image_id) FROM student_faces").fetchone() == (18,)
