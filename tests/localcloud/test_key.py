"""One key gives access to the local cloud, and proves to a client that the server is the right one."""

import http.client
import json
import socket
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.credentials import Credentials as Key


@pytest.mark.parametrize("page", ["recorder/start-recording", "recorder/replay-recording", "data.json", "seed", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_pages_of_moto_are_closed_with_the_key_too(cloud: Any, page: str, method: str):
    status, body = cloud.send(f"/moto-api/{page}", method=method, scope="localcloud")
    assert (status, b"does not offer this page of moto" in body) == (403, True)


def test_a_server_proves_that_it_has_the_key_of_its_folder_at_its_address(cloud: Any):
    nonce = uuid4().hex
    answer = json.loads(cloud.send(f"/localcloud/health?nonce={nonce}")[1])
    key = Key(access_key_id=cloud.key.access_key, secret_access_key=cloud.key.secret_key)
    expected = key.proof(nonce, cloud.endpoint.removeprefix("http://"), cloud.state.resolve())
    assert answer == {"service": "localcloud", "version": answer["version"], "proof": expected}
    assert cloud.send("/localcloud/health")[0] == 400
    assert cloud.send(f"/localcloud/health?nonce={nonce}", method="PUT", body=b"x")[0] == 400


class Squatter:
    """A program on a port that forwards the proof of identity to a real server, and records everything else."""

    def __init__(self, endpoint: str) -> None:
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._target = endpoint.removeprefix("http://")
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                asked = client.recv(65536)
                self.received.append(asked)
                connection = http.client.HTTPConnection(self._target)
                connection.request("GET", asked.split()[1].decode())
                body = connection.getresponse().read()
                connection.close()
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.slow
def test_a_squatter_on_the_old_port_receives_no_byte_of_a_photo(cloud: Any, own_state: Path, launch: Any, command: Any):
    first = launch(own_state)
    command("stop", "--state", str(own_state))
    squatter = Squatter(cloud.endpoint)
    try:
        place = {"endpoint": f"http://127.0.0.1:{squatter.port}", "pid": first.pid}
        (own_state / "endpoint.json").write_text(json.dumps(place))
        assert json.loads(command("status", "--state", str(own_state)).stdout)["running"] is False
        assert launch(own_state).endpoint != place["endpoint"]
        assert len(squatter.received) >= 2
        assert all(request.startswith(b"GET /localcloud/health?nonce=") for request in squatter.received)
    finally:
        squatter.close()


@pytest.mark.slow
def test_the_key_is_made_once_and_readable_by_its_owner_only(own_state: Path, launch: Any, command: Any):
    first = launch(own_state)
    command("stop", "--state", str(own_state))
    (own_state / "key.json").chmod(0o644)
    second = launch(own_state)
    assert first.variables | {"AWS_ENDPOINT_URL": second.endpoint} == second.variables
    assert (own_state / "key.json").stat().st_mode & 0o777 == 0o600
    assert first.key.secret_key not in (own_state / "server.log").read_text()


@pytest.mark.slow
def test_a_damaged_key_is_named(own_state: Path, launch: Any, command: Any):
    launch(own_state)
    command("stop", "--state", str(own_state))
    (own_state / "key.json").write_text("{")
    done = command("start", "--state", str(own_state), check=False)
    assert (done.returncode, f"{own_state / 'key.json'} cannot be read; delete it" in done.stderr) == (1, True)
    (own_state / "key.json").unlink()


@pytest.mark.slow
def test_the_environment_leads_boto3_to_the_server(own_state: Path, launch: Any, command: Any, monkeypatch: Any):
    done = command("env", "--state", str(own_state), check=False)
    assert (done.returncode, "`python -m localcloud start --state" in done.stderr) == (1, True)
    launch(own_state)
    lines = command("env", "--state", str(own_state)).stdout.splitlines()
    assert lines[-1] == "unset AWS_SESSION_TOKEN"
    for line in lines[:-1]:
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
    assert boto3.Session().client("rekognition").list_collections()["CollectionIds"] == []


def test_what_is_refused_leaves_the_connection_usable_or_closed(cloud: Any, bucket: str):
    connection = http.client.HTTPConnection(cloud.endpoint.removeprefix("http://"), timeout=10)
    connection.request("PUT", f"/{bucket}/k", b"x" * 1_000_000)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (403, "close")
    answer.read()
    connection.close()


def test_assuming_a_role_gives_a_key_that_opens_nothing(cloud: Any):
    made = cloud.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="session")[
        "Credentials"
    ]
    other = cloud.client("s3", aws_access_key_id=made["AccessKeyId"], aws_secret_access_key=made["SecretAccessKey"])
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        other.list_buckets()
