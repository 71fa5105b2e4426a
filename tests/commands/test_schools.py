"""Two schools on one target, each with a collection of its own; and two databases on one collection."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eduguard.postgres import Database, connect, execute_for

School = Any  # of conftest.py
PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos" / "students"


@pytest.fixture
def enrolled(school: School, client: Any) -> School:
    """A school beside a second one, with the sample photos of both, and a face without a row in each collection."""
    school.inv("enrol")
    picture = (PHOTOS / "student-001" / "photo-1.jpg").read_bytes()
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
    assert drift == ["2 with only face: nobody-photo-1, nobody-photo-1"]
    again = ("sync-faces", "--json", "--verbose")
    for flags in (("--school", "school-002"), ("--collection", f"{enrolled.name}-2")):
        narrowed = counts(json.loads(enrolled.inv(*again, *flags).stdout))
        assert narrowed == {"school-002": {"unchanged": 6, "orphan": 1}}
        assert "2 of 2 photos recognised" in enrolled.inv("verify", "--one-each", *flags).stdout
    assert "There is no school nowhere" in enrolled.inv("sync-faces", "--school", "nowhere", check=False).stderr


def test_many_collections_are_synced_without_describing_each(
    school: School, client: Any, relay: Callable[[Any], str]
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
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    done = school.inv("sync-faces", "--json", INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=endpoint, **keys)
    assert len(json.loads(done.stdout)["collections"]) == 8
    assert asked == {"ListFaces": 8, "STS": 1}


def test_two_databases_share_one_collection(
    enrolled: School, run_inv: Any, new_photo: Callable[..., Path], tmp_path: Path
) -> None:
    enrolled.inv("sync-faces")
    other = Database.from_url(enrolled.database.url).named(f"{enrolled.database.name}_other")
    with connect(other.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", other, enrolled.database)
    try:
        theirs = type(enrolled)(run_inv(other), other, enrolled.endpoint)
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
