"""Faults: whatever breaks, the old database serves the same rows, and the next `inv full` succeeds."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from eduguard import cloud, postgres
from eduguard.database import Database, connect, read_value

ROOT = Path(__file__).parents[2]
Inv = Callable[..., subprocess.CompletedProcess[str]]
WHOLE_ROWS = """
SELECT md5(string_agg(r, E'\\n' ORDER BY r)) FROM (
    SELECT t::text AS r FROM students t
    UNION ALL SELECT t::text FROM student_faces t
    UNION ALL SELECT t::text FROM classes t
    UNION ALL SELECT t::text FROM class_enrollments t
    UNION ALL SELECT t::text FROM legal_guardians t
) rows
"""
# What a rebuild brings back the same: everything but the time at which a row was made or indexed.
CHECKSUM = """
SELECT md5(string_agg(r, E'\\n' ORDER BY r)) FROM (
    SELECT id || rut || first_name || last_name || birth_date || grade_id AS r FROM students
    UNION ALL SELECT id || student_id || external_image_id || face_id FROM student_faces
    UNION ALL SELECT t::text FROM classes t
    UNION ALL SELECT t::text FROM class_enrollments t
) rows
"""

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


def checksum(database: Database) -> str:
    with connect(database, purpose="tests") as conn:
        return str(read_value(conn, CHECKSUM))


def whole_rows(database: Database) -> str:
    with connect(database, purpose="tests") as conn:
        return str(read_value(conn, WHOLE_ROWS))


@pytest.fixture
def project(tmp_path: Path) -> dict[str, str]:
    for folder in ("migrations", "seed_data"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return {
        "INVOKE_MIGRATIONS_FOLDER": str(tmp_path / "migrations"),
        "INVOKE_SEED_FOLDER": str(tmp_path / "seed_data"),
    }


def test_a_broken_third_migration(inv: Inv, full: Database, project: dict[str, str]) -> None:
    before, untouched = checksum(full), whole_rows(full)
    third = next(Path(project["INVOKE_MIGRATIONS_FOLDER"]).glob("0002*[a-z].sql"))
    third = third.with_name(third.name.replace(".rollback", ""))
    third.write_text(third.read_text() + "\nSELECT nothing FROM nowhere;\n")
    done = inv("full", check=False, **project)
    assert (done.returncode, "0002_" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert whole_rows(full) == untouched
    inv("full")
    assert checksum(full) == before


def test_a_broken_last_fixture_row(inv: Inv, full: Database, project: dict[str, str]) -> None:
    before, untouched = checksum(full), whole_rows(full)
    last = max(Path(project["INVOKE_SEED_FOLDER"]).glob("*.yaml"))
    last.write_text(last.read_text() + "- {id: broken, nothing: 1}\n")
    done = inv("full", check=False, **project)
    assert (done.returncode, last.name in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert whole_rows(full) == untouched
    inv("full")
    assert checksum(full) == before


def test_the_cloud_cannot_be_reached(inv: Inv, full: Database) -> None:
    before, untouched = checksum(full), whole_rows(full)
    cut = {
        "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    done = inv("full", check=False, **cut)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert whole_rows(full) == untouched
    inv("full")
    assert checksum(full) == before


def test_the_servers_are_stopped(inv: Inv) -> None:
    folder = Path(tempfile.mkdtemp(prefix="eg-"))
    folder.chmod(0o711)
    own = {"DATABASE_URL": "", "INVOKE_STATE_FOLDER": str(folder)}
    try:
        inv("full", **own)
        url = postgres.read_status(folder / "postgres").url
        database = Database.from_url(url).named("eduguard")
        before = checksum(database)
        postgres.stop(folder / "postgres")
        cloud.stop(folder / "cloud")
        inv("full", **own)
        assert checksum(database) == before
    finally:
        inv("down", **own)
        shutil.rmtree(folder)
