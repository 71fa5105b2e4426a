"""The tests of another application get their own school, and leave nothing behind."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect
from eduguard.testing.project import open_project

ROOT = Path(__file__).parents[2]
Suite = Callable[..., subprocess.CompletedProcess[str]]

SMALL = "import os, pytest\npytestmark = pytest.mark.school_seed('small')\n"
ITS_OWN = (
    SMALL
    + """
@pytest.mark.parametrize("number", range(4))
def test_own(school_db, school_collection, school_bucket, number, worker_id):
    ours, theirs = school_db.connection, school_collection.client
    [(row,)] = ours.execute("SELECT face_id FROM student_faces").fetchall()
    photo = school_bucket.client.get_object(Bucket=school_bucket.name, Key="students/student-001/photo-1.jpg")
    found = theirs.search_faces_by_image(CollectionId=school_collection.name, Image={"Bytes": photo["Body"].read()})
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]] == [row]
    with school_db.connect() as conn:
        conn.execute("DELETE FROM student_faces")
    theirs.delete_faces(CollectionId=school_collection.name, FaceIds=[row])
    school_bucket.client.delete_object(Bucket=school_bucket.name, Key="students/student-001/photo-1.jpg")
    with open("workers", "a") as file:
        file.write(f"{worker_id}\\n")
"""
)
FAILING = (
    SMALL
    + """
def test_fails(school_db):
    with school_db.connect() as conn:
        conn.execute("UPDATE students SET first_name = 'Ana' WHERE id = 'student-002'")
    assert False

@pytest.fixture
def broken(school_db):
    raise ValueError

def test_is_not_set_up(broken):
    pass

@pytest.mark.xfail(strict=True)
def test_fails_as_expected(school_db):
    assert False
"""
)
TRANSACTIONS = (
    SMALL
    + """
pytestmark = [pytestmark, pytest.mark.school_db(transaction=True)]
NAMES = []

def test_first(school_db):
    NAMES.append(school_db.name)
    with school_db.connection.transaction():
        school_db.connection.execute("DELETE FROM student_faces")

def test_second(school_db):
    assert [school_db.name] == NAMES
    assert school_db.connection.execute("SELECT count(*) FROM student_faces").fetchone() == (1,)
    with pytest.raises(Exception, match="has one connection"):
        school_db.connect()

def test_error(school_db):
    with pytest.raises(Exception, match="division by zero"):
        school_db.connection.execute("SELECT 1/0")

@pytest.mark.parametrize("statement", ["COMMIT", "COMMIT; BEGIN"])
def test_ends_it(school_db, statement):
    school_db.connection.execute("DELETE FROM student_faces")
    for part in statement.split(";"):
        school_db.connection.execute(part)

def test_after_that(school_db):
    assert [school_db.name] != NAMES
    assert school_db.connection.execute("SELECT count(*) FROM student_faces").fetchone() == (1,)
"""
)


def databases(server_url: str) -> set[str]:
    """The databases of test runs on the server."""
    with connect(Database.from_url(server_url), purpose="tests") as conn:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, 'eduguard_tests_run_')"
        return {name for (name,) in conn.execute(query)}


def templates(server_url: str) -> set[str]:
    with connect(Database.from_url(server_url), purpose="tests") as conn:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, 'eduguard_tests_template_')"
        return {name for (name,) in conn.execute(query)}


@pytest.mark.slow
def test_two_workers_make_one_template_and_each_test_has_a_school_of_its_own(
    suite: Suite, tmp_path: Path, server_url: str, cloud_client: Callable[[str], object]
) -> None:
    before = templates(server_url)
    with (tmp_path / "small" / "1_stages.yaml").open("a") as file:  # a school whose template does not exist yet
        file.write("\n- {id: another, name: Media, position: 2}")
    (tmp_path / "test_own.py").write_text(ITS_OWN)
    done = suite("-n", "2", "--dist", "each", "-q")
    assert done.returncode == 0, done.stdout
    assert sorted((tmp_path / "workers").read_text().split()) == ["gw0"] * 4 + ["gw1"] * 4
    assert len(templates(server_url) - before) == 1
    assert databases(server_url) == set()
    collections = cloud_client("rekognition").list_collections()["CollectionIds"]  # type: ignore[attr-defined]
    buckets = [bucket["Name"] for bucket in cloud_client("s3").list_buckets()["Buckets"]]  # type: ignore[attr-defined]
    assert [name for name in collections + buckets if name.startswith("eduguard-tests-run")] == []


@pytest.mark.slow
def test_the_database_of_a_failed_test_is_kept_until_the_next_run(
    suite: Suite, tmp_path: Path, server_url: str
) -> None:
    (tmp_path / "test_fails.py").write_text(FAILING)
    done = suite()
    assert "1 failed, 1 xfailed, 1 error" in done.stdout
    urls = re.findall(r"kept until the next run: (\S+)", done.stdout)
    assert sorted(urls) == sorted(Database.from_url(server_url).named(name).shown_url for name in databases(server_url))
    found = set()
    for url in urls:
        with psycopg.connect(url) as conn:
            found |= set(conn.execute("SELECT first_name FROM students WHERE id = 'student-002'").fetchall())
    assert found == {("Ana",), ("B",)}
    (tmp_path / "test_fails.py").write_text(SMALL + "def test(school_db): pass")
    assert suite().returncode == 0
    assert databases(server_url) == set()


@pytest.mark.slow
def test_a_run_leaves_the_databases_of_one_that_is_under_way(suite: Suite, tmp_path: Path, server_url: str) -> None:
    (tmp_path / "test_outer.py").write_text(
        SMALL
        + """
def test_outer(school_db):
    import subprocess, sys
    subprocess.run([sys.executable, "-m", "pytest", "inner.py"], check=True)
    with school_db.connect() as conn:
        assert conn.execute("SELECT count(*) FROM students").fetchone() == (2,)
"""
    )
    (tmp_path / "inner.py").write_text(SMALL + "def test_inner(school_db): pass")
    done = suite("test_outer.py")
    assert done.returncode == 0, done.stdout


def test_a_transaction_is_rolled_back_and_one_that_was_ended_is_told(
    suite: Suite, tmp_path: Path, server_url: str
) -> None:
    (tmp_path / "test_transactions.py").write_text(TRANSACTIONS)
    done = suite("-rE")
    assert "6 passed, 2 errors" in done.stdout
    assert done.stdout.count("The test has ended the transaction of school_db") >= 2
    assert databases(server_url) == set()


def test_nothing_is_imported_or_started_for_a_suite_that_asks_for_nothing(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    assert 'eduguard.testing.plugin' in sys.modules\n"
        "    assert not {'boto3', 'botocore', 'psycopg', 'invoke', 'yaml'} & sys.modules.keys()\n"
    )
    done = suite("-W", "error", INVOKE_STATE_FOLDER=str(tmp_path / "state"))
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("INVOKE_TARGETS_LOCAL_PROTECTION", "confirm", "an open target: the protection of local is confirm"),
        ("INVOKE_TARGETS_LOCAL_S3_ENDPOINT", "null", "the local cloud: target local has its faces or photos elsewhere"),
        ("INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT", "null", "the local cloud: target local has its faces"),
        ("INVOKE_TARGT", "local", "The variable INVOKE_TARGT sets nothing"),
        ("INVOKE_RUNTIME_CONFIG", "nowhere.yaml", "There is no settings file"),
    ],
)
def test_what_is_not_a_place_for_tests_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(EduguardError, match=told):
        open_project(ROOT)


@pytest.mark.slow
def test_a_refusal_is_the_message_of_each_test_and_no_traceback(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "test_any.py").write_text("def test_any(school_db): pass\ndef test_other(school_bucket): pass")
    done = suite(EDUGUARD_PROJECT="small")
    assert "2 errors" in done.stdout
    assert done.stdout.count(f"EduGuard DB: There is no invoke.yaml in {tmp_path}/small\n") == 2
    assert "Traceback" not in done.stdout
    assert "handling of" not in done.stdout


@pytest.mark.slow
def test_markers_that_say_two_things_or_nothing_are_refused_by_name(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "test_markers.py").write_text(
        """
import pytest

@pytest.mark.school_seed("small")
@pytest.mark.school_students(3)
def test_both(school_db): pass

@pytest.mark.school_seed("nowhere")
def test_nowhere(school_db): pass

@pytest.mark.school_students(0)
def test_nobody(school_db): pass

@pytest.mark.school_students(3, school=1)
def test_misspelt(school_db): pass

@pytest.mark.school_db(transactions=True)
def test_misspelt_too(school_db): pass
"""
    )
    told = suite().stdout
    assert "5 errors" in told
    assert "test_both has the markers school_seed and school_students" in told
    assert f"There is no folder {tmp_path}/nowhere" in told
    assert "--students 0 in 1 school: it is from 1 to" in told
    assert "The marker school_students: _world() got an unexpected keyword argument 'school'" in told
    assert "The marker school_db: _transaction() got an unexpected keyword argument 'transactions'" in told


@pytest.mark.slow
def test_a_school_that_is_made_up_has_its_faces_and_photos_too(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "test_made_up.py").write_text(
        """
import pytest

@pytest.mark.school_students(2, photos=True, seed="another")
def test_with_photos(school_db, school_collection, school_bucket):
    rows = school_db.connection.execute("SELECT external_image_id, face_id, photo_url FROM student_faces").fetchall()
    faces = school_collection.client.list_faces(CollectionId=school_collection.name)["Faces"]
    objects = school_bucket.client.list_objects_v2(Bucket=school_bucket.name)["Contents"]
    assert len(rows) >= 2
    assert {row[:2] for row in rows} == {(face["ExternalImageId"], face["FaceId"]) for face in faces}
    assert {row[2] for row in rows} == {item["Key"] for item in objects}

@pytest.mark.school_students(2)
def test_without_photos(school_db, school_collection, school_bucket):
    assert school_db.connection.execute("SELECT count(*) FROM student_faces").fetchone() == (0,)
    assert school_collection.client.list_faces(CollectionId=school_collection.name)["Faces"] == []
    assert school_bucket.client.list_objects_v2(Bucket=school_bucket.name)["KeyCount"] == 0

@pytest.mark.school_students(4, schools=2)
def test_two_schools(school_db, school_collection):
    schools = school_db.connection.execute("SELECT id FROM schools ORDER BY id").fetchall()
    assert schools == [("school-001",), ("school-002",)]
    assert list(school_collection.by_school) == ["school-002"]
"""
    )
    done = suite()
    assert done.returncode == 0, done.stdout
