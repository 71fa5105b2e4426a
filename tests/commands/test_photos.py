"""Rows are compared with the bucket, and a folder with the bucket."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eduguard.errors import EduguardError
from eduguard.students.photos import check_keys, is_photo_key
from eduguard.students.private_files import write_inside

PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
School = Any  # of conftest.py


@pytest.fixture
def client(cloud_client: Callable[[str], Any]) -> Any:
    return cloud_client("s3")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    shutil.copytree(PHOTOS / "students", tmp_path / "samples" / "students")
    return tmp_path / "samples"


def test_push_check_and_pull_agree_and_a_second_run_copies_nothing(
    school: School, samples: Path, tmp_path: Path
) -> None:
    assert "24 photos to push, 0 the same" in push(school, samples, "--dry-run", made=True)
    assert school.keys() == []
    assert "24 photos pushed, 0 the same on both sides" in push(school, samples)
    assert "0 photos pushed, 24 the same on both sides" in push(school, samples)
    assert school.inv("photos", "check").stdout.startswith("photos     24 photos of rows: 0 missing, 0 extra")
    copy = tmp_path / "copy"
    assert "24 photos pulled" in school.inv("photos", "pull", str(copy)).stdout
    assert "0 photos pulled, 24 the same" in school.inv("photos", "pull", str(copy)).stdout
    pulled = {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert pulled == {path.relative_to(samples): path.read_bytes() for path in samples.rglob("*.jpg")}


def push(school: School, folder: Path, *flags: str, made: bool = False) -> str:
    if made:
        school.bucket.ensure_exists()
    return str(school.inv("photos", "push", str(folder), *flags).stdout)


@pytest.mark.slow
def test_a_copy_that_was_cut_short_goes_on(school: School, samples: Path, tmp_path: Path) -> None:
    push(school, samples)
    copy = tmp_path / "copy"
    school.inv("photos", "pull", str(copy))
    (copy / "students/student-001/photo-1.jpg").unlink()
    (copy / "students/student-002/photo-1.jpg").write_bytes(b"cut short")
    (copy / "students/student-003/.photo-1.jpg.part").write_bytes(b"left by a kill")
    assert "2 photos pulled, 22 the same" in school.inv("photos", "pull", str(copy)).stdout
    assert "0 photos pushed, 24 the same" in push(school, copy)


@pytest.mark.slow
def test_check_tells_missing_extra_wrong_and_small_photos(
    school: School, samples: Path, client: Any, tmp_path: Path
) -> None:
    push(school, samples)
    Image.new("RGB", (79, 200)).save(tmp_path / "narrow.jpg")
    Image.new("RGB", (200, 79)).save(tmp_path / "low.jpg")
    client.delete_object(Bucket=school.name, Key="students/student-001/photo-1.jpg")
    client.put_object(Bucket=school.name, Key="students/student-001/photo-9.jpg", Body=b"extra")
    client.put_object(
        Bucket=school.name, Key="students/student-002/photo-1.jpg", Body=b"no picture", ContentType="image/jpeg"
    )
    client.put_object(
        Bucket=school.name, Key="students/student-002/photo-2.jpg", ContentType="text/html",
        Body=(samples / "students/student-002/photo-2.jpg").read_bytes(),
    )  # fmt: skip
    school.bucket.put("students/student-003/photo-1.jpg", (tmp_path / "narrow.jpg").read_bytes())
    client.put_object(Bucket=school.name, Key="students/student-003/photo-2.jpg", Body=b"")
    school.bucket.put("students/student-003/photo-3.jpg", (tmp_path / "low.jpg").read_bytes())
    whole = (samples / "students/student-004/photo-1.jpg").read_bytes()
    client.put_object(
        Bucket=school.name, Key="students/student-004/photo-1.jpg", ContentType="image/jpeg",
        Body=whole[:-1000], Metadata={"sha256": hashlib.sha256(whole).hexdigest()},
    )  # fmt: skip
    client.put_object(Bucket=school.name, Key="students/", Body=b"")
    client.put_object(Bucket=school.name, Key="students/student-001/notes.txt", Body=b"not a photo")
    done = school.inv("photos", "check", "--json", check=False)
    assert done.returncode == 2
    assert "8 problems with photos" in done.stderr
    report = json.loads(done.stdout)
    assert report.pop("error")["message"] == "8 problems with photos"
    assert report == {
        "photos": 24,
        "missing": ["students/student-001/photo-1.jpg"],
        "extra": ["students/student-001/photo-9.jpg"],
        "wrong_type": ["students/student-002/photo-1.jpg", "students/student-002/photo-2.jpg"],
        "too_small": [f"students/student-003/photo-{number}.jpg" for number in (1, 2, 3)],
        "damaged": ["students/student-004/photo-1.jpg"],
    }
    table = school.inv("photos", "check", check=False).stdout
    assert "missing     students/student-001/photo-1.jpg" in table


@pytest.mark.sampled("../escaped.jpg")
@pytest.mark.parametrize(
    "key",
    ["../escaped.jpg", "a/../../escaped.jpg", "/absolute.jpg", "a//b.jpg", "a/\\..\\b.jpg", "a/\u202e.jpg", ".hidden.jpg", "program.exe"],
)  # fmt: skip
def test_a_key_that_could_leave_the_folder_is_refused(key: str) -> None:
    with pytest.raises(EduguardError, match="1 key cannot be a file"):
        check_keys(["students/student-001/photo-1.jpg", key])
    assert not is_photo_key(key)


def test_what_is_not_a_students_photo_does_not_stop_a_pull(school: School, tmp_path: Path, client: Any) -> None:
    client.create_bucket(Bucket=school.name)
    markers = ("students/", "students/student-001/")
    strange = ("students/../photo-1.jpg", "students/student-001/notes.txt", "classes/class-1.jpg", "students/..jpg")
    for key in (*markers, *strange, "students/student-001/photo-1.jpg"):
        client.put_object(Bucket=school.name, Key=key, Body=b"")
    copy = tmp_path / "copy"
    done = school.inv("photos", "pull", str(copy))
    assert "1 photo pulled, 0 the same on both sides, 4 that are not students' photos passed over" in done.stdout
    (pulled,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert pulled == copy / "students" / "student-001" / "photo-1.jpg"
    assert pulled.stat().st_mode & 0o777 == 0o600
    assert pulled.parent.stat().st_mode & 0o777 == 0o700


def test_a_photo_that_is_damaged_in_the_bucket_is_not_pulled(school: School, tmp_path: Path, client: Any) -> None:
    client.create_bucket(Bucket=school.name)
    kept = {"sha256": hashlib.sha256(b"whole").hexdigest()}
    for number, content in ((1, b"who"), (2, b"whole")):
        key = f"students/student-001/photo-{number}.jpg"
        client.put_object(Bucket=school.name, Key=key, Body=content, Metadata=kept)
    done = school.inv("photos", "pull", str(tmp_path), check=False)
    assert done.returncode == 1
    assert "1 damaged photo in bucket" in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["photo-2.jpg"]


@pytest.mark.slow
@pytest.mark.parametrize("link", ["students", "students/student-001", "students/student-001/photo-1.jpg"])
def test_a_symbolic_link_does_not_lead_a_pull_out_of_the_folder(
    school: School, samples: Path, tmp_path: Path, link: str
) -> None:
    push(school, samples)
    (tmp_path / "elsewhere").mkdir()
    planted = tmp_path / "copy" / link
    planted.parent.mkdir(parents=True)
    planted.symlink_to(tmp_path / "elsewhere" / "photo.jpg" if link.endswith(".jpg") else tmp_path / "elsewhere")
    done = school.inv("photos", "pull", str(tmp_path / "copy"), check=False)
    assert (done.returncode, "leads out of" in done.stderr) == (1, True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_that_is_planted_while_a_pull_runs_is_not_followed(tmp_path: Path) -> None:
    outside, copy = tmp_path / "outside", tmp_path / "copy"
    outside.mkdir()
    (copy / "students").mkdir(parents=True)
    (copy / "students" / "student-001").symlink_to(outside)
    with pytest.raises(EduguardError, match="Cannot write"):
        write_inside(copy, "students/student-001/photo-1.jpg", b"x")
    (copy / "students" / "student-002").mkdir()
    (copy / "students" / "student-002" / ".photo-1.jpg.part").symlink_to(outside / "part")
    (copy / "students" / "student-002" / "photo-1.jpg").symlink_to(outside / "photo")
    write_inside(copy, "students/student-002/photo-1.jpg", b"x")
    assert list(outside.iterdir()) == []
    assert (copy / "students" / "student-002" / "photo-1.jpg").read_bytes() == b"x"


@pytest.mark.slow
def test_only_students_photos_are_pushed_and_what_they_replace_is_asked_for(school: School, samples: Path) -> None:
    (samples / "classes").mkdir()
    shutil.copy(PHOTOS / "classes" / "class-1b-lenguaje.jpg", samples / "classes")
    shutil.copy(PHOTOS / "classes" / "class-1b-lenguaje.jpg", samples / "other.jpg")
    assert "24 photos pushed, 0 the same on both sides, 2 that are not students' photos" in push(school, samples)
    assert len(school.keys()) == 24
    key = "students/student-001/photo-1.jpg"
    before = school.bucket.download(key)
    shutil.copy(samples / "students" / "student-001" / "photo-2.jpg", samples / key)
    assert "1 photo to push, 23 the same on both sides, 1 in place of another" in push(school, samples, "--dry-run")
    done = school.inv("photos", "push", str(samples), check=False)
    assert (done.returncode, f"none was pushed: {key}" in done.stderr) == (1, True)
    assert school.bucket.download(key) == before
    assert "1 photo pushed, 23 the same on both sides, 1 in place of another" in push(school, samples, "--yes")
    assert school.bucket.download(key) == (samples / key).read_bytes()


@pytest.mark.sampled
@pytest.mark.parametrize("below", ["students", "students/student-001"])
def test_a_folder_that_begins_at_another_level_is_refused(school: School, samples: Path, below: str) -> None:
    done = school.inv("photos", "push", str(samples / below), check=False)
    assert (done.returncode, f"No student's photo in {samples / below}" in done.stderr) == (1, True)
    assert not school.bucket.exists()


def test_what_is_not_a_photo_is_not_pushed(school: School, samples: Path) -> None:
    (samples / "students" / "student-001" / "photo-4.jpg").write_text("no picture")
    done = school.inv("photos", "push", str(samples), check=False)
    assert (done.returncode, "No JPEG pictures: students/student-001/photo-4.jpg" in done.stderr) == (1, True)
    assert school.keys() == []


def test_a_folder_that_does_not_exist_is_named_and_no_bucket_is_made(school: School, tmp_path: Path) -> None:
    done = school.inv("photos", "push", str(tmp_path / "mistyped"), check=False)
    assert (done.returncode, f"There is no folder {tmp_path / 'mistyped'}" in done.stderr) == (1, True)
    assert not school.bucket.exists()


@pytest.mark.slow
def test_photos_that_fit_rows_are_proposed_accepted_enrolled_and_saved(
    school: School, samples: Path, tmp_path: Path, new_photo: Callable[..., Path]
) -> None:
    push(school, samples, made=True)
    school.bucket.put("students/student-001/front.jpg", new_photo(tmp_path / "front.jpg", "student-001").read_bytes())
    school.bucket.put("students/student-002/photo-9.jpg", new_photo(tmp_path / "9.jpg", "student-002").read_bytes())
    school.bucket.delete(["students/student-001/photo-2.jpg"])
    school.bucket.put("students/student-002/photo-8.jpg", b"junk")
    before = school.inv("photos", "check", "--propose", check=False)
    assert before.returncode == 2
    assert before.stderr.startswith(
        "students/student-002/photo-8.jpg is not proposed: wrong type; put a good JPEG in its place, or delete it\n"
    )
    assert before.stdout == (
        f"photos     2 photos in bucket {school.name} for a row; no row was written\n"
        "row                  photo                             change\n"
        "student-001-photo-2  students/student-001/front.jpg    in place of students/student-001/photo-2.jpg, which is missing\n"
        "student-002-photo-9  students/student-002/photo-9.jpg  a new row\n"
    )
    report = json.loads(school.inv("photos", "check", "--propose", "--accept", "--json").stdout)
    assert (len(report["proposals"]), report["written"]) == (2, 2)
    assert "0 photos in bucket" in school.inv("photos", "check", "--propose").stdout
    school.bucket.delete(["students/student-002/photo-8.jpg"])
    school.inv("reindex", "sync-faces")
    assert {"student-001-photo-2", "student-002-photo-9"} <= {name for name, _ in school.faces()}
    assert "24 photos of rows" not in school.inv("photos", "check").stdout
    wrong = school.inv("photos", "check", "--accept", check=False)
    assert (wrong.returncode, "--accept needs --propose" in wrong.stderr) == (1, True)
