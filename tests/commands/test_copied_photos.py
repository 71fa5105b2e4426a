"""Photos for a copied school: portraits that we draw, or the photos in another target's bucket."""

import json
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import Bucket, open_bucket
from eduguard.portability.copied_photos import can_copy_inside, check_other_bucket
from eduguard.settings import Settings
from eduguard.students import marks_of

School = Any  # of conftest.py
PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
KEY = "students/student-001/photo-{}.jpg"


def contents(school: School) -> dict[str, bytes]:
    return {key: school.bucket.download(key) for key in school.bucket.sizes()}


def test_every_sample_photo_says_that_it_is_drawn() -> None:
    unmarked = [file.name for file in PHOTOS.rglob("*.jpg") if not marks_of(file.read_bytes())]
    assert unmarked == []


@pytest.mark.slow
def test_portraits_are_drawn_once_and_attendance_works_with_them(school: School) -> None:
    assert "24 portraits to draw, 0 were there" in school.inv("photos", "draw", "--dry-run").stdout
    assert "6 portraits drawn" in school.inv("photos", "draw", "--school", "school-002").stdout
    assert "18 portraits drawn, 6 were there" in school.inv("photos", "draw").stdout
    assert "0 portraits drawn, 24 were there" in school.inv("photos", "draw").stdout
    assert school.inv("photos", "check").stdout.startswith("photos     24 photos of rows: 0 missing, 0 extra")
    marks = {key: school.bucket.read_metadata(key) for key in school.bucket.sizes()}
    assert {each["origin"] for each in marks.values()} == {"drawn"}
    assert len({(key.rpartition("/")[0], each["face"]) for key, each in marks.items()}) == 8
    school.inv("reindex", "sync-faces")
    assert "8 of 8 photos recognised" in school.inv("verify", "--one-each").stdout


@pytest.mark.slow
def test_a_lost_portrait_gets_the_face_that_its_student_has(school: School) -> None:
    school.inv("photos", "draw")
    before = contents(school)
    school.bucket.delete([KEY.format(2)])
    assert "1 portrait drawn, 23 were there" in school.inv("photos", "draw").stdout
    assert contents(school) == before


@pytest.mark.slow
def test_a_photo_of_somebody_is_replaced_only_after_the_buckets_name(school: School) -> None:
    school.bucket.ensure_exists()
    school.bucket.put(KEY.format(1), (PHOTOS / KEY.format(1)).read_bytes(), {})
    refused = school.inv("photos", "draw", check=False)
    assert refused.returncode == 1
    assert "replaces 1 photo that was not drawn" in refused.stderr
    assert "'another' is not its name" in school.inv(
        "photos", "draw", "--confirm-bucket", "another", check=False
    ).stderr  # fmt: skip
    assert school.keys() == [KEY.format(1)]
    consent = refused.stderr.rstrip().rpartition("pass ")[2].split()
    assert "24 portraits drawn, 0 were there, 1 in place" in school.inv("photos", "draw", *consent).stdout
    assert school.bucket.read_metadata(KEY.format(1))["origin"] == "drawn"


@pytest.fixture
def source(school: School) -> Bucket:
    """The bucket of another target: the sample photos, a photo that no row names, and metadata to recognise it by."""
    bucket = open_bucket(f"{school.name}-source", **school.access)
    bucket.ensure_exists()
    for file in (PHOTOS / "students").rglob("*.jpg"):
        bucket.put(file.relative_to(PHOTOS).as_posix(), file.read_bytes(), {"taken": "2026"})
    bucket.put("students/nobody/photo-1.jpg", (PHOTOS / KEY.format(1)).read_bytes())
    return bucket


def from_staging(school: School, **more: str) -> dict[str, str]:
    return {
        "INVOKE_TARGETS_STAGING_S3_ENDPOINT": "local",
        "INVOKE_TARGETS_STAGING_BUCKET_REGION": "us-east-1",
        "INVOKE_TARGETS_STAGING_BUCKET": f"{school.name}-source",
        **more,
    }


@pytest.mark.slow
def test_photos_are_copied_after_the_buckets_name_and_a_second_run_copies_nothing(
    school: School, source: Bucket
) -> None:
    copy, settings = ("photos", "copy", "--from", "staging"), from_staging(school)
    before = source.list_objects()
    assert "24 photos" in school.inv(*copy, "--dry-run", **settings).stdout
    refused = school.inv(*copy, check=False, **settings)
    assert refused.returncode == 1
    assert not school.bucket.exists()
    consent = refused.stderr.rstrip().rpartition("pass ")[2].split()
    school.bucket.ensure_exists()
    school.bucket.put(KEY.format(1), (PHOTOS / KEY.format(2)).read_bytes())
    done = school.inv(*copy, *consent, **settings)
    assert "copied, 0 the same on both sides, 1 in place of another" in done.stdout
    copied = school.bucket.list_objects()
    assert copied == {key: each for key, each in before.items() if "nobody" not in key}
    assert school.bucket.read_metadata(KEY.format(1))["taken"] == "2026"
    school.bucket.delete([KEY.format(3)])
    assert "1 photo (0.0 MB) copied, 23 the same" in school.inv(*copy, *consent, **settings).stdout
    assert "0 photos (0.0 MB) copied, 24 the same" in school.inv(*copy, **settings).stdout
    assert source.list_objects() == before
    source.delete([KEY.format(1)])
    lacking = school.inv(*copy, check=False, **settings)
    assert lacking.returncode == 2
    assert f"bucket {source.name} lacks 1 photo: {KEY.format(1)}" in lacking.stderr


@pytest.mark.slow
def test_between_two_clouds_the_photos_pass_through_and_the_source_is_only_read(
    school: School, source: Bucket, relay: Any, cloud_variables: dict[str, str]
) -> None:
    asked = set[str]()

    def note(handler: Any, body: bytes) -> None:
        asked.add(handler.command)

    elsewhere = from_staging(school, INVOKE_TARGETS_STAGING_S3_ENDPOINT=relay(note), **cloud_variables)
    done = school.inv("photos", "copy", "--from", "staging", "--confirm-bucket", school.name, **elsewhere)
    assert "copied, 0 the same on both sides" in done.stdout
    assert len(school.keys()) == 24
    assert {key: each.etag for key, each in school.bucket.list_objects().items()}.items() <= {
        key: each.etag for key, each in source.list_objects().items()
    }.items()
    marks = school.bucket.read_metadata(KEY.format(1))
    assert (marks["taken"], marks["origin"], marks["sha256"]) == ("2026", "drawn", source.read_sha256(KEY.format(1)))
    assert asked <= {"GET", "HEAD"}


@pytest.mark.slow
def test_a_damaged_photo_is_not_carried_on(
    school: School, source: Bucket, relay: Any, cloud_variables: dict[str, str]
) -> None:
    whole = (PHOTOS / KEY.format(1)).read_bytes()
    metadata = source.read_metadata(KEY.format(1))
    school.client("s3").put_object(Bucket=source.name, Key=KEY.format(1), Body=whole[:-500], Metadata=metadata)
    elsewhere = from_staging(school, INVOKE_TARGETS_STAGING_S3_ENDPOINT=relay(lambda *_: None), **cloud_variables)
    done = school.inv(
        "photos", "copy", "--from", "staging", "--confirm-bucket", school.name, check=False, **elsewhere
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{KEY.format(1)} of bucket {source.name} is damaged" in done.stderr
    assert KEY.format(1) not in school.bucket.sizes()


@pytest.mark.slow
def test_a_bucket_is_not_copied_into_itself(school: School, settings: Settings) -> None:
    itself = from_staging(school, INVOKE_TARGETS_STAGING_BUCKET=school.name)
    for target in ("staging", "local"):
        done = school.inv("photos", "copy", "--from", target, check=False, **itself)
        assert f"have one bucket, {school.name}" in done.stderr
    production = settings.other_target("production", needs_database=False).target
    check_other_bucket(production, settings.target)
    assert not can_copy_inside(production, settings.target)
    assert json.loads(school.inv("status", "--json").stdout)["bucket"] == school.name
