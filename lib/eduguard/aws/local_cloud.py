"""The local cloud as a process: started when a task needs it, found again by the next one, stopped by `inv down`.

It is another program, met only over its command line and HTTP.
"""

import http.client
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from eduguard.errors import EduguardError
from eduguard.state_folder import make_state_folder, server_environment

_HEALTH = "/localcloud/health"
_HEALTH_TIMEOUT = 2.0  # seconds; a healthy server answers within milliseconds
_START_TIMEOUT = 60.0  # seconds; covers a first start on a cold disk
# Python's own, how its output is encoded, and the measuring of what the tests run.
_ENVIRONMENT = ("PYTHON", "LANG", "LC_", "COVERAGE_")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudStatus:
    """Whether the local cloud answers, and where."""

    is_running: bool
    endpoint: str | None
    folder: Path


def ensure_running(folder: Path, *, models: Path | None = None) -> str:
    """Return the endpoint of the local cloud that keeps its state in folder, starting it if it does not answer.

    Raises:
        EduguardError: with the server's own words when it does not start.
    """
    status = read_status(folder)
    if status.is_running and status.endpoint:
        return status.endpoint
    make_state_folder(folder.parent)
    arguments = ["start", "--state", str(folder)] + (["--models", str(models)] if models else [])
    return str(json.loads(_localcloud(arguments))["endpoint"])


def stop(folder: Path) -> bool:
    """Stop the local cloud of this folder; say whether it was running."""
    was_running = read_status(folder).is_running
    if was_running:
        _localcloud(["stop", "--state", str(folder)])
    return was_running


def read_status(folder: Path) -> CloudStatus:
    """Ask the local cloud of this folder whether it answers; read-only."""
    endpoint = _recorded_endpoint(folder)
    answers = endpoint is not None and _answers(endpoint, folder)
    return CloudStatus(is_running=answers, endpoint=endpoint if answers else None, folder=folder)


def _recorded_endpoint(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / "endpoint.json").read_text())["endpoint"])
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return None


def _answers(endpoint: str, folder: Path) -> bool:
    # The port may meanwhile belong to the local cloud of another checkout: the answer says whose state it serves.
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_HEALTH_TIMEOUT)
    try:
        connection.request("GET", _HEALTH)
        response = connection.getresponse()
        return response.status == http.HTTPStatus.OK and json.loads(response.read())["state"] == str(folder.resolve())
    except (OSError, http.client.HTTPException, json.JSONDecodeError, KeyError):
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
