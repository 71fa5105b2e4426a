"""A server is started once, found again, and answers bad requests with errors in AWS's format."""

import http.client
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

Command = Callable[..., subprocess.CompletedProcess[str]]


def target(operation: str, region: str = "us-east-1", **headers: str) -> dict[str, str]:
    """Headers and scope of a request to be signed."""
    named = {"X_Amz_Target": f"RekognitionService.{operation}", "scope": f"rekognition {region}"}
    return named | {"Content_Type": "application/x-amz-json-1.1"} | headers


@pytest.mark.slow
def test_several_starts_at_once_make_one_server(own_state: Path, launch: Callable[[Path], Any]):
    with ThreadPoolExecutor(4) as pool:
        servers = set(pool.map(lambda _: launch(own_state), range(4)))
    assert len(servers) == 1


def test_a_second_server_of_a_folder_is_refused(cloud: Any, command: Command):
    done = command("serve", "--state", str(cloud.state), check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == f"{cloud.state.resolve()} is already served by process {cloud.pid}"


@pytest.mark.slow
def test_stop_and_status_say_what_is_the_case(own_state: Path, launch: Callable[[Path], Any], command: Command):
    assert json.loads(command("status", "--state", str(own_state)).stdout)["running"] is False
    server = launch(own_state)
    running = json.loads(command("status", "--state", str(own_state)).stdout)
    assert (running["running"], running["endpoint"], running["pid"]) == (True, server.endpoint, server.pid)
    assert json.loads(command("stop", "--state", str(own_state)).stdout) == {"stopped": True}
    assert not (own_state / "endpoint.json").exists()
    assert json.loads(command("stop", "--state", str(own_state)).stdout) == {"stopped": False}


@pytest.mark.slow
def test_the_port_is_remembered_unless_it_is_taken(own_state: Path, launch: Callable[..., Any], command: Command):
    first = launch(own_state)
    os.kill(first.pid, signal.SIGKILL)
    again = launch(own_state)
    assert again.endpoint == first.endpoint
    assert again.pid != first.pid
    command("stop", "--state", str(own_state))
    with socket.create_server(("127.0.0.1", int(first.endpoint.rpartition(":")[2]))):
        assert launch(own_state).endpoint != first.endpoint


@pytest.mark.slow
def test_a_server_that_is_ending_is_waited_for(own_state: Path, launch: Callable[[Path], Any]):
    first = launch(own_state)
    os.kill(first.pid, signal.SIGTERM)
    second = launch(own_state)
    second.client("rekognition").list_collections()
    assert second.pid != first.pid


@pytest.mark.slow
def test_a_port_that_was_asked_for_and_is_taken_is_an_error(own_state: Path, command: Command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = command("start", "--state", str(own_state), "--port", str(port), check=False)
    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_stale_endpoint_of_another_program_is_not_a_server(
    own_state: Path, cloud: Any, launch: Callable[[Path], Any]
):
    own_state.mkdir()
    (own_state / "start.lock").touch()
    (own_state / "endpoint.json").write_text(json.dumps({"endpoint": cloud.endpoint, "pid": os.getpid()}))
    (own_state / "server.lock").write_text(str(os.getpid()))
    assert launch(own_state).endpoint != cloud.endpoint


@pytest.mark.slow
def test_a_server_that_does_not_answer_can_be_stopped(own_state: Path, launch: Callable[[Path], Any], command: Command):
    server = launch(own_state)
    os.kill(server.pid, signal.SIGSTOP)
    waker = subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {server.pid}"])
    assert json.loads(command("stop", "--state", str(own_state)).stdout) == {"stopped": True}
    waker.wait()


@pytest.mark.slow
def test_a_server_ends_when_its_folder_is_gone_and_leaves_a_new_one_alone(
    own_state: Path, launch: Callable[[Path], Any]
):
    old = launch(own_state)
    shutil.rmtree(own_state)
    new = launch(own_state)
    assert new.pid != old.pid
    deadline = time.monotonic() + 10
    while is_alive(old.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(old.pid)
    assert launch(own_state) == new


@pytest.mark.slow
def test_what_a_server_killed_at_its_start_has_left_is_overwritten(own_state: Path, launch: Callable[[Path], Any]):
    own_state.mkdir()
    (own_state / "start.lock").touch()
    (own_state / "endpoint.part").write_text("{")
    launch(own_state)
    assert [file.name for file in own_state.glob("endpoint.*")] == ["endpoint.json"]


@pytest.mark.slow
def test_a_server_whose_endpoint_file_was_deleted_is_found_again(own_state: Path, launch: Callable[[Path], Any]):
    first = launch(own_state)
    (own_state / "endpoint.json").unlink()
    assert launch(own_state) == first


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_wrong_models_are_an_error_that_names_the_file(own_state: Path, tmp_path: Path, command: Command):
    done = command("start", "--state", str(own_state), "--models", str(tmp_path), check=False)
    assert done.returncode == 1
    assert "face_detection_yunet_2023mar_int8bq.onnx is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_the_owner_reaches_the_state(cloud: Any, collection: str):
    assert collection
    for path in [cloud.state, *cloud.state.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux lists sockets there")
def test_it_listens_on_the_loopback_interface_only(cloud: Any):
    port = int(cloud.endpoint.rpartition(":")[2])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert [row[1] for row in listening if row[3] == "0A" and row[1].endswith(f":{port:04X}")] == [
        f"0100007F:{port:04X}"
    ]


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        pytest.param(target("ListCollections"), b"{", "SerializationException", id="malformed JSON"),
        pytest.param(target("DetectFaces"), b'{"Image":{"Bytes":"*"}}', "SerializationException", id="bad base64"),
        pytest.param(target("MakeCoffee"), b"{}", "UnknownOperationException", id="unknown operation"),
        pytest.param(target("CreateProject"), b'{"ProjectName":"p"}', "UnknownOperationException", id="not offered"),
        pytest.param(target("ListCollections", "eu-west-3"), b"{}", "InvalidSignatureException", id="unknown region"),
        pytest.param(
            {"X_Amz_Target": "RekognitionService.ListCollections"},
            b"{}",
            "MissingAuthenticationTokenException",
            id="unsigned",
        ),
    ],
)
def test_a_request_that_no_client_sends_gets_an_error_of_aws(
    cloud: Any, headers: dict[str, str], body: bytes, code: str
):
    status, answer = cloud.send("/", method="POST", body=body, **headers)
    assert status == 400
    assert json.loads(answer)["__type"] == code


@pytest.mark.parametrize(
    ("path", "method"), [("/nowhere", "POST"), ("/", "GET"), ("/", "DELETE")], ids=["path", "get", "delete"]
)
def test_nothing_is_ever_answered_in_html(cloud: Any, path: str, method: str):
    _, answer = cloud.send(path, method=method, **target("ListFaces"))
    assert json.loads(answer)["__type"]


def test_operations_of_moto_keep_working(rekognition: Any, photo: Callable[[int, int], bytes]):
    assert rekognition.detect_text(Image={"Bytes": photo(1, 1)})["TextDetections"]
    assert rekognition.start_face_search(Video={"S3Object": {"Bucket": "videos", "Name": "v"}}, CollectionId="c")[
        "JobId"
    ]


def test_other_services_of_moto_work_too(cloud: Any):
    assert cloud.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_headers_are_those_of_aws_and_the_connection_stays_open(cloud: Any):
    request = AWSRequest("POST", f"{cloud.endpoint}/", data=b"{}")
    request.headers["X-Amz-Target"] = "RekognitionService.ListCollections"
    SigV4Auth(cloud.key, "rekognition", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(cloud.endpoint.removeprefix("http://"), timeout=10)
    for _ in range(3):
        connection.request("POST", "/", b"{}", dict(request.headers.items()))
        answer = connection.getresponse()
        assert [name.lower() for name, _ in answer.getheaders()] == [
            "x-amzn-requestid",
            "content-type",
            "content-length",
            "date",
        ]
        assert json.loads(answer.read())["CollectionIds"] is not None
        assert connection.sock is not None
    connection.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_rekognition_answers_posts_only(cloud: Any, method: str):
    status, answer = cloud.send("/", method=method, **target("ListCollections"))
    assert (status, json.loads(answer)["__type"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    ("name", "scope", "code"),
    [
        ("DynamoDB_20120810.ListTables", "rekognition", "UnknownOperationException"),
        ("RekognitionService", "rekognition", "UnknownOperationException"),
        ("RekognitionService.ListCollections", "s3", "InvalidSignatureException"),
        ("RekognitionService.ListCollections", "dynamodb", "InvalidSignatureException"),
    ],
)
def test_targets_and_signatures_of_other_services_are_refused(cloud: Any, name: str, scope: str, code: str):
    status, answer = cloud.send("/", method="POST", body=b"{}", X_Amz_Target=name, scope=scope)
    assert (status, json.loads(answer)["__type"]) == (400, code)
