"""One local cloud for a test run, used only over HTTP."""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from PIL import Image

PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
LABELLED = Path(os.environ.get("LABELLED_FACES") or Path(__file__).parents[3] / "shared" / "faces")
LIB = Path(__file__).parents[2] / "lib"
_NUMBERS = count(1)


@dataclass(frozen=True)
class Cloud:
    """A started server."""

    state: Path
    endpoint: str
    pid: int
    variables: dict[str, str] = field(hash=False)

    @property
    def key(self) -> Credentials:
        """Its access key."""
        return Credentials(self.variables["AWS_ACCESS_KEY_ID"], self.variables["AWS_SECRET_ACCESS_KEY"])

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client that does not retry by default."""
        named = {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": self.key.access_key,
            "aws_secret_access_key": self.key.secret_key,
            "config": Config(retries={"total_max_attempts": 1}),
        }
        return boto3.client(service, **(named | settings))

    def send(
        self, path: str, *, method: str = "GET", body: bytes | None = None, scope: str = "", **headers: str
    ) -> tuple[int, bytes]:
        """Send one request without any SDK; return status and body.

        Args:
            path: with its query.
            method: of HTTP.
            body: of the request.
            scope: service and region that the signature is for; empty: not signed.
            headers: with underscores for dashes.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest(method, self.endpoint + path, data=body or b"", headers=named)
        if scope:
            service, _, region = scope.partition(" ")
            signer = S3SigV4Auth if service == "s3" else SigV4Auth
            signer(self.key, service, region or "us-east-1").add_auth(request)
        sent = urllib.request.Request(request.url, data=body, method=method, headers=dict(request.headers.items()))
        try:
            with urllib.request.urlopen(sent, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def faults(self, **faults: Any) -> None:
        """Replace all active faults by these."""
        body = json.dumps(faults).encode()
        status, body = self.send("/localcloud/faults", method="PUT", body=body, scope="localcloud")
        assert status == 200, body


def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    path = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def start(state: Path, *options: str) -> Cloud:
    """Start a server, or find the running one."""
    answer = json.loads(run("start", "--state", str(state), *options).stdout)
    variables = json.loads(run("env", "--state", str(state), "--json").stdout)
    return Cloud(state=state, endpoint=answer["endpoint"], pid=answer["pid"], variables=variables)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """The server that most tests share; each test makes its own collection."""
    state = Path(tempfile.mkdtemp(prefix="localcloud-"))
    yield start(state)
    run("stop", "--state", str(state))
    shutil.rmtree(state)


@pytest.fixture
def own_state(tmp_path: Path) -> Iterator[Path]:
    """A state folder for a test that starts, kills or fills its own server."""
    state = tmp_path / "cloud"
    yield state
    run("stop", "--state", str(state))


@pytest.fixture(scope="session")
def rekognition(cloud: Cloud) -> Any:
    return cloud.client("rekognition")


@pytest.fixture(scope="session")
def s3(cloud: Cloud) -> Any:
    return cloud.client("s3")


@pytest.fixture
def collection(rekognition: Any) -> Iterator[str]:
    """An empty collection."""
    name = f"test-{os.getpid()}-{next(_NUMBERS)}"
    rekognition.create_collection(CollectionId=name)
    yield name
    rekognition.delete_collection(CollectionId=name)


@pytest.fixture
def bucket(s3: Any) -> str:
    """An empty bucket in us-east-1."""
    name = f"test-{os.getpid()}-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def calm(cloud: Cloud) -> Iterator[Callable[..., None]]:
    """Switch on faults for one test."""
    yield cloud.faults
    cloud.send("/localcloud/faults", method="DELETE", scope="localcloud")


@pytest.fixture(scope="session")
def labelled() -> dict[str, list[str]]:
    """Public-domain portraits beside the checkout, with the names in each, from left to right."""
    if not (LABELLED / "labels.json").exists():
        pytest.skip(f"NO LABELLED PORTRAITS in {LABELLED}: real faces are not tested")
    names: dict[str, list[str]] = json.loads((LABELLED / "labels.json").read_text())
    return names


@pytest.fixture(scope="session")
def photo() -> Callable[[int, int], bytes]:
    """A sample portrait by student and number: one drawn face."""
    return lambda student, number: (PHOTOS / f"students/student-{student:03}/photo-{number}.jpg").read_bytes()


@pytest.fixture(scope="session")
def class_photo() -> bytes:
    """The sample picture with all six drawn faces."""
    return next((PHOTOS / "classes").glob("*.jpg")).read_bytes()


@pytest.fixture(scope="session")
def portrait(labelled: dict[str, list[str]]) -> Callable[[str], bytes]:
    """A labelled portrait by name."""
    assert labelled
    return lambda name: (LABELLED / name).read_bytes()


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line."""
    return run


@pytest.fixture(scope="session")
def launch() -> Callable[..., Cloud]:
    """Starts the server of a folder."""
    return start


@pytest.fixture
def error_of() -> Callable[..., tuple[str, str, int]]:
    """Return code, message and status of the error that a call must raise."""

    def call(function: Callable[..., Any], **parameters: Any) -> tuple[str, str, int]:
        with pytest.raises(ClientError) as caught:
            function(**parameters)
        answer = caught.value.response
        return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]

    return call


@pytest.fixture(scope="session")
def blank() -> bytes:
    """A picture without a face."""
    stream = io.BytesIO()
    Image.new("RGB", (320, 240), (120, 130, 140)).save(stream, "PNG")
    return stream.getvalue()
