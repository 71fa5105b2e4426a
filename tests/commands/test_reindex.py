"""The faces of a collection are indexed again from the photos, each once, whatever fails on the way."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eduguard.portability.estimate import SHARE
from eduguard.postgres import connect

School = Any  # of conftest.py
PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
COLLECTION_CALLS = {"DescribeCollection", "ListFaces", "ListTagsForResource", "CreateCollection", "TagResource"}


@pytest.fixture
def stored(school: School) -> School:
    """A school whose photos are in the bucket, but without a collection."""
    school.bucket.ensure_exists()
    school.inv("photos", "push", str(PHOTOS))
    return school


@pytest.fixture
def counted(relay: Any, cloud_variables: dict[str, str]) -> tuple[Counter[str], dict[str, str]]:
    """The counted requests to Rekognition by operation, and the variables that point there, with photos as bytes."""
    asked: Counter[str] = Counter()

    def count(handler: Any, body: bytes) -> None:
        asked[handler.headers.get("X-Amz-Target", "").rpartition(".")[2]] += 1

    return asked, {
        "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": relay(count),
        "INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND": "20",
        **cloud_variables,
    }


def names(school: School, collection: str = "") -> list[str]:
    found = school.collection.named(collection or school.name)
    return sorted(face.external_image_id for page in found.list_faces() for face in page)


def rows(school: School, like: str = "%") -> list[str]:
    with connect(school.database, purpose="tests") as conn:
        query = "SELECT external_image_id FROM student_faces WHERE student_id LIKE %s ORDER BY 1"
        return [name for (name,) in conn.execute(query, [like])]


def reindex(school: School, *flags: str, **options: Any) -> dict[str, Any]:
    return dict(json.loads(school.inv("reindex", "--json", *flags, **options).stdout))


def test_a_lost_collection_is_made_again_tagged_and_linked(school: School, client: Any) -> None:
    school.inv("enrol", "sync-faces")
    before = dict(school.rows())
    client.delete_collection(CollectionId=school.name)
    assert [each["to_index"] for each in reindex(school, "--dry-run")["collections"]] == [18, 0]
    assert school.collection.describe() is None
    done = school.inv("reindex")
    assert f"{school.name}: 18 faces indexed, 0 were there" in done.stdout
    assert f"{school.name}-2: 0 faces indexed, 6 were there" in done.stdout
    assert names(school) == rows(school, "student-00_")
    arn = school.collection.require().arn
    assert school.collection.read_school(arn) == "school-001"
    command = done.stderr.rstrip().rpartition("inv ")[2].split()
    assert command == ["sync-faces", "--confirm-collection", school.name]
    school.inv(*command)
    assert all(after != before[name] for name, after in school.rows() if name.startswith("student-00"))
    assert "8 of 8 photos recognised" in school.inv("verify", "--one-each").stdout
    assert [each["to_index"] for each in reindex(school)["collections"]] == [0, 0]


@pytest.mark.slow
def test_two_schools_get_a_collection_each_and_one_alone_where_named(stored: School) -> None:
    done = stored.inv("reindex", "--school", "school-002")
    assert done.stderr.endswith("hold the new FaceIds yet: inv sync-faces\n")
    assert stored.collection.describe() is None
    assert names(stored, f"{stored.name}-2") == rows(stored, "student-10_")
    assert [each["indexed"] for each in reindex(stored)["collections"]] == [18, 0]
    assert names(stored) == rows(stored, "student-00_")
    assert "18 synced" in stored.inv("sync-faces").stdout


@pytest.mark.slow
def test_lost_rows_come_back_by_way_of_their_photos(stored: School) -> None:
    kept = rows(stored)
    with connect(stored.database, purpose="tests") as conn:
        conn.execute("DELETE FROM student_faces")
    done = stored.inv("reindex")
    assert "18 faces indexed" in done.stdout
    assert done.stderr.rstrip().endswith("inv sync-faces --adopt")
    stored.inv("sync-faces", "--adopt")
    assert rows(stored) == kept == sorted(name for name, _ in stored.rows())


@pytest.mark.slow
def test_the_plan_counts_the_requests_that_are_sent_and_nothing_is_searched(
    stored: School, counted: tuple[Counter[str], dict[str, str]]
) -> None:
    asked, variables = counted
    plan = reindex(stored, "--dry-run", **variables)
    assert (plan["requests"], plan["seconds"], plan["dollars_once"]) == (24, 24 / 20, pytest.approx(0.024))
    assert asked["IndexFaces"] == 0
    refused = stored.inv("reindex", check=False, **variables)
    assert (refused.returncode, asked["IndexFaces"]) == (1, 0)
    assert "`inv reindex --yes` indexes without asking" in refused.stderr
    done = stored.inv("reindex", "--yes", **variables)
    assert ": 18 photos, 18 to index: 1 s at 20/s, $0.02 once, $0.00 a month (prices of 2025-12-03)" in done.stdout
    assert asked["IndexFaces"] == 24
    assert set(asked) <= COLLECTION_CALLS | {"IndexFaces"}
    assert reindex(stored, "--yes", **variables)["requests"] == 0
    assert asked["IndexFaces"] == 24


@pytest.mark.slow
def test_at_the_pace_of_a_quota_no_request_is_refused(
    stored: School, counted: tuple[Counter[str], dict[str, str]], faults: Any
) -> None:
    asked, variables = counted
    faults(tps=8, operation="IndexFaces")
    stored.inv("reindex", "--yes", **variables | {"INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND": str(SHARE * 8)})
    assert asked["IndexFaces"] == 24, "one that is refused is sent again"


@pytest.mark.fault
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"throttle": 5, "after": 3}, id="throttled", marks=pytest.mark.slow),
        pytest.param({"tps": 6}, id="over the quota", marks=pytest.mark.slow),
        pytest.param({"fail": 4, "after": 2}, id="server errors", marks=pytest.mark.slow),
        pytest.param({"drop": 4, "after": 2}, id="dropped connections", marks=pytest.mark.slow),
        pytest.param({"cut": 3, "after": 2}, id="cut answers"),
    ],
)
def test_a_fault_on_the_way_loses_no_face_and_makes_none_twice(
    stored: School, faults: Any, fault: dict[str, Any]
) -> None:
    faults(**fault, operation="IndexFaces")
    stored.inv("reindex")
    faults()
    assert names(stored) == rows(stored, "student-00_")
    assert names(stored, f"{stored.name}-2") == rows(stored, "student-10_")
    assert reindex(stored, "--dry-run")["requests"] == 0


@pytest.mark.fault
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        pytest.param({"deny": 99}, "AccessDeniedException", id="permission"),
        pytest.param({"cut": 99}, "not as Rekognition answers", id="broken answers", marks=pytest.mark.slow),
        pytest.param({"expire": 99}, "Expired", id="expired credentials", marks=pytest.mark.slow),
    ],
)
def test_what_stays_broken_stops_it_and_the_next_run_goes_on(
    stored: School, faults: Any, fault: dict[str, Any], says: str
) -> None:
    faults(**fault, after=5, operation="IndexFaces")
    done = stored.inv("reindex", check=False)
    faults()
    assert done.returncode == 1
    assert "of 18 faces indexed, then this stopped" in done.stderr
    assert says in done.stderr
    assert "`inv reindex` goes on where it stopped" in done.stderr
    left = reindex(stored, "--dry-run")["requests"]
    assert left <= 24 - 5
    assert reindex(stored)["requests"] == left
    assert names(stored) == rows(stored, "student-00_")


@pytest.mark.slow
def test_a_photo_without_its_one_face_is_named_and_the_rest_goes_on(stored: School, tmp_path: Path) -> None:
    grey = tmp_path / "grey.jpg"
    Image.new("RGB", (200, 200), "grey").save(grey)
    stored.bucket.put("students/student-001/photo-1.jpg", grey.read_bytes())
    stored.bucket.put("students/student-001/photo-2.jpg", (PHOTOS / "classes" / "class-1b-lenguaje.jpg").read_bytes())
    stored.client("s3").put_object(Bucket=stored.name, Key="students/student-002/photo-1.jpg", Body=b"no picture")
    stored.bucket.delete(["students/student-003/photo-1.jpg"])
    done = stored.inv("reindex", check=False)
    assert done.returncode == 2
    assert "student-001-photo-1: 0 faces found, one expected" in done.stdout
    assert "student-001-photo-2: 6 faces found, one expected" in done.stdout
    assert "student-002-photo-1: Rekognition does not take the picture" in done.stdout
    assert "student-003-photo-1: bucket and collection have nothing" in done.stdout
    assert "14 faces indexed, 0 were there, 4 to look at" in done.stdout
    assert len(names(stored)) == 14
    assert reindex(stored, "--dry-run")["requests"] == 3


@pytest.mark.slow
def test_photos_of_another_cloud_are_sent_as_bytes_and_made_small_enough(
    stored: School, counted: tuple[Counter[str], dict[str, str]], tmp_path: Path
) -> None:
    large = tmp_path / "large.jpg"
    with Image.open(PHOTOS / "students" / "student-001" / "photo-1.jpg") as picture:
        noise = Image.effect_noise((2600, 2600), 90).convert("RGB")
        Image.blend(picture.resize(noise.size), noise, 0.15).save(large, quality=100, subsampling=0)
    assert large.stat().st_size > 5 * 1024 * 1024
    stored.bucket.put("students/student-001/photo-1.jpg", large.read_bytes())
    _, variables = counted
    assert reindex(stored, "--yes", "--school", "school-001", **variables)["collections"][0]["indexed"] == 18
    assert names(stored) == rows(stored, "student-00_")


def test_a_collection_of_another_school_is_not_written(stored: School, client: Any) -> None:
    client.create_collection(CollectionId=stored.name, Tags={"eduguard-school": "school-002"})
    refused = stored.inv("reindex", check=False)
    assert f"Collection {stored.name} is tagged as the one of school-002, not of school-001" in refused.stderr
    assert names(stored) == []


@pytest.mark.slow
def test_a_face_that_is_there_twice_is_named(stored: School, client: Any) -> None:
    stored.inv("reindex")
    other = (PHOTOS / "students" / "student-001" / "photo-2.jpg").read_bytes()
    client.index_faces(CollectionId=stored.name, Image={"Bytes": other}, ExternalImageId="student-001-photo-1")
    done = stored.inv("reindex", check=False)
    assert done.returncode == 2
    assert "student-001-photo-1: several faces have this external image id" in done.stdout
