"""Another project's test suite gets a local cloud in three lines, and a copy of a collection in one."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import localcloud
from localcloud.errors import LocalCloudError

Photo = Callable[[int, int], bytes]


def test_three_lines_are_enough(monkeypatch: pytest.MonkeyPatch):
    with localcloud.running() as cloud:
        assert cloud.client("rekognition").list_collections()["CollectionIds"] == []
        for name, value in cloud.variables.items():
            monkeypatch.setenv(name, value)
        assert cloud.credentials.access_key_id == os.environ["AWS_ACCESS_KEY_ID"]
        assert cloud.client("s3", region_name="eu-west-1").list_buckets()["Buckets"] == []
        host, _, port = cloud.endpoint.removeprefix("http://").partition(":")
        socket.create_connection((host, int(port))).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


@pytest.mark.slow
def test_a_named_folder_is_kept_and_a_server_that_runs_already_is_left_running(tmp_path: Path):
    with localcloud.running(tmp_path / "cloud") as cloud:
        cloud.client("rekognition").create_collection(CollectionId="kept")
        with localcloud.running(tmp_path / "cloud") as same:
            assert same == cloud
        assert cloud.client("rekognition").list_collections()["CollectionIds"] == ["kept"]
    with localcloud.running(tmp_path / "cloud") as later:
        assert later.client("rekognition").list_collections()["CollectionIds"] == ["kept"]


@pytest.mark.slow
def test_a_collection_is_cloned_in_one_call_with_faces_and_users(photo: Photo):
    with localcloud.running() as cloud:
        client = cloud.client("rekognition")
        client.create_collection(CollectionId="base", Tags={"a": "b"})
        face = client.index_faces(CollectionId="base", Image={"Bytes": photo(1, 1)}, ExternalImageId="x")
        face_id = face["FaceRecords"][0]["Face"]["FaceId"]
        client.create_user(CollectionId="base", UserId="u")
        client.associate_faces(CollectionId="base", UserId="u", FaceIds=[face_id])
        cloud.clone_collection("base", "copy")
        assert client.list_faces(CollectionId="copy")["Faces"] == client.list_faces(CollectionId="base")["Faces"]
        assert client.list_users(CollectionId="copy")["Users"] == client.list_users(CollectionId="base")["Users"]
        client.delete_collection(CollectionId="base")
        found = client.search_faces_by_image(CollectionId="copy", Image={"Bytes": photo(1, 2)})["FaceMatches"]
        assert [match["Face"]["FaceId"] for match in found] == [face_id]
        with pytest.raises(LocalCloudError, match="The collection id: base does not exist"):
            cloud.clone_collection("base", "other")
        with pytest.raises(LocalCloudError, match="The collection id: copy already exists"):
            cloud.clone_collection("copy", "copy")
        with pytest.raises(LocalCloudError, match="The body is like"):
            cloud.clone_collection("copy", "a/b")
        with pytest.raises(LocalCloudError, match="Unknown fault speed"):
            cloud.faults(speed=1)
        cloud.faults(fail=1)
        cloud.faults()


@pytest.mark.slow
def test_the_objects_of_a_bucket_are_copied_in_one_call_and_stay(tmp_path: Path):
    with localcloud.running(tmp_path / "cloud") as cloud:
        client = cloud.client("s3")
        for bucket in ("base", "copy"):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket="base", Key="a/1.jpg", Body=b"one", Metadata={"sha": "1"}, ContentType="image/jpeg")
        client.put_object(Bucket="base", Key="b", Body=b"two", Tagging="kind=photo")
        cloud.copy_objects("base", "copy")
        client.delete_object(Bucket="base", Key="a/1.jpg")
        client.put_object(Bucket="copy", Key="b", Body=b"another")
        with pytest.raises(LocalCloudError, match="There is no bucket nobody"):
            cloud.copy_objects("base", "nobody")
        with pytest.raises(LocalCloudError, match="There is no bucket nobody"):
            cloud.copy_objects("nobody", "copy")
        assert client.get_object(Bucket="base", Key="b")["Body"].read() == b"two"
    with localcloud.running(tmp_path / "cloud") as later:  # the copy is on disk
        client = later.client("s3")
        copied = client.get_object(Bucket="copy", Key="a/1.jpg")
        assert (copied["Body"].read(), copied["Metadata"], copied["ContentType"]) == (
            b"one",
            {"sha": "1"},
            "image/jpeg",
        )
        assert client.get_object(Bucket="copy", Key="b")["Body"].read() == b"another"
        assert [item["Key"] for item in client.list_objects_v2(Bucket="copy")["Contents"]] == ["a/1.jpg", "b"]


@pytest.mark.slow
def test_a_suite_that_is_killed_leaves_no_server(tmp_path: Path):
    script = (
        "import sys, time, localcloud; from pathlib import Path\n"
        "with localcloud.running(Path(sys.argv[1])): print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "cloud")], stdout=subprocess.PIPE) as suite:
        assert suite.stdout
        assert suite.stdout.readline() == b"up\n"
        pid = int((tmp_path / "cloud" / "server.lock").read_text())
        suite.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
