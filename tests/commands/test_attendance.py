"""Photos of a class become attendance: only the right students are present, and a second run changes nothing."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from eduguard.aws import Collection, open_bucket, open_collection
from eduguard.postgres import Database, connect, execute_for, read_value
from eduguard.schools import Place, Scope
from eduguard.students import Caution, Storage, enrol_samples, find_photos
from eduguard.sync import pair_up, plan_sync, read_rows
from eduguard.sync.apply import apply_plan

PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
CLASS_PHOTO = PHOTOS / "classes" / "class-1b-lenguaje.jpg"
EVERYBODY = [f"student-00{number}" for number in range(1, 7)]
TAKE = ("attendance", "take", "class-1b-lenguaje", "--json")
Inv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def samples(seeded: Database, cloud_access: dict[str, Any]) -> Collection:
    """The faces of the sample photos in a collection of this module."""
    name, access = f"attendance-{uuid4().hex[:12]}", cloud_access
    collection, bucket = open_collection(name, **access), open_bucket(name, **access)
    storage = Storage(collection=collection, bucket=bucket, by_reference=True)
    enrol_samples(
        find_photos(PHOTOS), storage=storage, caution=Caution(threshold=95, is_drawn_trusted=True), note=print
    )
    return collection


@pytest.fixture
def full(samples: Collection, seeded: Database, database: Database) -> Database:
    """A seeded and synced database for one test; all tests share the faces."""
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, seeded)
    with connect(database, purpose="tests") as conn:
        rows = read_rows(conn, Scope(place=Place(collection=samples.name, school="school-001")))
        apply_plan(conn, plan_sync(pair_up(rows, (face for page in samples.list_faces() for face in page))))
    return database


@pytest.fixture
def inv(inv: Inv, samples: Collection) -> Inv:
    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        own = {"INVOKE_TARGETS_LOCAL_COLLECTION": samples.name, "INVOKE_REQUESTS_PER_SECOND": "1000"}
        return inv(*arguments, **own, **options)

    return run


def take(inv: Inv, *arguments: str, **options: Any) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(inv(*TAKE, *arguments, **options).stdout)
    return report


def present(report: dict[str, Any]) -> list[str]:
    return sorted(entry["student_id"] for entry in report["students"] if entry["status"] == "present")


def attendance_rows(database: Database) -> list[Any]:
    with connect(database, purpose="tests") as conn:
        return conn.execute(
            "SELECT a.*, s.* FROM attendance a JOIN sessions s ON s.id = session_id ORDER BY 1"
        ).fetchall()


def faces(inv: Inv) -> int:
    return int(json.loads(inv("status", "--json").stdout)["faces"]["in_collection"])


def test_the_class_photo_makes_all_six_present_and_again_changes_nothing(inv: Inv, full: Database) -> None:
    before = faces(inv)
    report = take(inv, str(CLASS_PHOTO))
    assert present(report) == EVERYBODY
    assert (report["faces"], report["not_counted"], report["changed"]) == (6, [], 7)
    assert all(entry["confidence"] >= 95 and entry["face_id"] for entry in report["students"])
    rows = attendance_rows(full)
    assert len(rows) == 6
    assert take(inv, str(CLASS_PHOTO))["changed"] == 0
    assert attendance_rows(full) == rows
    assert faces(inv) == before, "no temporary face was indexed"
    shown = inv("attendance", "show", report["session"])
    assert "6 present, 0 absent" in shown.stdout
    assert "student-001  Antonia Rojas Antilef" in shown.stdout
    listed = json.loads(inv("attendance", "show", report["session"], "--json").stdout)
    assert listed["students"] == report["students"]


@pytest.mark.slow
def test_who_is_not_in_the_photo_is_absent_until_another_photo_shows_them(
    inv: Inv, full: Database, tmp_path: Path
) -> None:
    halves = []
    with Image.open(CLASS_PHOTO) as image:
        for number, box in enumerate(
            [(0, 0, image.width, image.height // 2), (0, image.height // 2, image.width, image.height)]
        ):
            half = tmp_path / f"half-{number}.jpg"
            image.crop(box).save(half, quality=95)
            halves.append(str(half))
    at = ("--at", "2026-03-09T08:30Z")
    first = take(inv, halves[0], *at)
    assert first["session"] == "class-1b-lenguaje-20260309T083000Z"
    assert 0 < len(present(first)) < 6
    assert first["present"] + first["absent"] == 6
    both = take(inv, halves[1], *at)
    assert present(both) == EVERYBODY, "the second photo of a session adds to the first"
    rows = attendance_rows(full)
    assert take(inv, halves[0], *at)["changed"] == 0
    assert attendance_rows(full) == rows
    assert present(take(inv, halves[0], halves[1])) == EVERYBODY


@pytest.mark.slow
def test_a_face_that_is_not_of_the_class_is_counted_with_whom_it_resembles(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute("UPDATE class_enrollments SET status = 'withdrawn' WHERE student_id = 'student-002'")
    report = take(inv, str(CLASS_PHOTO))
    assert present(report) == [each for each in EVERYBODY if each != "student-002"]
    assert "student-002" not in {entry["student_id"] for entry in report["students"]}
    (face,) = report["not_counted"]
    assert (face["resembles"], face["reason"], report["unknown"]) == ("student-002", "not in this class", 0)
    table = inv("attendance", "take", "class-1b-lenguaje", str(CLASS_PHOTO)).stdout.splitlines()
    assert table[-1].endswith("5 present, 0 absent; 6 faces, 1 not in this class; nothing changed")
    shown = next(line.split() for line in table if line.endswith(" not in this class"))
    assert shown[:3] == ["1", "student-002", str(face["similarity"])]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stale", "command"),
    [
        ("UPDATE student_faces SET face_id = gen_random_uuid()", "sync-faces --confirm-collection {}"),
        ("UPDATE student_faces SET face_id = DEFAULT WHERE student_id = 'student-001'", "sync-faces"),
        ("DELETE FROM student_faces WHERE student_id = 'student-001'", "sync-faces --adopt"),
    ],
    ids=["all FaceIds are old", "one student is not synced", "the rows of one student are gone"],
)
def test_nobody_is_recorded_absent_because_rows_are_stale(
    inv: Inv, full: Database, samples: Collection, stale: Any, command: str
) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute(stale)
    done = inv(*TAKE, str(CLASS_PHOTO), check=False)
    assert (done.returncode, "student-001-photo-" in done.stderr, "nobody was recorded" in done.stderr) == (
        1,
        True,
        True,
    )
    hint = command.partition(" --confirm")[0]
    assert f"Run `inv {hint}`" in done.stderr
    assert attendance_rows(full) == []
    inv(*command.format(samples.name).split(), "--school", "school-001")
    assert present(take(inv, str(CLASS_PHOTO))) == EVERYBODY


def test_a_face_of_nobody_in_this_database_is_unknown_and_given_to_nobody_else(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute("DELETE FROM students WHERE id = 'student-001'")
    report = take(inv, str(CLASS_PHOTO))
    assert present(report) == EVERYBODY[1:]
    (face,) = report["not_counted"]
    assert face["resembles"].startswith("student-001-photo-")
    assert (face["reason"], face["similarity"] >= 95, report["unknown"]) == ("unknown", True, 1)


@pytest.mark.slow
def test_a_photo_without_a_face_records_nobody(inv: Inv, full: Database, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    Image.new("RGB", (300, 300), "white").save(empty)
    done = inv(*TAKE, str(empty), check=False)
    assert (done.returncode, f"No face in {empty}; nobody was recorded" in done.stderr) == (1, True)
    assert attendance_rows(full) == []
    done = inv(*TAKE, str(empty), str(CLASS_PHOTO))
    assert f"no face in {empty}" in done.stderr
    assert present(json.loads(done.stdout)) == EVERYBODY


@pytest.mark.slow
def test_a_user_with_a_face_of_another_student_is_named_and_not_believed(
    inv: Inv, full: Database, samples: Collection
) -> None:
    done = inv(*TAKE, str(CLASS_PHOTO), "--users", check=False)
    assert (done.returncode, "No user has the faces of student-001, " in done.stderr) == (1, True)
    assert attendance_rows(full) == []
    faces = {face.external_image_id: face.face_id for page in samples.list_faces() for face in page}
    samples.create_user("student-002")
    assert samples.associate_faces("student-002", [faces["student-001-photo-1"]]) == {}
    try:
        done = inv("sync-faces", "--users", check=False)
        assert (done.returncode, "user student-002 has student-001-photo-1" in done.stderr) == (1, True)
        assert "LOW_MATCH_CONFIDENCE" not in done.stderr
        alone = PHOTOS / "students" / "student-001" / "photo-2.jpg"
        done = inv(*TAKE, str(alone), "--users")
        assert "user student-002 has student-001-photo-1" in done.stderr
        assert present(json.loads(done.stdout)) == ["student-001"]
    finally:
        for user in samples.list_users():
            samples.delete_user(user)


@pytest.mark.slow
def test_what_a_person_entered_stays_and_a_cancelled_session_is_refused(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO sessions (id, class_id, starts_at) VALUES ('s-1', 'class-1b-lenguaje', '2026-03-09T08:30Z')"
        )
        conn.execute(
            "INSERT INTO attendance (id, session_id, student_id, status) VALUES ('a-1', 's-1', 'student-001', 'excused')"
        )
    report = take(inv, str(CLASS_PHOTO), "--at", "2026-03-09T05:30-03:00")
    assert report["session"] == "s-1", "the session was there already"
    assert present(report) == EVERYBODY[1:]
    with connect(full, purpose="tests") as conn:
        conn.execute("UPDATE sessions SET status = 'cancelled'")
    done = inv(*TAKE, str(CLASS_PHOTO), "--at", "2026-03-09T08:30Z", check=False)
    assert (done.returncode, "Session s-1 is cancelled" in done.stderr) == (1, True)


@pytest.mark.slow
def test_the_annotated_photo_shows_frames_and_is_not_a_photo_that_was_read(
    inv: Inv, full: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out.jpg"
    take(inv, str(CLASS_PHOTO), "--annotate", str(out))
    assert out.stat().st_mode & 0o777 == 0o600
    with Image.open(out) as drawn, Image.open(CLASS_PHOTO) as photo:
        assert drawn.size == photo.size
        pixels = drawn.convert("RGB").resize((400, 225))
        green = sum(count for count, (r, g, b) in pixels.getcolors(90000) or [] if g > 180 and r < 90 and b < 150)
        assert green > 50
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(CLASS_PHOTO.read_bytes())
    done = inv(*TAKE, str(copy), "--annotate", str(copy), check=False)
    assert (done.returncode, "is a photo to be read" in done.stderr) == (1, True)
    assert copy.read_bytes() == CLASS_PHOTO.read_bytes()


@pytest.mark.slow
def test_a_turned_photo_is_stood_upright_first(inv: Inv, full: Database, tmp_path: Path) -> None:
    turned, exif = tmp_path / "turned.jpg", Image.Exif()
    exif[0x0112] = 6
    with Image.open(CLASS_PHOTO) as image:
        image.rotate(90, expand=True).save(turned, quality=95, exif=exif)
    assert present(take(inv, str(turned))) == EVERYBODY


@pytest.mark.sampled("unknown class")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("class-9z", str(CLASS_PHOTO)), "No such class: class-9z"),
        (("class-1b-lenguaje",), "inv attendance take: PHOTO is missing"),
        (("class-1b-lenguaje", *[str(CLASS_PHOTO)] * 11), "11 photos; at most 10 are taken"),
        (("class-1b-lenguaje", __file__), "is not a JPEG picture"),
        (("class-1b-lenguaje", str(CLASS_PHOTO), "--at", "noon"), "--at 'noon' is not a time"),
        (("class-1b-lenguaje", str(CLASS_PHOTO), "--annotate", "out.png"), "out.png is not the name of a JPEG file"),
    ],
    ids=["unknown class", "no photo", "too many photos", "no picture", "no time", "no JPEG to write"],
)
def test_what_cannot_be_taken_is_named_and_nothing_is_written(
    inv: Inv, full: Database, arguments: tuple[str, ...], message: str
) -> None:
    done = inv("attendance", "take", *arguments, check=False)
    assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr
    assert attendance_rows(full) == []


def test_an_unknown_session_is_named(inv: Inv, full: Database) -> None:
    done = inv("attendance", "show", "nowhere", check=False)
    assert (done.returncode, "No such session: nowhere" in done.stderr) == (1, True)


def test_without_face_ids_the_way_to_them_is_told(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute("UPDATE student_faces SET face_id = DEFAULT")
    done = inv(*TAKE, str(CLASS_PHOTO), check=False)
    assert (done.returncode, "Run `inv sync-faces` first" in done.stderr) == (1, True)


@pytest.mark.slow
def test_taking_that_is_killed_before_its_commit_leaves_no_row(
    inv: Inv, full: Database, samples: Collection, state_folder: Path
) -> None:
    environment = {
        "DATABASE_URL": full.shown_url,
        "INVOKE_STATE_FOLDER": str(state_folder),
        "INVOKE_TARGETS_LOCAL_COLLECTION": samples.name,
    }
    arguments = [*TAKE, str(CLASS_PHOTO), "--at", "2026-03-09T08:30Z"]
    command = [Path(sys.executable).parent / "inv", *arguments]
    with connect(full, purpose="tests") as conn:
        with (
            conn.transaction(),
            subprocess.Popen(command, cwd=PHOTOS.parents[1], env=os.environ | environment) as taking,
        ):
            conn.execute("LOCK TABLE attendance IN SHARE MODE")  # it has written the session and waits for the rows
            while not read_value(
                conn, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'attendance'::regclass)"
            ):
                assert taking.poll() is None
                time.sleep(0.01)
            taking.kill()
        assert read_value(conn, "SELECT count(*) FROM sessions WHERE starts_at = '2026-03-09T08:30Z'") == 0
    assert attendance_rows(full) == []
    assert present(take(inv, str(CLASS_PHOTO), "--at", "2026-03-09T08:30Z")) == EVERYBODY
    assert len(attendance_rows(full)) == 6
