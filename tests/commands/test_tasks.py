"""The tasks as a user runs them: a process, its output, its exit status, and what the database holds afterwards."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import open_bucket, open_collection
from eduguard.checks.verification import disguise
from eduguard.postgres import Database, connect, exists

ROOT = Path(__file__).parents[2]
Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")

CHECKSUM = """
SELECT md5(string_agg(r, E'\\n' ORDER BY r)) FROM (
    SELECT id || rut || first_name || last_name || birth_date || grade_id AS r FROM students
    UNION ALL SELECT id || student_id || external_image_id || face_id FROM student_faces
    UNION ALL SELECT c::text FROM classes c
) rows
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of migrations and seeds that a test may break."""
    for folder in ("migrations", "seed_data"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def broken(inv: Inv, project: Path) -> Inv:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        folders = {
            "INVOKE_MIGRATIONS_FOLDER": str(project / "migrations"),
            "INVOKE_SEED_FOLDER": str(project / "seed_data"),
        }
        return inv(*arguments, check=False, **folders, **environment)

    return run


def lines(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {step: text for step, _, text in (line.partition(" ") for line in done.stdout.splitlines())}


def test_full_builds_everything_and_a_second_run_as_well(inv: Inv, database: Database, value: Any) -> None:
    own = {
        "INVOKE_TARGETS_LOCAL_COLLECTION": "first-run",
        "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": "first-run-2",
        "INVOKE_TARGETS_LOCAL_BUCKET": "first-run",
    }
    first, second = inv("full", **own), inv("full", **own)
    assert [line.split()[0] for line in first.stdout.splitlines()] == [
        "enrol", "rebuild", "migrate", "seed", "sync", "sync", "publish", "full", "verify",
    ]  # fmt: skip
    assert "24 photos: 24 uploaded, 24 faces indexed" in lines(first)["enrol"]
    assert "enrol" not in lines(second)
    for done in (first, second):
        for synced in ("first-run: 18 synced", "first-run-2: 6 synced"):
            assert f"sync       {synced}, 0 unchanged, 0 not in collection, 0 in collection only" in done.stdout
        assert "8 of 8 photos recognised" in lines(done)["verify"]
        assert lines(done)["full"].endswith("is ready: 8 students, 24 faces, 0 placeholders")
    assert value(database, "SELECT count(DISTINCT face_id) FROM student_faces WHERE face_id <> 'placeholder'") == 24


def test_the_same_faces_come_back_after_a_reset(inv: Inv, full: Database, value: Any) -> None:
    before = value(full, CHECKSUM)
    inv("reset")
    assert value(full, "SELECT count(*) FROM students") == 0
    inv("seed-full")
    assert value(full, CHECKSUM) == before


@pytest.mark.slow
def test_every_task_run_again_changes_nothing_and_says_so(inv: Inv, full: Database, value: Any) -> None:
    before = value(full, CHECKSUM)
    assert "nothing is pending" in inv("migrate").stdout
    assert "129 rows in 12 tables: 0 inserted, 0 updated, 129 unchanged" in inv("seed").stdout
    assert "0 synced, 18 unchanged, 0 not in collection, 0 in collection only" in inv("sync-faces").stdout
    assert "all in the bucket and in the collection already" in inv("enrol").stdout
    assert value(full, CHECKSUM) == before


def test_seed_full_reaches_sync_with_the_collection_named(inv: Inv, full: Database) -> None:
    done = inv("seed-full", "--collection", "nowhere", check=False)
    assert done.returncode == 1
    assert "No school has its faces in collection nowhere, but in: tests, tests-2" in done.stderr


@pytest.mark.slow
def test_full_hands_its_flags_to_the_steps(inv: Inv, full: Database) -> None:
    own = {"INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": "handed-on"}
    flags = ("--school", "school-002", "--yes", "--confirm-collection", "handed-on")
    done = inv("full", *flags, check=False, **own)
    assert "6 faces indexed" in done.stdout
    assert re.findall(r"(?m)^sync +(\S+): 6 synced", done.stdout) == ["handed-on"]
    report = json.loads(inv("status", "--json", "--collection", "handed-on", **own).stdout)
    assert report["faces"] == {"placeholders": 18, "in_collection": 6}
    assert done.returncode == 2
    assert "18 of 24 rows" in done.stderr
    assert "Only school-002 was synced; link the others: INVOKE_TARGET=local inv sync-faces\n" in done.stderr
    assert "18 synced" in inv("sync-faces", **own).stdout
    assert json.loads(inv("status", "--json", **own).stdout)["faces"]["placeholders"] == 0


def test_a_dry_run_shows_the_sync_and_writes_nothing(inv: Inv, full: Database, value: Any) -> None:
    inv("reset", "seed")
    assert "18 to sync, 0 unchanged" in inv("sync-faces", "--dry-run").stdout
    assert value(full, "SELECT count(*) FROM student_faces WHERE face_id = 'placeholder'") == 24


@pytest.mark.slow
def test_a_check_tells_drift_from_order_by_its_exit_status(inv: Inv, full: Database, value: Any) -> None:
    assert inv("sync-faces", "--check").returncode == 0
    inv("reset", "seed")
    done = inv("sync-faces", "--check", check=False)
    assert done.returncode == 2
    assert value(full, "SELECT count(*) FROM student_faces WHERE face_id = 'placeholder'") == 24


@pytest.mark.slow
def test_the_plan_is_shown_before_it_is_applied_as_many_items_as_fit(inv: Inv, full: Database) -> None:
    inv("reset", "seed")
    first = ("sync-faces", "--school", "school-001")
    shown = inv(*first).stdout.splitlines()
    assert len(shown) == 19
    assert re.fullmatch(r"plan       \+ student-001-photo-1: [0-9a-f-]{36}", shown[0])
    assert shown[-1].startswith("sync")
    assert len(inv(*first).stdout.splitlines()) == 1
    shown = inv(*first, "--verbose").stdout.splitlines()
    assert len(shown) == 19
    assert re.fullmatch(r"plan       = student-001-photo-1: [0-9a-f-]{36}", shown[0])
    report = json.loads(inv(*first, "--dry-run", "--verbose", "--json").stdout)
    assert report["collections"][0]["items"] == [
        {"kind": "unchanged", "external_image_id": external, "before": face_id, "after": face_id, "holder": None}
        for external, face_id in (line.removeprefix("plan       = ").split(": ") for line in shown[:-1])
    ]


def test_all_collections_are_synced_and_the_failure_of_one_stops_none(inv: Inv, full: Database, value: Any) -> None:
    inv("reset", "seed")
    with connect(full, purpose="tests") as conn:
        conn.execute("UPDATE students SET aws_collection_id = 'nowhere' WHERE id = 'student-001'")
    done = inv("sync-faces", "--json", check=False)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert [each["counts"]["link"] for each in report["collections"]] == [15, 6]
    assert "There is no collection nowhere" in report["errors"][0]["message"]
    assert value(full, "SELECT count(*) FROM student_faces WHERE face_id = 'placeholder'") == 3


def test_verify_tries_every_photo_and_names_the_wrong_student(inv: Inv, full: Database) -> None:
    assert "24 of 24 photos recognised" in inv("verify").stdout
    with connect(full, purpose="tests") as conn, conn.transaction():
        conn.execute(
            "CREATE TEMP TABLE old AS SELECT * FROM student_faces WHERE student_id IN ('student-001', 'student-002')"
        )
        conn.execute("UPDATE student_faces f SET face_id = DEFAULT FROM old WHERE f.id = old.id")
        conn.execute(
            "UPDATE student_faces f SET face_id = o.face_id FROM old o "
            "WHERE o.id = CASE WHEN f.student_id = 'student-001' THEN replace(f.id, '001', '002') ELSE replace(f.id, '002', '001') END "
            "AND f.student_id IN ('student-001', 'student-002')"
        )
    done = inv("verify", check=False)
    assert done.returncode == 2
    assert "6 of 24 photos not recognised" in done.stderr
    assert "students/student-001/photo-1.jpg of student-001: taken for student-002" in done.stderr
    assert "6 synced, 12 unchanged" in inv("sync-faces", "--confirm-collection", "tests").stdout
    assert "24 of 24 photos recognised" in inv("verify").stdout


@pytest.mark.slow
def test_full_says_what_is_live_and_names_every_photo_that_is_gone_or_taken_for_an_orphan(
    inv: Inv, database: Database, cloud_access: dict[str, Any]
) -> None:
    own = {
        "INVOKE_TARGETS_LOCAL_COLLECTION": "not-verified",
        "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": "not-verified-2",
        "INVOKE_TARGETS_LOCAL_BUCKET": "not-verified",
    }
    inv("full", **own)
    bucket, collection = open_bucket("not-verified", **cloud_access), open_collection("not-verified", **cloud_access)
    collection.index_face(disguise(bucket.download("students/student-002/photo-1.jpg")), "student-002-photo-9")
    gone = ["students/student-001/photo-1.jpg", "students/student-003/photo-2.jpg"]
    bucket.delete(gone)
    done = inv("full", check=False, **own)
    assert done.returncode == 2
    assert "verify" not in lines(done)
    assert lines(done)["publish"]
    assert f"error: {database.name} is live: 8 students, 24 faces, 0 placeholders; " in done.stderr
    for each in gone:
        assert done.stderr.count(f"{each} of {each.split('/')[1]}: it is not in bucket not-verified") == 1
    assert "its face is most like student-002-photo-9, which no row of its student holds" in done.stderr
    inv("enrol", **own)
    inv("sync-faces", "--prune", "orphans", "--yes", **own)
    assert "8 of 8 photos recognised" in lines(inv("full", **own))["verify"]


def test_status_is_one_json_object_with_what_a_script_needs(inv: Inv, full: Database) -> None:
    report = json.loads(inv("status", "--json").stdout)
    assert report["database"]["url"] == full.shown_url
    assert re.match(r"http://127\.0\.0\.1:\d+$", report["cloud"]["endpoint"])
    assert report["schools"] == {
        "school-001": {"rows": 18, "placeholders": 0, "collection": "tests", "in_collection": 18},
        "school-002": {"rows": 6, "placeholders": 0, "collection": "tests-2", "in_collection": 6},
    }
    assert (report["rows"]["students"], report["rows"]["student_faces"]) == (8, 24)
    assert report["faces"] == {"placeholders": 0, "in_collection": 24}
    assert report["migrations"]["pending"] == []


def test_status_of_a_database_that_does_not_exist_is_not_a_failure(inv: Inv, database: Database) -> None:
    own = {"INVOKE_TARGETS_LOCAL_COLLECTION": "nowhere", "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": "nowhere-2"}
    report = json.loads(inv("status", "--json", **own).stdout)
    assert report["database"]["exists"] is False
    assert report["faces"]["in_collection"] is None


def test_undo_brings_the_database_before_back(inv: Inv, full: Database, value: Any) -> None:
    before = value(full, CHECKSUM)
    inv("reset")
    inv("undo")
    assert value(full, CHECKSUM) == before


def test_a_failing_migration_leaves_the_old_database_serving(
    broken: Inv, full: Database, project: Path, value: Any
) -> None:
    before = value(full, CHECKSUM)
    (project / "migrations" / "0104_breaks.sql").write_text(
        "CREATE TABLE half (id int);\nINSERT INTO nowhere VALUES (1);\n"
    )
    (project / "migrations" / "0104_breaks.rollback.sql").write_text("DROP TABLE half;\n")
    done = broken("full")
    assert done.returncode == 1
    assert '0104_breaks.sql:2:13: relation "nowhere" does not exist' in done.stderr
    assert "Traceback" not in done.stderr
    assert "publish" not in lines(done)
    assert value(full, CHECKSUM) == before


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- id: [\n", "01_stages.yaml:2:1"),
        (
            "- {id: s, name: S, position: one}\n",
            '01_stages.yaml:1: stages.position: invalid input syntax for type integer: "one"',
        ),
        ("- {id: s, name: S, position: 1, colour: red}\n", "01_stages.yaml:1: stages has no column colour"),
    ],
    ids=["not YAML", "wrong type", "unknown column"],
)
def test_a_bad_fixture_leaves_the_old_database_serving(
    broken: Inv, full: Database, project: Path, text: str, message: str, value: Any
) -> None:
    before = value(full, CHECKSUM)
    (project / "seed_data" / "01_stages.yaml").write_text(text)
    done = broken("full")
    assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr
    assert value(full, CHECKSUM) == before


def test_a_bad_fixture_is_found_before_a_database_is_made(broken: Inv, database: Database, project: Path) -> None:
    (project / "seed_data" / "01_stages.yaml").write_text("- id: [\n")
    assert broken("full").returncode == 1
    with connect(database.maintenance, purpose="tests") as conn:
        assert not exists(conn, database.next)


def test_a_database_we_did_not_make_is_not_replaced_without_its_name(
    inv: Inv, empty_database: Database, value: Any
) -> None:
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("CREATE TABLE pupils AS SELECT 1 AS id")
    done = inv("reset", check=False)
    assert done.returncode == 1
    assert f"pass --confirm {empty_database.name}" in done.stderr
    assert value(empty_database, "SELECT count(*) FROM pupils") == 1
    inv("reset", "--confirm", empty_database.name)
    assert value(empty_database, "SELECT count(*) FROM students") == 0
    inv("undo")
    assert value(empty_database, "SELECT count(*) FROM pupils") == 1


@pytest.mark.slow
def test_a_second_full_and_reset_clone_templates_and_end_the_same(inv: Inv, full: Database, value: Any) -> None:
    before = value(full, CHECKSUM)
    inv("full")
    second = lines(inv("full"))
    assert "cloned from a template" in second["rebuild"]
    assert "nothing is pending" in second["migrate"]
    assert "cloned with the fixtures in it" in second["seed"]
    assert value(full, CHECKSUM) == before
    assert "cloned from a template" in lines(inv("reset"))["rebuild"]
    assert value(full, "SELECT count(*) FROM students") == 0


@pytest.mark.slow
def test_a_changed_fixture_is_never_served_from_a_template(
    broken: Inv, full: Database, project: Path, value: Any
) -> None:
    broken("full")
    fixture = project / "seed_data" / "01_stages.yaml"
    fixture.write_text(re.sub(r"name: [^,}\n]+", "name: Changed", fixture.read_text(), count=1))
    assert "129 inserted" in lines(broken("full"))["seed"]
    assert value(full, "SELECT count(*) FROM stages WHERE name = 'Changed'") == 1
