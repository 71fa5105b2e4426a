"""The local cloud as a process: a task starts it, later tasks find it, and `inv down` stops it.

It is a separate program that we use only through its command line, its state folder and HTTP. The folder contains its
address and its key. Before anything else is sent to that address, the server proves that it has the same key.
"""

import hmac
import http.client
import json
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from eduguard.errors import EduguardError
from eduguard.state_folder import make_state_folder, server_environment

_HEALTH = "/localcloud/health"
_LARGEST_ANSWER = 10_000  # bytes
_HEALTH_TIMEOUT = 2.0  # seconds; a healthy server answers within milliseconds
_START_TIMEOUT = 60.0  # seconds; enough for a first start on a cold disk
# Python's own variables, the encoding of its output, and the measuring of test coverage.
_ENVIRONMENT = ("PYTHON", "LANG", "LC_", "COVERAGE_")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudStatus:
    """Whether the local cloud answers, and where."""

    is_running: bool
    endpoint: str | None
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCloud:
    """The address and the access key of a running local cloud."""

    endpoint: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def credentials(self) -> dict[str, str]:
        """The key as boto3's parameters."""
        return {"aws_access_key_id": self.access_key_id, "aws_secret_access_key": self.secret_access_key}


def ensure_running(folder: Path, *, models: Path | None = None) -> LocalCloud:
    """Return the local cloud that keeps its state in folder; start it if it does not answer.

    Raises:
        EduguardError: with the server's own message when it does not start.
    """
    if running := find(folder):
        return running
    make_state_folder(folder.parent)
    _localcloud(["start", "--state", str(folder)] + (["--models", str(models)] if models else []))
    if running := find(folder):
        return running
    raise EduguardError("The local cloud ended as soon as it had started", hint="Its log is in `inv status`'s folder.")


def stop(folder: Path) -> bool:
    """Stop the local cloud of this folder; say whether it was running."""
    return folder.is_dir() and bool(json.loads(_localcloud(["stop", "--state", str(folder)]))["stopped"])


def read_status(folder: Path) -> CloudStatus:
    """Ask the local cloud of this folder whether it answers; read-only."""
    running = find(folder)
    return CloudStatus(is_running=running is not None, endpoint=running.endpoint if running else None, folder=folder)


def find(folder: Path) -> LocalCloud | None:
    """Return the local cloud of this folder if it answers and proves its identity; read-only."""
    try:
        endpoint = str(json.loads((folder / "endpoint.json").read_text())["endpoint"])
        key = json.loads((folder / "key.json").read_text())
        found = LocalCloud(
            endpoint=endpoint, access_key_id=key["access_key_id"], secret_access_key=key["secret_access_key"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if _is_proven(found, folder) else None


def _is_proven(cloud: LocalCloud, folder: Path) -> bool:
    # The port may now belong to another program, which must not get a photo: only a server with the key can answer the
    # nonce for this address and this folder.
    address, nonce = urlsplit(cloud.endpoint), secrets.token_hex(16)
    message = "\n".join(("localcloud", nonce, address.netloc, str(folder.resolve())))
    expected = hmac.new(cloud.secret_access_key.encode(), message.encode(), "sha256").hexdigest()
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_HEALTH_TIMEOUT)
    try:
        connection.request("GET", f"{_HEALTH}?nonce={nonce}")
        response = connection.getresponse()
        proof = str(json.loads(response.read(_LARGEST_ANSWER))["proof"])
        return response.status == http.HTTPStatus.OK and hmac.compare_digest(proof.encode(), expected.encode())
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()


def _localcloud(arguments: list[str]) -> str:
    command = [sys.executable, "-m", "localcloud", *arguments]
    try:
        done = subprocess.run(
            command,
            env=server_environment(*_ENVIRONMENT),
            capture_output=True,
            text=True,
            check=False,
            timeout=_START_TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise EduguardError(
            f"The local cloud did not {arguments[0]} within {_START_TIMEOUT:.0f} s",
            hint="`inv status` names its folder; its log is there.",
        ) from error
    if done.returncode != 0:
        raise EduguardError(f"The local cloud did not {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
