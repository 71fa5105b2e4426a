"""A failed request to S3 changes nothing, in memory or on disk, and does not affect other requests."""

import base64
import hashlib
import os
import signal
import socket
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

Launch = Callable[..., Any]
ErrorOf = Callable[..., tuple[str, str, int]]


def restarted(server: Any, launch: Launch) -> Any:
    os.kill(server.pid, signal.SIGKILL)
    return launch(server.state)


def seen(s3: Any, name: str) -> tuple[bytes, int]:
    named = {"Bucket": "photos", "Key": name}
    return s3.get_object(**named)["Body"].read(), s3.head_object(**named)["ContentLength"]


@pytest.mark.slow
@pytest.mark.fault
def test_on_a_full_disk_the_old_object_stays_and_no_photo_becomes_another(
    own_state: Path, launch: Launch, error_of: ErrorOf, command: Any
):
    s3 = launch(own_state).client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="old", Body=b"old")
    command("stop", "--state", str(own_state))
    (own_state / "server.log").unlink()
    (own_state / "server.log").symlink_to("/dev/full")  # the log is on the same disk
    with closing(sqlite3.connect(own_state / "buckets.sqlite")) as database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON object WHEN NEW.name = 'student-001' OR NEW.record LIKE '%\"full\"%'"
            " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    server = launch(own_state)
    s3 = server.client("s3")
    assert error_of(s3.put_object, Bucket="photos", Key="student-001", Body=b"first")[::2] == ("InternalError", 500)
    assert error_of(s3.put_object, Bucket="photos", Key="old", Body=b"new", Metadata={"disk": "full"})[2] == 500
    s3.put_object(Bucket="photos", Key="student-002", Body=b"second")
    for _ in range(2):
        assert error_of(s3.get_object, Bucket="photos", Key="student-001")[0] == "NoSuchKey"
        assert seen(s3, "old") == (b"old", 3)
        assert seen(s3, "student-002") == (b"second", 6)
        server = restarted(server, launch)
        s3 = server.client("s3")
    (own_state / "server.log").unlink()


@pytest.mark.slow
def test_the_number_of_a_content_is_never_given_out_again(own_state: Path, launch: Launch):
    s3 = launch(own_state).client("s3")
    s3.create_bucket(Bucket="photos")
    numbers = set()
    for _ in range(5):
        s3.put_object(Bucket="photos", Key="k", Body=b"x")
        with closing(sqlite3.connect(own_state / "buckets.sqlite")) as database:
            ((number,),) = database.execute("SELECT id FROM content").fetchall()
        assert number not in numbers
        numbers.add(number)
        s3.delete_object(Bucket="photos", Key="k")


def raw(server: Any, request: bytes) -> bytes:
    """Send exactly these bytes; return the answer."""
    host, _, port = server.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def signed_put(cloud: Any, path: str, length: str) -> bytes:
    """Return the head of a PUT with a presigned URL and any Content-Length."""
    bucket, _, key = path.partition("/")
    client = cloud.client("s3", config=Config(signature_version="s3v4"))
    url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key})
    place, host = url.removeprefix(cloud.endpoint), cloud.endpoint.removeprefix("http://")
    return f"PUT {place} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 4300, "1e3", "+5", "5, 5"])
def test_an_invalid_length_is_refused_at_once(cloud: Any, bucket: str, length: str):
    answer = raw(cloud, signed_put(cloud, f"{bucket}/k", length) + b"photo")
    assert answer.split()[1] == b"400"
    assert cloud.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_client_that_dies_in_a_put_leaves_the_old_object(cloud: Any, s3: Any, bucket: str):
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    answer = raw(cloud, signed_put(cloud, f"{bucket}/k", "1000") + b"the first half")
    assert b"400" in answer.split()[1]
    assert b"<Code>IncompleteBody</Code>" in answer
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"


def test_a_length_and_chunks_at_once_are_refused(cloud: Any, bucket: str):
    head = signed_put(cloud, f"{bucket}/k", "5").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert raw(cloud, head + b"5\r\nphoto\r\n0\r\n\r\n").split()[1] == b"400"
    chunked = signed_put(cloud, f"{bucket}/k", "5").replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")
    assert raw(cloud, chunked + b"5\r\npho").split()[1] == b"400"
    assert raw(cloud, chunked + b"5\r\nphoto\r\n0\r\n\r\n").split()[1] == b"200"


@pytest.mark.slow
@pytest.mark.parametrize("host", ["photos.s3.localhost", "photos.localhost", "photos.s3.us-east-1.amazonaws.com"])
def test_a_bucket_named_by_its_host_survives_a_restart(own_state: Path, launch: Launch, host: str):
    server = launch(own_state)
    port = server.endpoint.rpartition(":")[2]

    def send(method: str, path: str, body: bytes = b"") -> int:
        return int(server.send(path, method=method, body=body, scope="s3", Host=f"{host}:{port}")[0])

    s3 = server.client("s3")
    assert send("PUT", "/") == 200
    assert send("PUT", "/photos", b"a key that is named like the bucket") == 200
    assert send("PUT", "/other", b"x") == 200
    assert send("DELETE", "/photos") == 204
    server = restarted(server, launch)
    s3 = server.client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["photos"]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="photos")["Contents"]] == ["other"]
    assert send("DELETE", "/other") == 204
    assert send("DELETE", "/") == 204
    assert restarted(server, launch).client("s3").list_buckets()["Buckets"] == []


@pytest.mark.slow
def test_a_bucket_that_cannot_be_made_again_stops_no_other(own_state: Path, launch: Launch, command: Any):
    s3 = launch(own_state).client("s3")
    for name in ("broken", "whole"):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="k", Body=name.encode())
    command("stop", "--state", str(own_state))
    with closing(sqlite3.connect(own_state / "buckets.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE setting SET body = x'3c' WHERE bucket = 'broken'")
        database.execute(
            "INSERT INTO setting SELECT 99, 'x.s3', '', request, body, made FROM setting WHERE bucket = 'whole'"
        )
    s3 = launch(own_state).client("s3")
    assert s3.get_object(Bucket="whole", Key="k")["Body"].read() == b"whole"
    assert "whole" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert "broken" in (own_state / "server.log").read_text()
    with closing(sqlite3.connect(own_state / "buckets.sqlite")) as database:
        assert ("broken",) in database.execute("SELECT bucket FROM object").fetchall()
        assert database.execute("SELECT count(*) FROM setting WHERE bucket = 'x.s3'").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.parametrize("body", [b"", b"<", b"<Tagging/>", b"<Other/>", b"<Tagging><TagSet>"])
def test_xml_that_cannot_be_read_is_refused_and_the_kept_setting_stays(own_state: Path, launch: Launch, body: bytes):
    server = launch(own_state)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="photos")
    tags = [{"Key": "a", "Value": "b"}]
    s3.put_bucket_tagging(Bucket="photos", Tagging={"TagSet": tags})
    status, answer = server.send("/photos?tagging", method="PUT", body=body, scope="s3")
    assert (status, b"<Code>M" in answer) == (400, True), answer
    assert s3.get_bucket_tagging(Bucket="photos")["TagSet"] == tags
    assert restarted(server, launch).client("s3").get_bucket_tagging(Bucket="photos")["TagSet"] == tags


@pytest.mark.parametrize(
    "query", ["delete", "versioning", "cors", "lifecycle", "policy", "acl", "website", "encryption", "notification"]
)
@pytest.mark.parametrize("body", [b"<", b"<Nothing/>", b"\xff\xfe", b"{}"])
def test_every_status_is_one_of_http(cloud: Any, bucket: str, query: str, body: bytes):
    method = "POST" if query == "delete" else "PUT"
    status, _ = cloud.send(f"/{bucket}?{query}", method=method, body=body, scope="s3")
    assert 200 <= status < 300 or 400 <= status < 500


@pytest.mark.slow
def test_a_refused_request_changes_no_object_in_memory(own_state: Path, launch: Launch, error_of: ErrorOf):
    server = launch(own_state)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="k", Body=b"old", Tagging="a=b")
    status, _ = server.send("/photos/k", method="PUT", body=b"new", scope="s3", x_amz_tagging="aws:x=1&aws:x=2")
    for _ in range(2):
        new = (b"new", 3) if status == 200 else (b"old", 3)
        assert seen(s3, "k") == new
        server = restarted(server, launch)
        s3 = server.client("s3")


def parts(s3: Any, *, size: int = 5_242_880) -> dict[str, Any]:
    named = {"Bucket": "photos", "Key": "big"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    made = [
        {"PartNumber": number, "ETag": s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, b"1" * size), (2, b"22"))
    ]
    return {**named, "UploadId": upload, "MultipartUpload": {"Parts": made}}


@pytest.mark.slow
def test_a_finished_upload_remembers_its_parts_and_can_be_finished_again(
    own_state: Path, launch: Launch, error_of: ErrorOf
):
    server = launch(own_state)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="photos")
    finish = parts(s3)
    first = s3.complete_multipart_upload(**finish)
    assert "VersionId" not in first
    for _ in range(2):
        assert s3.list_object_versions(Bucket="photos")["Versions"][0]["Size"] == 5_242_882
        again = s3.complete_multipart_upload(**finish)
        assert (again["ETag"], "VersionId" in again) == (first["ETag"], False)
        head = s3.head_object(Bucket="photos", Key="big", PartNumber=2)
        assert (head["PartsCount"], head["ContentLength"]) == (2, 2)
        server = restarted(server, launch)
        s3 = server.client("s3")
    unknown = finish | {"UploadId": "nobody"}
    assert error_of(s3.complete_multipart_upload, **unknown)[::2] == ("NoSuchUpload", 404)
    assert error_of(s3.upload_part, Bucket="photos", Key="big", UploadId="nobody", PartNumber=1, Body=b"")[2] == 404


DIGESTS = {
    "ChecksumCRC32": zlib.crc32(b"photo").to_bytes(4, "big"),
    "ChecksumSHA1": hashlib.sha1(b"photo", usedforsecurity=False).digest(),
    "ChecksumSHA256": hashlib.sha256(b"photo").digest(),
    "ContentMD5": hashlib.md5(b"photo", usedforsecurity=False).digest(),
}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_wrong_digest_is_refused(s3: Any, bucket: str, error_of: ErrorOf, name: str):
    named = {"Bucket": bucket, "Key": "k", "Body": b"photo"}
    s3.put_object(**named, **{name: base64.b64encode(DIGESTS[name]).decode()})
    wrong = base64.b64encode(bytes([DIGESTS[name][0] ^ 1]) + DIGESTS[name][1:]).decode()
    assert error_of(s3.put_object, **(named | {"Body": b"photo"}), **{name: wrong})[::2] == ("BadDigest", 400)
    short = base64.b64encode(b"short").decode()
    expected = "InvalidDigest" if name == "ContentMD5" else "InvalidRequest"
    assert error_of(s3.put_object, **named, **{name: short})[::2] == (expected, 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"photo"


@pytest.mark.parametrize(
    ("name", "digest"), [("crc32c", "4waSgw=="), ("crc64nvme", "rosUhgp5mIg=")], ids=["crc32c", "crc64nvme"]
)
def test_the_newer_checksums_are_computed(cloud: Any, bucket: str, name: str, digest: str):
    def put(body: bytes) -> int:
        headers = {f"x_amz_checksum_{name}": digest}
        return int(cloud.send(f"/{bucket}/k", method="PUT", body=body, scope="s3", **headers)[0])

    assert put(b"123456789") == 200  # the check value of the catalogue of CRCs
    assert put(b"123456780") == 400


def test_a_wrong_checksum_behind_the_body_is_refused(cloud: Any, bucket: str):
    for checksum, expected in ((DIGESTS["ChecksumCRC32"], 200), (b"\0\0\0\0", 400)):
        body = b"5\r\nphoto\r\n0\r\nx-amz-checksum-crc32:" + base64.b64encode(checksum) + b"\r\n\r\n"
        request = {"x_amz_trailer": "x-amz-checksum-crc32", "Content_Encoding": "aws-chunked"}
        status, answer = send_streaming(cloud, f"/{bucket}/k", body, request)
        assert (status, b"BadDigest" in answer) == (expected, expected == 400)


def send_streaming(cloud: Any, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """PUT a body in unsigned chunks, as boto3 does."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest("PUT", cloud.endpoint + path, data=body)
    for name, value in headers.items():
        request.headers[name.replace("_", "-")] = value
    request.headers["X-Amz-Content-SHA256"] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    SigV4Auth(cloud.key, "s3", "us-east-1").add_auth(request)
    sent = {name.replace("-", "_"): value for name, value in request.headers.items()}
    return cloud.send(path, method="PUT", body=body, **sent)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["delete", "overwrite", "delete many"])
def test_a_photo_that_was_removed_is_in_no_file_any_more(own_state: Path, launch: Launch, how: str):
    s3 = launch(own_state).client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="k", Body=b"student-001 looks like this " * 1000)
    if how == "delete":
        s3.delete_object(Bucket="photos", Key="k")
    elif how == "overwrite":
        s3.put_object(Bucket="photos", Key="k", Body=b"another")
    else:
        s3.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "k"}]})
    assert [path.name for path in own_state.glob("*.sqlite*") if b"student-001 looks" in path.read_bytes()] == []


@pytest.mark.slow
def test_tags_that_were_removed_are_in_no_file_any_more(own_state: Path, launch: Launch):
    s3 = launch(own_state).client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="k", Body=b"x", Tagging="a=somebody")
    s3.put_bucket_tagging(Bucket="photos", Tagging={"TagSet": [{"Key": "a", "Value": "somebody"}]})
    s3.delete_object_tagging(Bucket="photos", Key="k")
    s3.delete_bucket_tagging(Bucket="photos")
    assert [path.name for path in own_state.glob("*.sqlite*") if b"somebody" in path.read_bytes()] == []
