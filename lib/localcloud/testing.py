"""A local cloud for a test suite: `with localcloud.running() as cloud: cloud.client("rekognition")`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud import daemon, environment
from localcloud.errors import LocalCloudError
from localcloud.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from localcloud.credentials import Credentials
    from localcloud.state import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCloud:
    """A running local cloud.

    Attributes:
        endpoint: its URL.
        credentials: the key that it accepts.
    """

    endpoint: str
    credentials: Credentials
    region: str = environment.REGION

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that point the AWS CLI and SDKs to it."""
        return environment.variables(self.endpoint, self.credentials, self.region)

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client for a service; settings are boto3's own."""
        import boto3

        named = {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.credentials.access_key_id,
            "aws_secret_access_key": self.credentials.secret_access_key,
        }
        create: Callable[..., Any] = boto3.client  # its overloads need literal service names
        return create(service, **(named | settings))

    def faults(self, **faults: Any) -> None:
        """Activate these faults and no others.

        Raises:
            LocalCloudError: when a fault is unknown.
        """
        self._tell("PUT", "faults", faults)

    def clone_collection(self, source: str, target: str) -> None:
        """Make a collection with the faces and users of another, in one call and one transaction.

        Raises:
            LocalCloudError: when the source does not exist, or the target does.
        """
        self._tell("POST", "clone", {"source": source, "target": target, "region": self.region})

    def copy_objects(self, source: str, target: str) -> None:
        """Copy the objects of a bucket into another one, in one call and one transaction.

        Raises:
            LocalCloudError: when one of the buckets does not exist.
        """
        self._tell("POST", "copy-objects", {"source": source, "target": target})

    def _tell(self, method: str, page: str, fields: Mapping[str, Any]) -> None:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials as Key

        url, body = f"{self.endpoint}/localcloud/{page}", json.dumps(fields).encode()
        request = AWSRequest(method, url, data=body)
        key = Key(self.credentials.access_key_id, self.credentials.secret_access_key)
        SigV4Auth(key, "localcloud", self.region).add_auth(request)
        sent = urllib.request.Request(url, body, dict(request.headers.items()), method=method)  # noqa: S310 -- ours
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            opener.open(sent, timeout=60).close()
        except urllib.error.HTTPError as error:
            with error:
                raise LocalCloudError(str(json.loads(error.read())["error"])) from error


@contextmanager
def running(state: Path | None = None, *, region: str = environment.REGION) -> Iterator[RunningCloud]:
    """Run a local cloud within the block; it also ends if this process is killed.

    Args:
        state: its folder, kept afterwards; None: a temporary one. A server that runs there already is left running.
        region: of the clients.

    Raises:
        LocalCloudError: when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="localcloud-") as temporary:
        place = State.open(state or Path(temporary) / "state")
        already = place.answering()
        server = already or _started(place)
        try:
            yield RunningCloud(endpoint=server.url, credentials=server.credentials, region=region)
        finally:
            if already is None:
                daemon.stop(place)


def _started(place: State) -> Endpoint:
    """Start a server with the command line, so that it is not a child of the test suite."""
    command = [sys.executable, "-m", "localcloud", "start", "--state", str(place.folder)]
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*command, f"--with-process={os.getpid()}"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    server = place.answering()
    if done.returncode or server is None:
        raise LocalCloudError(done.stderr.strip() or "The server has ended as soon as it had started")
    return server
