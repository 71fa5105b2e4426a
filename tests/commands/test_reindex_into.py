"""A new collection replaces an old one: it is made beside it and checked, and all rows switch together."""

import json
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import Face
from eduguard.portability.moving import find_problem
from eduguard.postgres import connect

School = Any  # of conftest.py
PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos" / "students"


@pytest.fixture
def enrolled(school: School) -> School:
    school.inv("enrol", "sync-faces")
    return school


def links(school: School) -> dict[str, tuple[str | None, str]]:
    """The collection that the student's row names and the FaceId, by external image id."""
    query = (
        "SELECT external_image_id, aws_collection_id, face_id FROM student_faces f JOIN students s ON s.id = student_id"
    )
    with connect(school.database, purpose="tests") as conn:
        return {name: (collection, face_id) for name, collection, face_id in conn.execute(query)}


def faces(school: School, collection: str) -> dict[str, str]:
    listed = school.collection.named(collection).list_faces()
    return {face.external_image_id: face.face_id for page in listed for face in page}


@pytest.mark.slow
def test_one_school_of_two_is_switched_and_the_other_stays(enrolled: School) -> None:
    before, new = links(enrolled), f"{enrolled.name}-new"
    both = enrolled.inv("reindex", "--into", new, check=False)
    assert (both.returncode, both.stderr.count("cannot take the place of 2")) == (1, 1)
    command = both.stderr.rpartition("inv ")[2].split()
    assert enrolled.name in command
    plan = json.loads(enrolled.inv(*command, "--dry-run", "--json").stdout)
    assert (plan["requests"], enrolled.collection.named(new).describe()) == (18, None)
    done = enrolled.inv("reindex", "--school", "school-001", "--into", new)
    assert f"{new}: 18 rows and 6 students switched from {enrolled.name}, which is kept" in done.stdout
    assert f"targets.local.collection: {new}" in done.stderr
    assert f"aws rekognition delete-collection --collection-id {enrolled.name}\n" in done.stderr
    after, made = links(enrolled), faces(enrolled, new)
    for name, (collection, face_id) in after.items():
        is_switched = name.startswith("student-00")
        assert (collection, face_id) == ((new, made[name]) if is_switched else before[name])
    assert len(made) == 18
    assert faces(enrolled, enrolled.name) == {name: each[1] for name, each in before.items() if name in made}
    arn = enrolled.collection.named(new).require().arn
    assert enrolled.collection.named(new).read_school(arn) == "school-001"
    enrolled.inv("sync-faces", "--check")
    enrolled.inv("sync-faces", "--check", INVOKE_TARGETS_LOCAL_COLLECTION=new)
    assert "8 of 8 photos recognised" in enrolled.inv("verify", "--one-each").stdout
    for words in (("--school", "school-001"), ("--collection", enrolled.name), ("--school", "school-001", "--json")):
        again = enrolled.inv("reindex", *words, "--into", new)
        assert f"{new}: 18 rows belong to it already" in again.stdout or '"switched": 0' in again.stdout
        assert again.stderr.splitlines() == done.stderr.splitlines()[-2:], "what remains is said again"
    other = enrolled.inv("reindex", "--into", new, check=False)
    assert f"{new} is in use: students' rows name it" in other.stderr
    assert links(enrolled) == after
    enrolled.inv("reindex", "--school", "school-002", "--into", f"{new}-2")
    settled = {
        "INVOKE_TARGETS_LOCAL_COLLECTION": new,
        "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": f"{new}-2",
    }
    assert enrolled.inv("reindex", "--school", "school-001", "--into", new, **settled).stderr == ""
    enrolled.inv("sync-faces", "--check")


@pytest.mark.slow
def test_one_photo_that_cannot_be_indexed_switches_nothing(enrolled: School) -> None:
    before, new = links(enrolled), f"{enrolled.name}-new"
    key = "students/student-001/photo-1.jpg"
    kept = enrolled.bucket.download(key)
    enrolled.bucket.put(key, (PHOTOS.parent / "classes" / "class-1b-lenguaje.jpg").read_bytes())
    done = enrolled.inv("reindex", "--school", "school-001", "--into", new, check=False)
    assert done.returncode == 2
    assert "student-001-photo-1: 6 faces found, one expected" in done.stdout
    assert f"nothing was switched to {new}" in done.stderr
    assert links(enrolled) == before
    enrolled.bucket.put(key, kept)
    done = enrolled.inv("reindex", "--school", "school-001", "--into", new)
    assert "1 face indexed, 17 were there" in done.stdout
    assert "18 rows and 6 students switched" in done.stdout


@pytest.mark.slow
@pytest.mark.fault
def test_what_breaks_off_switches_nothing_and_the_next_run_goes_on(enrolled: School, faults: Any) -> None:
    before, new = links(enrolled), f"{enrolled.name}-new"
    into = ("reindex", "--school", "school-001", "--into", new)
    faults(deny=99, after=7, operation="IndexFaces")
    assert enrolled.inv(*into, check=False).returncode == 1
    faults()
    assert links(enrolled) == before
    assert "18 rows and 6 students switched" in enrolled.inv(*into).stdout
    assert len(faces(enrolled, new)) == 18


@pytest.mark.slow
def test_a_collection_with_other_faces_is_refused(enrolled: School, client: Any) -> None:
    new = f"{enrolled.name}-new"
    client.create_collection(CollectionId=new)
    picture = (PHOTOS / "student-001" / "photo-1.jpg").read_bytes()
    client.index_faces(CollectionId=new, Image={"Bytes": picture}, ExternalImageId="of-others")
    refused = enrolled.inv("reindex", "--school", "school-001", "--into", new, check=False)
    assert f"{new} has 1 face of none of the photos: of-others" in refused.stderr
    taken = enrolled.inv("reindex", "--school", "school-001", "--into", f"{enrolled.name}-2", check=False)
    assert f"{enrolled.name}-2 is in use: the settings name it" in taken.stderr


WANTED = {"a-photo-1": "", "a-photo-2": ""}
FIRST, SECOND = Face("1", "a-photo-1", 99.0), Face("2", "a-photo-2", 99.0)


@pytest.mark.parametrize(
    ("listed", "counted", "problem"),
    [
        ([FIRST, SECOND], 2, ""),
        ([FIRST], 1, "1 missing (a-photo-2)"),
        ([FIRST, SECOND, Face("3", "a-photo-2", 90.0)], 3, "1 listed more than once (a-photo-2)"),
        ([FIRST, SECOND, Face("3", "b-photo-1", 90.0)], 3, "1 of none of the photos (b-photo-1)"),
        ([FIRST, SECOND], 3, "it counts 3 faces and lists 2"),
    ],
)
def test_a_collection_is_whole_with_one_face_for_each_photo_and_no_other(
    listed: list[Face], counted: int, problem: str
) -> None:
    assert find_problem(listed, WANTED, counted=counted) == problem
