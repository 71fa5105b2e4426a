"""A student's photos get into bucket, collection and table, whatever happens on the way."""

import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eduguard.postgres import connect, execute_for, read_value

CLASS_PHOTO = Path(__file__).parents[2] / "seed_data" / "photos" / "classes" / "class-1b-lenguaje.jpg"
School = Any  # of conftest.py
NewPhoto = Callable[..., Path]
SMALL = {b"tiny": (60, 60), b"narrow": (79, 200), b"low": (200, 79)}


def test_photos_get_the_next_numbers_and_again_nothing_changes(
    school: School, new_photo: NewPhoto, photo: Path, tmp_path: Path
) -> None:
    other = new_photo(tmp_path / "other.jpg", "student-001", 2)
    flags = ("student-001", str(photo), str(other))
    done = school.inv("enrol", *flags)
    assert "2 photos: 2 enrolled, 0 enrolled already (student-001-photo-4, student-001-photo-5)" in done.stdout
    school.assert_enrolled("student-001-photo-4", "student-001-photo-5")
    assert school.bucket.read_sha256("students/student-001/photo-4.jpg")
    before = school.rows()
    with connect(school.database, purpose="tests") as conn:
        assert read_value(conn, "SELECT count(*) FROM student_faces WHERE quality_score > 0") == 2
    assert "2 photos: 0 enrolled, 2 enrolled already" in school.inv("enrol", *flags).stdout
    assert school.rows() == before == school.faces()


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("nobody", "student-001-photo-4: 0 faces found, one expected"),
        ("class", "student-001-photo-4: 6 faces found, one expected"),
    ],
)
def test_a_picture_without_exactly_one_face_is_refused_and_nothing_of_it_stays(
    school: School, tmp_path: Path, picture: str, message: str
) -> None:
    file = CLASS_PHOTO
    if picture == "nobody":
        file = tmp_path / "nobody.jpg"
        Image.new("RGB", (400, 300), "grey").save(file)
    done = school.inv("enrol", "student-001", str(file), check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert (school.faces(), school.keys(), school.rows()) == ([], [], [])


@pytest.mark.sampled("truncated-is not a JPEG picture")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a JPEG picture"),
        (b"GIF89a", "is not a JPEG picture"),
        (b"png", "is not a JPEG picture"),
        (b"truncated", "is not a JPEG picture"),
        (b"tiny", "60 x 60 pixels; 80 are the least"),
        (b"narrow", "79 x 200 pixels; 80 are the least"),
        (b"low", "200 x 79 pixels; 80 are the least"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_not_a_photo_is_refused_before_anything_is_sent(
    school: School, new_photo: NewPhoto, photo: Path, content: bytes | None, message: str
) -> None:
    out = io.BytesIO()
    if content == b"png":
        Image.new("RGB", (200, 200)).save(out, "PNG")
    elif content in SMALL:
        Image.new("RGB", SMALL[content]).save(out, "JPEG")
    elif content == b"truncated":
        out.write(photo.read_bytes()[:5000])
    good = new_photo(photo.parent / "good.jpg", "student-001", 2)
    photo.unlink() if content is None else photo.write_bytes(out.getvalue() or content)
    done = school.inv("enrol", "student-001", str(good), str(photo), check=False)
    assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr
    assert (school.faces(), school.keys(), school.rows()) == ([], [], [])


def test_an_unknown_student_and_a_missing_photo_are_named(school: School, photo: Path) -> None:
    done = school.inv("enrol", "student-999", str(photo), check=False)
    assert (done.returncode, "No such student: student-999" in done.stderr) == (1, True)
    done = school.inv("enrol", "student-001", check=False)
    assert (done.returncode, "PHOTO is missing\n  inv enrol STUDENT PHOTO…\n" in done.stderr) == (1, True)


@pytest.mark.slow
def test_a_folder_is_enrolled_side_by_side_under_its_own_numbers(
    school: School, new_photo: NewPhoto, tmp_path: Path
) -> None:
    names = []
    for student in ("student-001", "student-002", "student-003"):
        for number in (1, 2):
            new_photo(tmp_path / "students" / student / f"photo-{number + 6}.jpg", student, number)
            names.append(f"{student}-photo-{number + 6}")
    assert "6 photos: 6 enrolled" in school.inv("enrol", "--from", str(tmp_path)).stdout
    school.assert_enrolled(*names)
    assert "6 enrolled already" in school.inv("enrol", "--from", str(tmp_path)).stdout
    new_photo(tmp_path / "students" / "student-001" / "photo-7.jpg", "student-001", 3)
    done = school.inv("enrol", "--from", str(tmp_path), check=False)
    assert "0 enrolled, 5 enrolled already, 1 refused" in done.stderr
    assert "student-001 has another photo 7" in done.stderr
    school.assert_enrolled(*names)


@pytest.mark.slow
def test_two_enrolments_of_one_student_at_once_never_take_one_number(
    school: School, new_photo: NewPhoto, tmp_path: Path
) -> None:
    photos = [new_photo(tmp_path / f"{number}.jpg", "student-001", number) for number in (1, 2, 3)]
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda file: school.inv("enrol", "student-001", str(file)), photos * 2))
    school.assert_enrolled(*(f"student-001-photo-{number}" for number in (4, 5, 6)))


KILLED = """
import json, os, signal, sys
from pathlib import Path
from eduguard.postgres import Database, connect
from eduguard.aws import open_bucket, open_collection
from eduguard.students import Caution, Request, Storage
from eduguard.students.enrolment import enrol_photo
url, access, name, photo, last = sys.argv[1:]
access = json.loads(access)
storage = Storage(collection=open_collection(name, **access), bucket=open_bucket(name, **access), by_reference=True)
storage.collection.create()
storage.bucket.ensure_exists()
with connect(Database.from_url(url), purpose="enrol") as conn:
    enrol_photo(conn, Request(student_id="student-001", file=Path(photo)), storage=storage, faces={}, caution=Caution(threshold=95),
        tell=lambda step: step == last and os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("step", ["reserved", "stored", "indexed", "inserted", "committed"])
def test_enrolment_killed_at_any_step_is_finished_by_the_next_run(school: School, photo: Path, step: str) -> None:
    arguments = [school.database.url, json.dumps(school.access), school.name, str(photo), step]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert bool(school.rows()) is (step == "committed")
    assert bool(school.keys()) is (step != "reserved")
    assert bool(school.faces()) is (step not in {"reserved", "stored"})
    school.inv("enrol", "student-001", str(photo))
    school.assert_enrolled("student-001-photo-4")


@pytest.mark.slow
def test_a_refused_picture_that_was_in_the_bucket_before_is_named_and_stays(school: School) -> None:
    arguments = [school.database.url, json.dumps(school.access), school.name, str(CLASS_PHOTO), "stored"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert school.keys() == ["students/student-001/photo-4.jpg"]
    done = school.inv("enrol", "student-001", str(CLASS_PHOTO), check=False)
    named = "6 faces found, one expected; students/student-001/photo-4.jpg was in the bucket before and stays"
    assert (done.returncode, named in done.stderr) == (1, True), done.stderr
    assert (school.keys(), school.faces()) == (["students/student-001/photo-4.jpg"], [])
    school.inv("unenrol", "student-001", "--yes")
    school.assert_enrolled()


@pytest.mark.sampled
@pytest.mark.parametrize("pushed", [True, False], ids=["pushed before", "deleted before"])
def test_a_refused_enrolment_keeps_what_was_under_the_key_with_its_versions(
    school: School, client: Any, tmp_path: Path, pushed: bool
) -> None:
    key = "students/student-001/photo-4.jpg"
    client.create_bucket(Bucket=school.name)
    client.put_bucket_versioning(Bucket=school.name, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"an older photo", CLASS_PHOTO.read_bytes()):
        client.put_object(Bucket=school.name, Key=key, Body=content)
    if not pushed:
        client.delete_object(Bucket=school.name, Key=key)
    before = client.list_object_versions(Bucket=school.name)
    done = school.inv("enrol", "student-001", str(CLASS_PHOTO), check=False)
    assert (done.returncode, "6 faces found, one expected" in done.stderr) == (1, True), done.stderr
    after = client.list_object_versions(Bucket=school.name)
    for kind in ("Versions", "DeleteMarkers"):
        assert after.get(kind) == before.get(kind)


@pytest.fixture
def client(cloud_client: Callable[[str], Any]) -> Any:
    return cloud_client("s3")


@pytest.mark.slow
def test_a_photo_of_another_student_is_refused_with_both_ids_until_they_are_said_to_be_twins(
    school: School, new_photo: NewPhoto, photo: Path, tmp_path: Path
) -> None:
    wrong = new_photo(tmp_path / "wrong.jpg", "student-001", 2)
    school.inv("enrol", "student-001", str(photo))
    planned = school.inv("enrol", "student-002", str(wrong), "--dry-run").stdout
    assert "1 photo: 1 to upload, 1 to search for, 1 to index, 1 row to write" in planned
    done = school.inv("enrol", "student-002", str(wrong), check=False)
    assert done.returncode == 1
    assert "not enrolled for student-002: the face is like student-001-photo-4 (" in done.stderr
    assert "1 photo: 1 to upload, 1 to search for" in done.stderr
    school.assert_enrolled("student-001-photo-4")
    school.inv("enrol", "student-002", str(wrong), "--twin")
    school.assert_enrolled("student-001-photo-4", "student-002-photo-4")


def lose_face(school: School) -> None:
    school.collection.delete_faces([face for _, face in school.faces()])


def lose_collection(school: School) -> None:
    school.client("rekognition").delete_collection(CollectionId=school.name)


def lose_object(school: School) -> None:
    school.bucket.delete(["students/student-001/photo-7.jpg"])


def lose_bucket(school: School) -> None:
    lose_object(school)
    school.client("s3").delete_bucket(Bucket=school.name)


def lose_row(school: School) -> None:
    with connect(school.database, purpose="tests") as conn:
        conn.execute("DELETE FROM student_faces WHERE external_image_id = 'student-001-photo-7'")


def lose_all_but_the_row(school: School) -> None:
    lose_face(school)
    lose_object(school)


def lose_all_but_the_face(school: School) -> None:
    lose_row(school)
    lose_object(school)


def lose_all_but_the_photo(school: School) -> None:
    lose_row(school)
    lose_face(school)


def unlink(school: School) -> None:
    with connect(school.database, purpose="tests") as conn:
        conn.execute("UPDATE student_faces SET face_id = DEFAULT")


@pytest.mark.slow
@pytest.mark.parametrize(
    "lose",
    [lose_face, lose_collection, lose_object, lose_bucket, lose_row, lose_all_but_the_row, lose_all_but_the_face,
     lose_all_but_the_photo, unlink],
)  # fmt: skip
def test_what_was_lost_of_a_photo_is_made_again(
    school: School, new_photo: NewPhoto, tmp_path: Path, lose: Callable[[School], None]
) -> None:
    new_photo(tmp_path / "students" / "student-001" / "photo-7.jpg", "student-001")
    from_folder = ("enrol", "--from", str(tmp_path))
    school.inv(*from_folder)
    lose(school)
    done = school.inv(*from_folder).stdout
    assert ("1 enrolled, 0 enrolled already" in done) or ("0 enrolled already, 1 completed" in done)
    school.assert_enrolled("student-001-photo-7")
    assert "1 photo: 0 enrolled, 1 enrolled already" in school.inv(*from_folder).stdout


def test_another_picture_does_not_take_the_place_of_a_lost_photo(
    school: School, new_photo: NewPhoto, tmp_path: Path
) -> None:
    file = new_photo(tmp_path / "students" / "student-001" / "photo-7.jpg", "student-001")
    school.inv("enrol", "--from", str(tmp_path))
    before = school.faces()
    lose_object(school)
    new_photo(file, "student-002")
    done = school.inv("enrol", "--from", str(tmp_path), check=False)
    assert (done.returncode, "another face is enrolled as student-001-photo-7" in done.stderr) == (1, True)
    assert (school.faces(), school.keys()) == (before, [])


@pytest.mark.slow
def test_sample_photos_that_we_drew_are_marked_in_the_bucket_and_lost_ones_are_made_again(school: School) -> None:
    school.inv("enrol")
    assert school.bucket.read_metadata("students/student-001/photo-1.jpg")["origin"] == "drawn"
    faces = dict(school.faces())
    school.collection.delete_faces([faces["student-001-photo-1"]])
    school.bucket.delete(["students/student-001/photo-2.jpg"])
    assert "24 photos: 1 uploaded, 1 face indexed" in school.inv("enrol").stdout
    assert "24 photos: all in the bucket and in the collection already" in school.inv("enrol").stdout
    assert (len(school.faces()), len(school.keys())) == (18, 24)


@pytest.mark.slow
def test_a_large_sample_photo_is_made_smaller_where_the_picture_itself_is_sent(school: School, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    shutil.copytree(CLASS_PHOTO.parents[2], seeds)
    large = seeds / "photos" / "students" / "student-001" / "photo-1.jpg"
    with Image.open(large) as image:
        noise = Image.effect_noise((3600, 3600), 60).convert("RGB")
        Image.blend(image.convert("RGB").resize((3600, 3600)), noise, 0.3).save(large, quality=97)
    assert large.stat().st_size > 5 * 1024 * 1024
    own = {"INVOKE_SEED_FOLDER": str(seeds), "INVOKE_TARGETS_LOCAL_BUCKET_REGION": "us-west-2"}
    assert "24 photos: 24 uploaded, 24 faces indexed" in school.inv("enrol", **own).stdout


def test_a_failure_that_all_collections_share_is_told_once(inv: Callable[..., Any]) -> None:
    done = inv("enrol", "--yes", check=False, INVOKE_TARGETS_LOCAL_BUCKET="no")
    assert (done.returncode, done.stderr.count("Could not create bucket no: ")) == (1, 1)
    assert "`bucket` of the target in invoke.yaml takes 3 to 63 lower-case letters" in done.stderr


def test_a_student_whose_id_makes_no_key_is_refused(school: School, photo: Path) -> None:
    with connect(school.database, purpose="tests") as conn:
        conn.execute("DELETE FROM student_faces WHERE student_id = 'student-006'")
        conn.execute("DELETE FROM class_enrollments WHERE student_id = 'student-006'")
        conn.execute("UPDATE students SET id = '..' WHERE id = 'student-006'")
    done = school.inv("enrol", "..", str(photo), check=False)
    assert (done.returncode, "1 key cannot be a file: 'students/../photo-1.jpg'" in done.stderr) == (1, True)
    assert (school.keys(), school.faces()) == ([], [])


@pytest.mark.slow
def test_a_sample_photo_that_was_drawn_again_is_named_and_replaces_nothing(
    school: School, new_photo: NewPhoto, tmp_path: Path
) -> None:
    seeds = tmp_path / "seeds"
    shutil.copytree(CLASS_PHOTO.parents[2], seeds)
    own = {"INVOKE_SEED_FOLDER": str(seeds)}
    school.inv("enrol", **own)
    faces, kept = school.faces(), school.bucket.download("students/student-001/photo-1.jpg")
    drawn = new_photo(seeds / "photos" / "students" / "student-001" / "photo-1.jpg", "student-001", 2)
    assert drawn.read_bytes() != kept
    done = school.inv("enrol", check=False, **own)
    assert (done.returncode, done.stdout) == (1, "")
    assert "18 photos: 0 uploaded, 0 faces indexed; " in done.stderr
    assert str(drawn) in done.stderr
    assert "`inv unenrol student-001`, `inv enrol`, `inv seed-full`" in done.stderr
    assert (school.faces(), school.bucket.download("students/student-001/photo-1.jpg")) == (faces, kept)
    school.inv("unenrol", "student-001", "--yes")
    assert "24 photos: 3 uploaded, 3 faces indexed" in school.inv("enrol", **own).stdout
    assert "all in the bucket and in the collection already" in school.inv("enrol", **own).stdout
    assert school.bucket.download("students/student-001/photo-1.jpg") == drawn.read_bytes()


@pytest.mark.slow
def test_a_picture_that_a_request_cannot_carry_is_sent_smaller(
    school: School, photo: Path, cloud_endpoint: str, cloud_variables: dict[str, str]
) -> None:
    with Image.open(photo) as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees to stand upright
        noise = Image.effect_noise((3000, 3000), 90).convert("RGB")
        noise.paste(image.resize((1800, 2400)), (100, 100))
        noise.rotate(90, expand=True).save(photo, quality=97, exif=exif)
    assert photo.stat().st_size > 5 * 1024 * 1024
    flags = ("student-001", str(photo))
    elsewhere = {"INVOKE_TARGETS_LOCAL_S3_ENDPOINT": cloud_endpoint, **cloud_variables}
    assert "1 enrolled" in school.inv("enrol", *flags, **elsewhere).stdout
    school.assert_enrolled("student-001-photo-4")
    assert school.bucket.download("students/student-001/photo-4.jpg") == photo.read_bytes()


@pytest.mark.sampled
@pytest.mark.parametrize("means", ["policy", "ACL"])
def test_nothing_is_enrolled_into_a_bucket_that_everybody_can_read(
    school: School, photo: Path, cloud_client: Callable[[str], Any], means: str
) -> None:
    client = cloud_client("s3")
    client.create_bucket(Bucket=school.name)
    if means == "ACL":
        client.put_bucket_acl(Bucket=school.name, ACL="public-read")
    else:
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{school.name}/*",
        }
        client.put_bucket_policy(
            Bucket=school.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
    done = school.inv("enrol", "student-001", str(photo), check=False)
    assert done.returncode == 1
    assert f"Bucket {school.name} is not private: its {means}" in done.stderr
    assert (school.keys(), school.faces(), school.rows()) == ([], [], [])


@pytest.mark.sampled
@pytest.mark.parametrize("form", ["a student", "a folder", "the sample photos", "a push"])
def test_a_bucket_that_may_be_public_for_all_its_endpoint_says_is_noted(
    school: School, new_photo: NewPhoto, tmp_path: Path, relay: Any, cloud_variables: dict[str, str], form: str
) -> None:
    unknown = ("publicAccessBlock", "policyStatus", "acl")  # what Cloudflare R2 does not implement
    refusal = b"<Error><Code>NotImplemented</Code><Message>not implemented</Message></Error>"
    endpoint = relay(lambda request, _: (501, refusal) if request.path.partition("?")[2] in unknown else None)
    file = new_photo(tmp_path / "students" / "student-001" / "photo-7.jpg", "student-001")
    commands = {
        "a student": ("enrol", "student-001", str(file)),
        "a folder": ("enrol", "--from", str(tmp_path)),
        "the sample photos": ("enrol", "--yes"),
        "a push": ("photos", "push", str(tmp_path)),
    }
    done = school.inv(*commands[form], INVOKE_TARGETS_LOCAL_S3_ENDPOINT=endpoint, **cloud_variables)
    assert done.stderr.count(f"bucket {school.name}: its endpoint cannot say whether it is public") == 1
    assert school.keys() != []


REMOVED = """
import json, os, signal, sys
from eduguard.postgres import Database, connect
from eduguard.aws import open_bucket, open_collection
from eduguard.students import Storage, remove_traces
url, access, name, last = sys.argv[1:]
access = json.loads(access)
storage = Storage(collection=open_collection(name, **access), bucket=open_bucket(name, **access), by_reference=True)
with connect(Database.from_url(url), purpose="unenrol") as conn:
    remove_traces(conn, "student-001", storage, tell=lambda step: step == last and os.kill(os.getpid(), signal.SIGKILL))
"""


def test_unenrol_shows_what_it_removes_and_removes_it_everywhere(
    school: School, new_photo: NewPhoto, photo: Path, tmp_path: Path
) -> None:
    other = new_photo(tmp_path / "other.jpg", "student-002")
    school.inv("enrol", "student-001", str(photo))
    school.inv("enrol", "student-002", str(other))
    refused = school.inv("unenrol", "student-001", check=False)
    assert refused.returncode == 1
    assert "nothing was removed (1 face, 1 photo, 4 rows)" in refused.stderr
    for line in ("photo  students/student-001/photo-4.jpg", "row    student-001-photo-4", "row    face-001-1"):
        assert line in refused.stderr
    school.assert_enrolled("student-001-photo-4", "student-002-photo-4")
    done = school.inv("unenrol", "student-001", "--yes")
    assert "1 face, 1 photo, 4 rows removed" in done.stdout
    school.assert_enrolled("student-002-photo-4")
    assert "nothing to remove" in school.inv("unenrol", "student-001", "--yes").stdout


@pytest.mark.slow
def test_unenrol_removes_every_version_of_a_photo(school: School, photo: Path, client: Any) -> None:
    client.create_bucket(Bucket=school.name)
    client.put_bucket_versioning(Bucket=school.name, VersioningConfiguration={"Status": "Enabled"})
    school.inv("enrol", "student-001", str(photo))
    client.put_object(Bucket=school.name, Key="students/student-001/photo-4.jpg", Body=b"second version")
    school.inv("unenrol", "student-001", "--yes")
    left = client.list_object_versions(Bucket=school.name)
    assert left.get("Versions", []) + left.get("DeleteMarkers", []) == []


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("step", ["user", "faces", "photos", "rows", "committed"])
def test_unenrol_killed_at_any_step_is_finished_by_the_next_run(school: School, photo: Path, step: str) -> None:
    school.inv("enrol", "student-001", str(photo), "--users")
    arguments = [school.database.url, json.dumps(school.access), school.name, step]
    killed = subprocess.run([sys.executable, "-c", REMOVED, *arguments], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert school.collection.list_users() == set()
    assert bool(school.faces()) is (step == "user")
    assert bool(school.keys()) is (step in {"user", "faces"})
    assert len(school.rows()) == (step != "committed")
    school.inv("unenrol", "student-001", "--yes")
    school.assert_enrolled()


@pytest.mark.slow
def test_unenrol_names_the_copies_that_it_does_not_reach_and_deletes_the_rows_inside_them_when_asked(
    school: School, photo: Path
) -> None:
    school.inv("enrol", "student-001", str(photo))
    school.inv("snapshot", "save", "kept")
    database = school.database
    with connect(database.maintenance, purpose="tests") as conn:
        for copy in (database.previous, database.discarded):
            execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", copy, database)
    done = school.inv("unenrol", "student-001", "--yes")
    kept = [line for line in done.stderr.splitlines() if line.startswith("not reached: ")]
    assert len(kept) == 1
    for name in (database.previous.name, database.discarded.name, "eduguard_snapshot_", "write-ahead log", "seed_data"):
        assert name in kept[0]
    query = "SELECT count(*) FROM student_faces WHERE student_id = 'student-001'"
    for copy in (database.previous, database.discarded):
        with connect(copy, purpose="tests") as conn:
            assert read_value(conn, query) == 4
    done = school.inv("unenrol", "student-001", "--copies", "--yes")
    assert done.stdout.count("student-001: 4 rows removed in ") == 3
    assert database.name not in done.stderr.partition("not reached: ")[2]
    for copy in (database.previous, database.discarded):
        with connect(copy, purpose="tests") as conn:
            assert read_value(conn, query) == 0
            assert read_value(conn, "SELECT count(*) FROM student_faces") == 21
    with connect(database.maintenance, purpose="tests") as conn:
        for copy in (database.previous, database.discarded):
            execute_for(conn, "DROP DATABASE {}", copy)
    school.inv("snapshot", "restore", "kept", "--confirm", database.name)
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, query) == 0
        assert read_value(conn, "SELECT count(*) FROM student_faces") == 21


def users(school: School) -> dict[str, str | None]:
    return {
        face.external_image_id: face.user_id for page in school.collection.list_faces() for face in page
    }  # fmt: skip


@pytest.mark.slow
def test_users_follow_the_external_image_ids_and_are_rebuilt_by_sync(
    school: School, new_photo: NewPhoto, photo: Path, tmp_path: Path
) -> None:
    other = new_photo(tmp_path / "other.jpg", "student-001", 2)
    flags = ("student-001", str(photo), str(other), "--users")
    assert "2 faces given to 1 user, 0 unchanged" in school.inv("enrol", *flags).stdout
    belonging = {"student-001-photo-4": "student-001", "student-001-photo-5": "student-001"}
    assert users(school) == belonging
    assert (
        "0 faces given to 0 users, 2 unchanged" in school.inv("sync-faces", "--school", "school-001", "--users").stdout
    )
    school.collection.delete_user("student-001")
    assert (
        "2 faces given to 1 user, 0 unchanged" in school.inv("sync-faces", "--school", "school-001", "--users").stdout
    )
    assert users(school) == belonging
    assert "2 faces, 2 photos, 5 rows, 1 user removed" in school.inv("unenrol", "student-001", "--yes").stdout
    assert school.collection.list_users() == set()
    school.assert_enrolled()


@pytest.mark.slow
def test_a_photo_of_somebody_else_is_not_given_to_a_students_user(
    school: School, new_photo: NewPhoto, photo: Path, tmp_path: Path
) -> None:
    other = new_photo(tmp_path / "other.jpg", "student-002")
    school.inv("enrol", "student-001", str(photo), "--users")
    done = school.inv("enrol", "student-001", str(other), "--users", check=False)
    assert done.returncode == 1
    assert "1 refused" in done.stderr
    assert "LOW_MATCH_CONFIDENCE" in done.stderr


def test_no_table_has_room_for_a_picture_and_no_message_holds_one(school: School, photo: Path) -> None:
    query = (
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'"
        " AND (data_type = 'bytea' OR data_type = 'ARRAY')"
    )
    with connect(school.database, purpose="tests") as conn:
        assert read_value(conn, query) == 0
    photo.write_bytes(CLASS_PHOTO.read_bytes())
    done = school.inv("enrol", "student-001", str(photo), check=False)
    assert done.returncode == 1
    assert len(done.stdout + done.stderr) < 500
    assert "JFIF" not in done.stdout + done.stderr


def test_a_student_whose_faces_are_in_another_collection_is_refused(school: School, photo: Path) -> None:
    with connect(school.database, purpose="tests") as conn:
        conn.execute("UPDATE students SET aws_collection_id = 'elsewhere' WHERE id = 'student-001'")
    for command in (
        ("enrol", "student-001", str(photo)),
        ("unenrol", "student-001", "--yes"),
    ):
        done = school.inv(*command, "--collection", school.name, check=False)
        assert (done.returncode, "student-001 (in elsewhere)" in done.stderr) == (1, True), done.stderr
        assert "Leave --collection and --school out" in done.stderr
    school.assert_enrolled()
