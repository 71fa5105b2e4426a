"""Rows against the bucket, and a folder against the bucket."""

import json
import shutil
from pathlib import Path
from typing import Any

import boto3
import pytest
from PIL import Image

PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
School = Any  # of conftest.py


@pytest.fixture
def client(cloud_endpoint: str) -> Any:
    return boto3.client(
        "s3", region_name="us-east-1", endpoint_url=cloud_endpoint, aws_access_key_id="l", aws_secret_access_key="l"
    )


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
    assert school.inv("photos", "check").stdout.startswith("photos   24 photos of rows: 0 missing, 0 extra")
    copy = tmp_path / "copy"
    assert "24 photos pulled" in school.inv("photos", "pull", str(copy)).stdout
    assert "0 photos pulled, 24 the same" in school.inv("photos", "pull", str(copy)).stdout
    pulled = {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert pulled == {path.relative_to(samples): path.read_bytes() for path in samples.rglob("*.jpg")}


def push(school: School, folder: Path, *flags: str, made: bool = False) -> str:
    if made:
        school.bucket.ensure_exists()
    return str(school.inv("photos", "push", str(folder), *flags).stdout)


def test_a_copy_that_was_cut_short_goes_on(school: School, samples: Path, tmp_path: Path) -> None:
    push(school, samples)
    copy = tmp_path / "copy"
    school.inv("photos", "pull", str(copy))
    (copy / "students/student-001/photo-1.jpg").unlink()
    (copy / "students/student-002/photo-1.jpg").write_bytes(b"cut short")
    (copy / "students/student-003/.photo-1.jpg.part").write_bytes(b"left by a kill")
    assert "2 photos pulled, 22 the same" in school.inv("photos", "pull", str(copy)).stdout
    assert "0 photos pushed, 24 the same" in push(school, copy)


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
    school.bucket.upload("students/student-003/photo-1.jpg", tmp_path / "narrow.jpg")
    client.put_object(Bucket=school.name, Key="students/student-003/photo-2.jpg", Body=b"")
    school.bucket.upload("students/student-003/photo-3.jpg", tmp_path / "low.jpg")
    done = school.inv("photos", "check", "--json", check=False)
    assert done.returncode == 1
    assert "7 problems with photos" in done.stderr
    assert json.loads(done.stdout) == {
        "photos": 24,
        "missing": ["students/student-001/photo-1.jpg"],
        "extra": ["students/student-001/photo-9.jpg"],
        "wrong_type": ["students/student-002/photo-1.jpg", "students/student-002/photo-2.jpg"],
        "too_small": [f"students/student-003/photo-{number}.jpg" for number in (1, 2, 3)],
    }
    table = school.inv("photos", "check", check=False).stdout
    assert "missing     students/student-001/photo-1.jpg" in table


@pytest.mark.parametrize(
    "key",
    ["../escaped.jpg", "a/../../escaped.jpg", "/absolute.jpg", "a//b.jpg", "a/\\..\\b.jpg", "a/\u202e.jpg", ".hidden.jpg", "program.exe"],
)  # fmt: skip
def test_a_key_that_could_leave_the_folder_stops_a_pull_before_it_writes(
    school: School, tmp_path: Path, client: Any, key: str
) -> None:
    from eduguard.errors import EduguardError
    from eduguard.students.photos import check_keys

    with pytest.raises(EduguardError, match="1 keys cannot be files"):
        check_keys(["students/student-001/photo-1.jpg", key])
    if key == "../escaped.jpg":
        client.create_bucket(Bucket=school.name)
        client.put_object(Bucket=school.name, Key="students/student-001/photo-1.jpg", Body=b"x")
        client.put_object(Bucket=school.name, Key="students/..jpg", Body=b"x")
        done = school.inv("photos", "pull", str(tmp_path / "copy"), check=False)
        assert (done.returncode, "1 keys cannot be files" in done.stderr) == (1, True)
        assert not (tmp_path / "copy").exists()


def test_a_symbolic_link_does_not_lead_a_pull_out_of_the_folder(school: School, samples: Path, tmp_path: Path) -> None:
    push(school, samples)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "students").symlink_to(tmp_path / "elsewhere")
    done = school.inv("photos", "pull", str(tmp_path / "copy"), check=False)
    assert (done.returncode, "leads out of" in done.stderr) == (1, True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_no_photo_is_not_pushed(school: School, samples: Path) -> None:
    (samples / "students" / "student-001" / "photo-4.jpg").write_text("no picture")
    done = school.inv("photos", "push", str(samples), check=False)
    assert (done.returncode, "No JPEG pictures: students/student-001/photo-4.jpg" in done.stderr) == (1, True)
    assert school.keys() == []


def test_a_folder_that_does_not_exist_is_named_and_no_bucket_is_made(school: School, tmp_path: Path) -> None:
    done = school.inv("photos", "push", str(tmp_path / "mistyped"), check=False)
    assert (done.returncode, f"There is no folder {tmp_path / 'mistyped'}" in done.stderr) == (1, True)
    assert not school.bucket.exists()
