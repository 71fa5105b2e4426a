"""The state folder of one local cloud: where things lie, who serves it, and at which address.

A server holds a lock on `server.lock` while it lives, and writes its process id there: the lock, which the kernel drops
even after kill -9, says whether the number is still that of the server.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEALTH_PATH: Final = "/localcloud/health"
_HEALTH_TIMEOUT: Final = 5.0  # seconds; a server busy with a large picture still answers within this
_LOCK_TIMEOUT: Final = 0.5  # seconds
_OWNER_ONLY: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a running server and its process id."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The paths of one state folder."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> State:
        """Create the folder if need be, and make it reachable by its owner only."""
        folder = folder.expanduser().resolve()
        try:
            folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            folder.chmod(_OWNER_ONLY)
        except OSError as error:
            raise LocalCloudError(f"The state folder {folder} cannot be used: {error.strerror}") from error
        return cls(folder=folder)

    @property
    def log(self) -> Path:
        """What the detached server prints."""
        return self.folder / "server.log"

    @property
    def endpoint_file(self) -> Path:
        """Where the running server says how to reach it."""
        return self.folder / "endpoint.json"

    @property
    def port_file(self) -> Path:
        """The port of the last server, tried first by the next one."""
        return self.folder / "port"

    def write_endpoint(self, fields: dict[str, Any]) -> None:
        """Say at once and whole how to reach the server, which is the one that holds the folder."""
        temporary = self.endpoint_file.with_suffix(".part")  # one name: what a killed server left is overwritten
        temporary.write_text(json.dumps(fields) + "\n")
        temporary.replace(self.endpoint_file)

    def remembered_port(self) -> int:
        """Return the port of the last server, 0 if there is none."""
        try:
            return int(self.port_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def serving_pid(self) -> int | None:
        """Return the process id of the server that holds this folder, None if nobody does."""
        try:
            with (self.folder / "server.lock").open("r+") as lock:
                return None if _try_lock(lock.fileno()) else int(lock.read() or 0)
        except FileNotFoundError:
            return None

    def answering(self) -> Endpoint | None:
        """Ask the server of this folder whether it answers; read-only.

        A stale endpoint.json, or a port that another program has taken over, is no answer.
        """
        try:
            url = str(json.loads(self.endpoint_file.read_text())["endpoint"])
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None
        health = _ask_health(url)
        if health is None or health.get("state") != str(self.folder):
            return None
        return Endpoint(url=url, pid=int(health["pid"]))

    @contextmanager
    def served_here(self) -> Iterator[Callable[[], bool]]:
        """Hold the folder while this process serves it; give a way to ask whether the folder is still this one.

        Raises:
            LocalCloudError: another process serves it.
        """
        path = self.folder / "server.lock"
        with path.open("a+") as lock:
            if not _lock_soon(lock.fileno()):
                raise LocalCloudError(f"{self.folder} is already served by process {self.serving_pid()}")
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield lambda: _is_open_file(path, lock.fileno())

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Wait for the turn to start or stop a server of this folder."""
        with (self.folder / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is_open_file(path: Path, descriptor: int) -> bool:
    """Say whether a path still leads to the file that is open, not to nothing or to a new one."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock_soon(descriptor: int) -> bool:
    # Others take the lock for a moment to see whether it is free.
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOCK_TIMEOUT / 100)
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ask_health(url: str) -> dict[str, Any] | None:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_HEALTH_TIMEOUT)
    try:
        connection.request("GET", HEALTH_PATH)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return None
    finally:
        connection.close()
    return answer if response.status == HTTPStatus.OK and isinstance(answer, dict) else None
