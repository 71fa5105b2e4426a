"""`inv report` writes one page, changes nothing else, and is useful even if half of the data is missing."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from eduguard.checks.verification import disguise
from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "seed_data" / "photos"
Inv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def section(html: str, heading: str) -> str:
    """The text below a heading of the page, up to the next heading of the same level."""
    found = re.search(rf'<h2 id="{heading}">(.*?)(?=<h2|</main>)', html, re.DOTALL)
    assert found
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1])))


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def change(database: Database, statement: Any) -> None:
    with connect(database, purpose="tests") as conn:
        conn.execute(statement)


def test_a_school_where_all_is_well(inv: Inv, full: Database, file: Path) -> None:
    done = inv("report", str(file))
    assert done.stdout == f"report     {file}: ok, 0 ids with drift; with neither names nor pictures\n"
    html = read(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "It shows no names and no pictures, only ids." in html
    assert "Not on this page" not in html
    assert "Rows, photos and faces agree." in section(html, "drift")
    assert "school-001 tests 18 0 18 school-002 tests-2 6 0 6" in section(html, "schools")
    assert "24 pairs of own photos and 144 pairs of strangers" in section(html, "similarities")
    assert "0000_initial_schema applied" in section(html, "migrations")
    assert "Rojas" not in html
    assert "<img" not in html


def test_drift_is_shown_by_kind_with_its_ids_and_a_command(school: Any, file: Path) -> None:
    school.inv("enrol", "sync-faces")
    photo = (PHOTOS / "students" / "student-001" / "photo-1.jpg").read_bytes()
    school.bucket.delete(["students/student-001/photo-1.jpg"])
    school.bucket.put("students/student-002/photo-9.jpg", photo)
    school.bucket.put("students/nobody/photo-1.jpg", photo)
    school.bucket.put("students/student-005/photo-8.jpg", disguise(photo))
    school.collection.index_face(disguise(photo), "student-005-photo-8")
    school.collection.index_face(
        (PHOTOS / "students" / "student-003" / "photo-2.jpg").read_bytes(), "student-003-photo-1"
    )
    change(school.database, "UPDATE student_faces SET face_id = DEFAULT WHERE student_id = 'student-004'")
    change(school.database, "UPDATE students SET last_name = '<script>alert(1)</script>' WHERE id = 'student-005'")
    school.inv("report", str(file), "--names", "--thumbnails")
    html = read(file)
    drift, photos, alike = section(html, "drift"), section(html, "photos"), section(html, "alike")
    assert "rows that hold the placeholder and have a face 3 INVOKE_TARGET=local inv sync-faces Copy" in drift
    assert "faces beside the one that a row holds 1 INVOKE_TARGET=local inv sync-faces --prune duplicates Copy" in drift
    assert "student-004-photo-1" in drift
    assert "faces without a photo 1 " in photos
    assert "photos without a face and a row 1 " in photos
    assert "INVOKE_TARGET=local inv photos pull FOLDER && INVOKE_TARGET=local inv enrol --from FOLDER" in photos
    assert "photos and faces without a row 1 INVOKE_TARGET=local inv sync-faces --adopt" in photos
    assert "photos and faces of students who are not in the database 1 " in photos
    assert "nobody-photo-1" in photos
    assert re.search(
        r"student-001-photo-[123] Antonia Rojas Antilef .*student-005-photo-8 .*<script>alert\(1\)</script>", alike
    )
    assert "stays: " in alike
    assert "duplicate: " in alike
    assert "<script>alert" not in html
    assert html.count('<img src="data:image/jpeg;base64,') >= 2
    assert "This page shows names and pictures of students." in html
    assert file.stat().st_mode & 0o777 == 0o600
    # The command on the page repairs it.
    school.inv("sync-faces", "--prune", "duplicates", "--yes")
    school.inv("sync-faces", "--adopt")
    school.inv("report", str(file))
    assert "No row holds a FaceId that its face does not have" in section(read(file), "drift")
    assert "rows that hold the placeholder" not in read(file)


@pytest.mark.slow
def test_without_a_database_photos_and_faces_are_compared(run_inv: Any, full: Database, file: Path) -> None:
    run = run_inv(full.named(f"{full.name}_nowhere"))
    done = run("report", str(file), INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002="tests-2")
    assert "broken" in done.stdout
    html = read(file)
    assert "does not exist" in section(html, "drift")
    assert "INVOKE_TARGET=local inv full" in section(html, "drift")
    assert "the rows of faces: photos and faces are compared with each other only" in html
    assert "They could not be read: there is no database." in section(html, "migrations")
    assert "24 pairs of own photos" in section(html, "similarities")


def test_pending_migrations_are_shown_and_so_is_the_rest(inv: Inv, empty_database: Database, file: Path) -> None:
    change(empty_database, "CREATE TABLE students (id text)")
    inv("report", str(file), INVOKE_TARGETS_LOCAL_COLLECTION="nowhere")
    html = read(file)
    assert "0005_add_schools pending" in section(html, "migrations")
    assert "INVOKE_TARGET=local inv migrate Copy" in section(html, "migrations")
    assert "There is no collection nowhere" in section(html, "drift")
    assert "the faces of collection nowhere" in html


def test_an_edited_migration_is_said(inv: Inv, full: Database, file: Path, tmp_path: Path) -> None:
    edited = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", edited)
    with (edited / "0005_add_schools.sql").open("a") as migration:
        migration.write("\n-- edited\n")
    inv("report", str(file), INVOKE_MIGRATIONS_FOLDER=str(edited))
    assert "0005_add_schools" in section(read(file), "migrations")
    assert "applied 0005" not in section(read(file), "migrations")
    assert "0005_add_schools" in section(read(file), "drift")


def test_a_bucket_that_is_not_there_leaves_the_rest(inv: Inv, full: Database, file: Path) -> None:
    inv("report", str(file), "--thumbnails", INVOKE_TARGETS_LOCAL_BUCKET="nowhere")
    html = read(file)
    assert "the photos in the bucket" in html
    assert re.search(r"<dt>photos in the bucket</dt><dd class=\"unknown\">not known", html)
    assert "24 pairs of own photos" in section(html, "similarities")


def test_a_server_that_does_not_answer_leaves_the_rest(inv: Inv, full: Database, file: Path) -> None:
    inv("report", str(file), "--quick", DATABASE_URL="postgresql://me:s3cr3t@127.0.0.1:9/school")
    html = read(file)
    assert "the database's counts and migrations" in unescape(html)
    assert "s3cr3t" not in html
    assert "Not searched for: the page was made with --quick." in html


@pytest.mark.slow
def test_searches_that_fail_leave_the_rest(inv: Inv, full: Database, file: Path, faults: Callable[..., None]) -> None:
    faults(deny=1000, operation="SearchFaces")
    inv("report", str(file))
    assert "The searches failed: AWS would not search for" in section(read(file), "similarities")
    assert "school-001 tests 18 0 18" in section(read(file), "schools")


@pytest.mark.slow
def test_on_aws_the_searches_are_asked_about_and_only_lists_are_read_without_consent(
    inv: Inv, full: Database, file: Path, relay: Any, cloud_variables: dict[str, str]
) -> None:
    asked: Counter[str] = Counter()

    def count(handler: Any, body: bytes) -> None:
        asked[handler.headers.get("X-Amz-Target", "").rpartition(".")[2]] += 1

    aws = {"INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": relay(count), **cloud_variables}
    inv("report", str(file), **aws)
    assert "Not searched for: it takes 24 requests, 1 s at 48.5/s, $0.02 once" in section(read(file), "similarities")
    assert set(asked) <= {"ListFaces", "DescribeCollection", "GetCallerIdentity", ""}
    inv("report", str(file), "--yes", **aws)
    assert asked["SearchFaces"] == 24
    assert "24 pairs of own photos" in section(read(file), "similarities")
    assert set(asked) <= {"ListFaces", "DescribeCollection", "SearchFaces", "GetCallerIdentity", ""}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photo.jpg", "photo.jpg is not the name of a page"),
        ("nowhere/page.html", "There is no folder "),
        ("folder.html", "folder.html is not a file"),
    ],
)
def test_a_file_that_cannot_be_a_page_is_refused_before_anything_is_read(
    inv: Inv, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    done = inv("report", str(tmp_path / name), check=False, DATABASE_URL="postgresql://192.0.2.1:9/school")
    assert (done.returncode, message in done.stderr) == (1, True)
    assert [each.name for each in tmp_path.iterdir()] == ["folder.html"]


def test_a_page_that_is_there_is_replaced_whole_and_no_link_is_followed(
    inv: Inv, full: Database, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("kept")
    page = tmp_path / "page.html"
    page.symlink_to(kept)
    inv("report", str(page), "--quick")
    assert kept.read_text() == "kept"
    assert not page.is_symlink()
    assert read(page).rstrip().endswith("</html>")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept.txt", "page.html"]
