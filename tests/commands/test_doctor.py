"""The doctor finds what is wrong between credentials and photos, and names the command that mends it."""

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from eduguard.postgres import Database, connect

Inv = Callable[..., subprocess.CompletedProcess[str]]


def examine(inv: Inv, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    done = inv("doctor", "--json", *arguments, check=False, **environment)
    return done.returncode, json.loads(done.stdout)


def found(report: dict[str, Any], verdict: str) -> list[tuple[str, str | None]]:
    return [(each["text"], each["remedy"]) for each in report["findings"] if each["verdict"] == verdict]


def test_all_is_well_after_full(inv: Inv, full: Database) -> None:
    status, report = examine(inv)
    assert (status, report["verdict"]) == (0, "ok")
    assert [each["step"] for each in report["findings"]] == [
        "credentials", "database", "collection", "collection", "sync", "sync", "photos",
    ]  # fmt: skip


def test_placeholders_left_are_drift_that_sync_mends(inv: Inv, full: Database) -> None:
    inv("reset", "seed")
    status, report = examine(inv)
    assert status == 2
    assert found(report, "drift") == [
        ("school-001: 18 rows hold the placeholder, 0 an old FaceId", "inv sync-faces"),
        ("school-002: 6 rows hold the placeholder, 0 an old FaceId", "inv sync-faces"),
    ]
    inv("sync-faces")
    assert examine(inv)[0] == 0


def test_a_row_without_photo_and_face_is_named(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO student_faces (id, student_id, external_image_id, photo_url) "
            "VALUES ('x', 'student-001', 'student-001-photo-7', 'students/student-001/photo-7.jpg')"
        )
        conn.execute("DELETE FROM student_faces WHERE id = 'face-002-1'")
    status, report = examine(inv)
    assert status == 2
    texts = [text for text, _ in found(report, "drift")]
    assert "1 with only row: student-001-photo-7" in texts
    assert "1 with only photo + face: student-002-photo-1" in texts


def test_a_missing_database_and_collection_are_broken(inv: Inv, database: Database, cloud_endpoint: str) -> None:
    status, report = examine(inv, INVOKE_TARGETS_LOCAL_COLLECTION="nowhere")
    assert (status, report["verdict"]) == (1, "broken")
    texts = dict(found(report, "broken"))
    assert f"{database.name} does not exist on {database.url.split('host=')[1].split()[0]}:5432" in texts
    assert "There is no collection nowhere in us-east-1" in texts


def test_missing_credentials_are_told_first(inv: Inv, full: Database, cloud_endpoint: str) -> None:
    status, report = examine(inv, INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=cloud_endpoint)
    assert status == 1
    assert report["findings"][0]["step"] == "credentials"
    assert "aws configure" in report["findings"][0]["remedy"]


@pytest.fixture
def deny(cloud_endpoint: str) -> Iterator[Callable[[str], None]]:
    """Have the local cloud refuse an operation of Rekognition."""

    def send(method: str, **faults: Any) -> None:
        body = json.dumps(faults).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"{cloud_endpoint}/localcloud/faults", data=body, method=method)
        ) as answer:
            assert answer.status == 200

    yield lambda operation: send("PUT", deny=1000, operation=operation)
    send("DELETE")


@pytest.mark.parametrize(
    ("operation", "action"), [("DescribeCollection", "describe"), ("ListFaces", "list the faces of")]
)
def test_a_missing_permission_is_named_with_the_way_to_it(
    inv: Inv, full: Database, deny: Callable[[str], None], operation: str, action: str
) -> None:
    deny(operation)
    status, report = examine(inv, "--school", "school-001")
    assert status == 1
    ((text, remedy),) = found(report, "broken")
    assert text.startswith(f"AWS would not {action} collection tests in us-east-1: AccessDeniedException")
    assert f"rekognition:{operation}" in text
    assert remedy == "`inv doctor --iam` prints the policy that each job needs."


def test_a_bucket_that_is_not_there_is_broken_and_the_faces_are_judged_all_the_same(inv: Inv, full: Database) -> None:
    status, report = examine(inv, INVOKE_TARGETS_LOCAL_BUCKET="nowhere")
    assert status == 1
    ((text, _),) = found(report, "broken")
    assert "nowhere" in text
    assert "school-001: 18 rows hold the FaceId of their face" in [text for text, _ in found(report, "ok")]


def test_an_empty_collection_is_drift(inv: Inv, full: Database, cloud_endpoint: str) -> None:
    client = boto3.client(
        "rekognition",
        endpoint_url=cloud_endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    client.create_collection(CollectionId="empty")
    try:
        status, report = examine(inv, INVOKE_TARGETS_LOCAL_COLLECTION="empty")
        assert status == 2
        assert ("arn:aws:rekognition:us-east-1:123456789012:collection/empty has no face", "inv enrol") in found(
            report, "drift"
        )
    finally:
        client.delete_collection(CollectionId="empty")


def test_pending_migrations_are_drift(inv: Inv, empty_database: Database, cloud_endpoint: str) -> None:
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("CREATE TABLE students (id text)")
    assert ("inv migrate") in [remedy for _, remedy in found(examine(inv)[1], "drift")]


def test_the_policies_name_the_collection_and_nothing_wider(inv: Inv, full: Database) -> None:
    policies = json.loads(inv("doctor", "--iam").stdout)
    assert set(policies) == {"sync", "sync --prune", "sync --users", "enrol", "unenrol", "attendance", "doctor"}
    wide = [
        action
        for policy in policies.values()
        for each in policy["Statement"]
        if each["Resource"] == "*"
        for action in each["Action"]
    ]
    # Those that the service authorization reference lists without a resource.
    assert sorted(wide) == ["rekognition:CreateCollection", "rekognition:DetectFaces", "s3:ListAllMyBuckets"]
    (statement,) = policies["sync"]["Statement"]
    assert statement["Resource"] == [
        f"arn:aws:rekognition:us-east-1:123456789012:collection/{name}" for name in ("tests", "tests-2")
    ]
    assert statement["Action"] == ["rekognition:DescribeCollection", "rekognition:ListFaces"]
