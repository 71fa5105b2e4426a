"""Two schools on one target, each with a collection of its own; and two databases on one collection."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eduguard.postgres import Database, connect, execute_for
from eduguard.rebuild import mark

School = Any  # of conftest.py
PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos" / "students"


@pytest.fixture
def enrolled(school: School, client: Any) -> School:
    """Two schools with their sample photos, and a face without a row in each collection."""
    school.inv("enrol")
    picture = (PHOTOS / "student-006" / "photo-1.jpg").read_bytes()
    for name in (school.name, f"{school.name}-2"):
        client.index_faces(CollectionId=name, Image={"Bytes": picture}, ExternalImageId="nobody-photo-1")
    return school


def counts(report: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {each["school"]: {k: n for k, n in each["counts"].items() if n} for each in report["collections"]}


def test_each_school_is_synced_with_its_own_collection_and_the_counts_add_up(enrolled: School) -> None:
    first = counts(json.loads(enrolled.inv("sync-faces", "--json").stdout))
    assert first == {"school-001": {"link": 18, "orphan": 1}, "school-002": {"link": 6, "orphan": 1}}
    schools = json.loads(enrolled.inv("status", "--json").stdout)["schools"]
    assert {name: (each["rows"], each["placeholders"], each["in_collection"]) for name, each in schools.items()} == {
        "school-001": (18, 0, 19),
        "school-002": (6, 0, 7),
    }
    report = json.loads(enrolled.inv("doctor", "--json", check=False).stdout)
    drift = [each["text"] for each in report["findings"] if each["verdict"] == "drift"]
    assert drift == ["2 of students that are not in the database: nobody-photo-1, nobody-photo-1"]
    again = ("sync-faces", "--json", "--verbose")
    for flags in (("--school", "school-002"), ("--collection", f"{enrolled.name}-2")):
        narrowed = counts(json.loads(enrolled.inv(*again, *flags).stdout))
        assert narrowed == {"school-002": {"unchanged": 6, "orphan": 1}}
        assert "2 of 2 photos recognised" in enrolled.inv("verify", "--one-each", *flags).stdout
    assert "There is no school nowhere" in enrolled.inv("sync-faces", "--school", "nowhere", check=False).stderr


def test_many_collections_are_synced_without_describing_each(
    school: School, client: Any, relay: Callable[[Any], str], cloud_variables: dict[str, str]
) -> None:
    names = [school.name, f"{school.name}-2", *(f"{school.name}-{number}" for number in range(3, 9))]
    for name in names:
        client.create_collection(CollectionId=name)
    with connect(school.database, purpose="tests") as conn:
        conn.execute(
            "UPDATE students SET aws_collection_id = %s || '-' || right(id, 1)::int + 2 WHERE id LIKE 'student-00_'",
            [school.name],
        )
    asked: Counter[str] = Counter()

    def count(handler: Any, body: bytes) -> None:
        asked[handler.headers.get("X-Amz-Target", "STS").rpartition(".")[2]] += 1

    endpoint = relay(count)
    done = school.inv("sync-faces", "--json", INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=endpoint, **cloud_variables)
    assert len(json.loads(done.stdout)["collections"]) == 7
    assert asked == {"ListFaces": 7, "ListTagsForResource": 7, "STS": 1}


@pytest.mark.slow
def test_two_databases_share_one_collection(
    enrolled: School, run_inv: Any, new_photo: Callable[..., Path], tmp_path: Path
) -> None:
    enrolled.inv("sync-faces")
    other = Database.from_url(enrolled.database.url).named(f"{enrolled.database.name}_other")
    with connect(other.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", other, enrolled.database)
    try:
        theirs = type(enrolled)(run_inv(other), other, enrolled.access)
        theirs.name = enrolled.name
        one = ("sync-faces", "--school", "school-001", "--json")
        enrolled.inv("enrol", "student-001", str(new_photo(tmp_path / "a.jpg", "student-001", 2)))
        assert counts(json.loads(theirs.inv(*one).stdout))["school-001"] == {"unchanged": 18, "orphan": 2}
        refused = theirs.inv("sync-faces", "--school", "school-001", "--prune", "orphans", check=False)
        assert "2 orphans were not deleted" in refused.stderr
        assert json.loads(theirs.inv(*one, "--adopt").stdout)["collections"][0]["counts"]["adopted"] == 1
        theirs.inv("enrol", "student-001", str(new_photo(tmp_path / "b.jpg", "student-001", 3)))
        assert counts(json.loads(enrolled.inv(*one).stdout))["school-001"] == {"unchanged": 19, "orphan": 2}
        theirs.inv("unenrol", "student-002", "--yes")
        assert counts(json.loads(enrolled.inv(*one).stdout))["school-001"] == {
            "unchanged": 16, "missing": 3, "orphan": 2,
        }  # fmt: skip
        pruned = enrolled.inv("sync-faces", "--school", "school-001", "--prune", "orphans", "--yes")
        assert "2 pruned" in pruned.stdout
        assert counts(json.loads(theirs.inv(*one).stdout))["school-001"] == {"unchanged": 16, "missing": 1}
    finally:
        with connect(other.maintenance, purpose="tests") as conn:
            execute_for(conn, "DROP DATABASE {} WITH (FORCE)", other)


def tag_of(school: School, name: str) -> str | None:
    client = school.client("rekognition")
    arn = client.describe_collection(CollectionId=name)["CollectionARN"]
    return client.list_tags_for_resource(ResourceArn=arn)["Tags"].get("eduguard-school")


def tag(school: School, name: str, value: str) -> None:
    client = school.client("rekognition")
    arn = client.describe_collection(CollectionId=name)["CollectionARN"]
    client.tag_resource(ResourceArn=arn, Tags={"eduguard-school": value})


@pytest.mark.slow
def test_enrolment_tags_the_collections_with_their_schools(school: School, client: Any, photo: Path) -> None:
    client.create_collection(CollectionId=school.name)
    school.inv("enrol")
    assert [tag_of(school, name) for name in (school.name, f"{school.name}-2")] == ["school-001", "school-002"]
    done = school.inv("sync-faces")
    assert "trusted" not in done.stderr
    tag(school, school.name, "school-002")
    refused = school.inv("enrol", "student-001", str(photo), check=False)
    assert f"Collection {school.name} is tagged as the one of school-002, not of school-001" in refused.stderr
    client.tag_resource(
        ResourceArn=refused.stderr.partition("--resource-arn ")[2].split()[0],
        Tags=dict([refused.stderr.partition("--tags ")[2].split()[0].split("=")]),
    )
    school.inv("enrol", "student-001", str(photo))


@pytest.mark.slow
def test_a_role_that_may_not_tag_goes_on_with_one_note(school: School, faults: Any, client: Any) -> None:
    client.create_collection(CollectionId=school.name)
    client.create_collection(CollectionId=f"{school.name}-2")
    faults(deny=2, operation="TagResource")
    done = school.inv("enrol")
    assert done.stderr.count("may not call ListTagsForResource or TagResource") == 1
    faults(deny=2, operation="ListTagsForResource")
    done = school.inv("sync-faces")
    assert "18 synced" in done.stdout
    assert done.stderr.count("may not ask for the tag") == 1


@pytest.mark.slow
@pytest.mark.parametrize("rows", [18, 3], ids=["placeholders", "few rows"])
def test_a_collection_of_another_school_is_asked_for_by_name(school: School, value: Any, rows: int) -> None:
    school.inv("enrol")
    with connect(school.database, purpose="tests") as conn:
        conn.execute(
            "DELETE FROM student_faces WHERE student_id LIKE 'student-00_' AND student_id > %s",
            [f"student-{rows // 3:03}"],
        )
    tag(school, school.name, "school-002")
    linked = "SELECT count(*) FROM student_faces WHERE face_id <> 'placeholder' AND student_id LIKE 'student-00_'"
    one = ("sync-faces", "--school", "school-001")
    for flags in ((), ("--yes",)):
        refused = school.inv(*one, *flags, check=False)
        assert "is tagged as the collection of school-002, not of school-001" in refused.stderr
        assert value(school.database, linked) == 0
    school.inv(*one, "--confirm-collection", school.name)
    assert value(school.database, linked) == rows


@pytest.mark.slow
def test_the_rebuilt_database_knows_which_collection_it_was_synced_with(school: School, value: Any) -> None:
    school.inv("enrol")
    live = replace(school.database, target="local")
    with connect(live, purpose="tests") as conn, conn.transaction():
        mark.write_mark(conn, live, command="tests", inputs=None, replaces=None, written={})
    school.inv("full")
    other = {"INVOKE_TARGETS_LOCAL_COLLECTION": f"{school.name}-3"}
    school.inv("enrol", "--school", "school-001", **other)
    for command in (("sync-faces",), ("full",), ("reset", "seed-full")):
        refused = school.inv(*command, check=False, **other)
        assert refused.returncode == 1
        assert f"school-001 were synced with arn:aws:rekognition:us-east-1:123456789012:collection/{school.name} " in (
            refused.stderr
        ), command
    school.inv("full", "--confirm-collection", f"{school.name}-3", **other)
    assert "18 unchanged" in school.inv("sync-faces", **other).stdout
    school.inv("undo")
    assert "were synced with" in school.inv("sync-faces", check=False, **other).stderr


@pytest.mark.slow
def test_a_snapshot_remembers_its_own_collection(school: School) -> None:
    school.inv("enrol")
    school.inv("sync-faces")
    school.inv("snapshot", "save", "first")
    other = {"INVOKE_TARGETS_LOCAL_COLLECTION": f"{school.name}-3"}
    school.inv("enrol", **other)
    school.inv("sync-faces", "--confirm-collection", f"{school.name}-3", **other)
    school.inv("snapshot", "restore", "first", "--confirm", school.database.name, **other)
    assert "were synced with" in school.inv("sync-faces", check=False, **other).stderr
    school.inv("sync-faces")


def test_the_first_sync_without_a_tag_says_what_it_trusts(enrolled: School, client: Any) -> None:
    for name in (enrolled.name, f"{enrolled.name}-2"):
        arn = client.describe_collection(CollectionId=name)["CollectionARN"]
        client.untag_resource(ResourceArn=arn, TagKeys=["eduguard-school"])
    assert enrolled.inv("sync-faces").stderr.count("no tag says whose it is") == 2
    assert "no tag" not in enrolled.inv("sync-faces").stderr
