"""After kill -9 at any moment, everything that was acknowledged is still there."""

import functools
import hashlib
import io
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

Launch = Callable[[Path], Any]
Photo = Callable[[int, int], bytes]


def snapshot(s3: Any) -> dict[str, Any]:
    """Everything a client can see of all buckets."""
    seen: dict[str, Any] = {}
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        versions = s3.list_object_versions(Bucket=name)
        uploads = s3.list_multipart_uploads(Bucket=name)
        seen[name] = [
            bucket["CreationDate"],
            s3.get_bucket_location(Bucket=name)["LocationConstraint"],
            s3.get_bucket_versioning(Bucket=name).get("Status"),
            s3.get_bucket_acl(Bucket=name)["Grants"],
            versions.get("Versions"),
            versions.get("DeleteMarkers"),
            [upload["Key"] for upload in uploads.get("Uploads", [])],
        ]
        for listed in s3.list_objects_v2(Bucket=name).get("Contents", []):
            named = {"Bucket": name, "Key": listed["Key"]}
            found = s3.get_object(**named)
            del found["ResponseMetadata"]
            digest = hashlib.sha256(found.pop("Body").read()).hexdigest()
            seen[name].append([listed, digest, found, s3.get_object_tagging(**named)["TagSet"]])
    return seen


@pytest.mark.slow
def test_buckets_and_objects_survive_as_they_were(own_state: Path, launch: Launch):
    server = launch(own_state)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="photos")
    s3.create_bucket(Bucket="west", ACL="public-read", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="west", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_policy(Bucket="photos", Policy='{"Version":"2012-10-17","Statement":[]}')
    s3.put_object(
        Bucket="photos",
        Key="students/ñ 1.jpg",
        Body=b"one",
        ContentType="image/jpeg",
        CacheControl="no-cache",
        Metadata={"student": "student-001", "taken_by": "somebody"},
        Tagging="year=2026",
    )
    s3.copy_object(Bucket="photos", Key="copy", CopySource={"Bucket": "photos", "Key": "students/ñ 1.jpg"})
    s3.put_object(Bucket="photos", Key="gone", Body=b"x")
    s3.delete_object(Bucket="photos", Key="gone")
    for number in range(3):
        s3.put_object(Bucket="west", Key="versioned", Body=f"version {number}".encode())
    s3.delete_object(Bucket="west", Key="versioned")
    s3.upload_fileobj(io.BytesIO(b"z" * 9_000_000), "photos", "large")
    before = snapshot(s3)
    os.kill(server.pid, signal.SIGKILL)
    s3 = launch(own_state).client("s3")
    assert snapshot(s3) == before
    assert s3.get_bucket_policy(Bucket="photos")["Policy"] == '{"Version":"2012-10-17","Statement":[]}'
    s3.delete_bucket_policy(Bucket="photos")
    s3.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "copy"}, {"Key": "large"}]})
    s3.delete_object(Bucket="photos", Key="students/ñ 1.jpg")
    s3.delete_bucket(Bucket="photos")
    os.kill(launch(own_state).pid, signal.SIGKILL)
    assert list(snapshot(launch(own_state).client("s3"))) == ["west"]


@pytest.mark.slow
@pytest.mark.fault
def test_an_unfinished_upload_goes_on_after_a_kill(own_state: Path, launch: Launch):
    server = launch(own_state)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="photos")
    named = {"Bucket": "photos", "Key": "big"}
    upload = s3.create_multipart_upload(**named, Metadata={"a": "b"}, ContentType="image/png")["UploadId"]
    first = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"1" * 5_242_880)["ETag"]
    os.kill(server.pid, signal.SIGKILL)
    s3 = launch(own_state).client("s3")
    second = s3.upload_part(**named, UploadId=upload, PartNumber=2, Body=b"2")["ETag"]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate((first, second), start=1)]
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
    found = s3.get_object(**named)
    assert (found["Metadata"], found["ContentType"]) == ({"a": "b"}, "image/png")
    assert found["Body"].read() == b"1" * 5_242_880 + b"2"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="photos")


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("after", [0.05, 0.3, 0.7])
def test_no_acknowledged_face_or_object_is_lost_by_a_kill_under_load(
    own_state: Path, launch: Launch, photo: Photo, after: float
):
    server = launch(own_state)
    rekognition, s3 = server.client("rekognition"), server.client("s3")
    rekognition.create_collection(CollectionId="c")
    s3.create_bucket(Bucket="photos")
    faces, keys = set(), set()

    def index() -> None:
        while True:
            answer = rekognition.index_faces(CollectionId="c", Image={"Bytes": photo(1, 1)})
            faces.add(answer["FaceRecords"][0]["Face"]["FaceId"])

    def put() -> None:
        while True:
            s3.put_object(Bucket="photos", Key=str(len(keys)), Body=photo(1, 1))
            keys.add(str(len(keys)))

    threads = [threading.Thread(target=_until_killed, args=[work]) for work in (index, put, index)]
    for thread in threads:
        thread.start()
    time.sleep(after)
    os.kill(server.pid, signal.SIGKILL)
    for thread in threads:
        thread.join(timeout=30)
    server = launch(own_state)
    listed = server.client("rekognition").list_faces(CollectionId="c")["Faces"]
    stored = server.client("s3").list_objects_v2(Bucket="photos").get("Contents", [])
    assert faces <= {face["FaceId"] for face in listed}
    assert keys <= {each["Key"] for each in stored}
    assert len(listed) <= len(faces) + 2  # at most the write that was under way
    assert len(stored) <= len(keys) + 1


@pytest.mark.slow
@pytest.mark.fault
def test_collections_faces_and_users_survive_a_kill(own_state: Path, launch: Launch, photo: Photo):
    server = launch(own_state)
    client = server.client("rekognition")
    client.create_collection(CollectionId="c", Tags={"a": "b"})
    client.create_user(CollectionId="c", UserId="u")
    face = client.index_faces(CollectionId="c", Image={"Bytes": photo(1, 1)}, ExternalImageId="x")["FaceRecords"][0]
    client.associate_faces(CollectionId="c", UserId="u", FaceIds=[face["Face"]["FaceId"]])
    token = client.create_user(CollectionId="c", UserId="v") and client.list_users(CollectionId="c", MaxResults=1)
    os.kill(server.pid, signal.SIGKILL)
    client = launch(own_state).client("rekognition")
    assert client.describe_collection(CollectionId="c")["FaceCount"] == 1
    assert client.list_faces(CollectionId="c")["Faces"][0]["UserId"] == "u"
    found = client.search_faces_by_image(CollectionId="c", Image={"Bytes": photo(1, 1)})["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in found] == [face["Face"]["FaceId"]]
    assert len(client.list_users(CollectionId="c", NextToken=token["NextToken"])["Users"]) == 1


@pytest.mark.slow
@pytest.mark.fault
def test_what_could_not_be_written_did_not_happen(own_state: Path, launch: Launch, error_of: Any, command: Any):
    s3 = launch(own_state).client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="k", Body=b"old")
    command("stop", "--state", str(own_state))
    with closing(sqlite3.connect(own_state / "buckets.sqlite")) as database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON content WHEN NEW.value = x'6e6577'"
            " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    s3 = launch(own_state).client("s3")
    assert error_of(s3.put_object, Bucket="photos", Key="k", Body=b"new")[::2] == ("InternalError", 500)
    assert s3.get_object(Bucket="photos", Key="k")["Body"].read() == b"old"
    assert "database or disk is full" in (own_state / "server.log").read_text()


@pytest.mark.slow
def test_a_file_of_a_newer_version_is_refused(own_state: Path, launch: Launch, command: Any):
    launch(own_state)
    command("stop", "--state", str(own_state))
    with closing(sqlite3.connect(own_state / "buckets.sqlite")) as database:
        database.execute("PRAGMA user_version=2")
    done = command("start", "--state", str(own_state), check=False)
    assert "buckets.sqlite is of version 2, this package reads up to 1" in done.stderr


@pytest.mark.slow
def test_a_deleted_face_leaves_nothing_behind(own_state: Path, launch: Launch, photo: Photo, command: Any):
    client = launch(own_state).client("rekognition")
    client.create_collection(CollectionId="c")
    image = {"CollectionId": "c", "Image": {"Bytes": photo(1, 1)}, "ExternalImageId": "somebody"}
    face_id = client.index_faces(**image)["FaceRecords"][0]["Face"]["FaceId"]
    store = own_state / "rekognition" / "123456789012" / "us-east-1.sqlite"
    with closing(sqlite3.connect(store)) as database:
        embedding = database.execute("SELECT embedding FROM face").fetchone()[0]
    client.delete_faces(CollectionId="c", FaceIds=[face_id])
    command("stop", "--state", str(own_state))
    left = b"".join(path.read_bytes() for path in store.parent.iterdir())
    assert embedding not in left
    assert b"somebody" not in left


REMOVALS: dict[str, Callable[[Any], None]] = {
    "user": lambda client: client.delete_user(CollectionId="c", UserId="somebody"),
    "tag": lambda client: client.untag_resource(ResourceArn=ARN, TagKeys=["somebody"]),
    "value of a tag": lambda client: client.tag_resource(ResourceArn=ARN, Tags={"k": "nobody"}),
    "collection": lambda client: client.delete_collection(CollectionId="c"),
}
ARN = "arn:aws:rekognition:us-east-1:123456789012:collection/c"


@pytest.mark.slow
@pytest.mark.parametrize("what", REMOVALS)
def test_what_is_removed_is_in_no_file_while_the_server_runs(own_state: Path, launch: Launch, photo: Photo, what: str):
    client = launch(own_state).client("rekognition")
    tags = {"tag": {"somebody": "x"}, "value of a tag": {"k": "somebody"}}
    client.create_collection(CollectionId="c", Tags=tags.get(what, {}))
    if what in {"user", "collection"}:
        index = functools.partial(client.index_faces, CollectionId="c")
        faces = [index(Image={"Bytes": photo(n, 1)})["FaceRecords"][0]["Face"]["FaceId"] for n in (1, 2)]
        for user, face_id in zip(("somebody", "other"), faces, strict=True):
            client.create_user(CollectionId="c", UserId=user)
            client.associate_faces(CollectionId="c", UserId=user, FaceIds=[face_id])
        client.associate_faces(CollectionId="c", UserId="other", FaceIds=faces[:1])  # checks whose process it is
    REMOVALS[what](client)
    files = own_state.rglob("us-east-1.sqlite*")
    assert [path.name for path in files if b"somebody" in path.read_bytes()] == []


@pytest.mark.slow
def test_no_picture_is_in_the_store_of_faces(own_state: Path, launch: Launch, photo: Photo):
    client = launch(own_state).client("rekognition")
    client.create_collection(CollectionId="c")
    client.index_faces(CollectionId="c", Image={"Bytes": photo(1, 1)})
    stored = b"".join(path.read_bytes() for path in (own_state / "rekognition").rglob("*.sqlite*"))
    assert photo(1, 1)[:64] not in stored
    assert b"JFIF" not in stored


def _until_killed(work: Callable[[], None]) -> None:
    try:
        work()
    except (BotoCoreError, ClientError):
        return
