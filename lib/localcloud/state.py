"""The state folder of one local cloud: where things lie, who serves it, and at which address.

A server holds a lock on `server.lock` while it lives, and writes its process id there: the lock, which the kernel drops
even after kill -9, says whether the number is still that of the server.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from localcloud import credentials, health
from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.credentials import Credentials

_LOCK_TIMEOUT: Final = 0.5  # seconds
_OWNER_ONLY: Final = 0o700
_MARKS: Final = frozenset({"start.lock", "buckets.sqlite", "rekognition"})  # by which a folder of ours is known
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a running server, its process id and its key."""

    url: str
    pid: int
    credentials: Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The paths of one state folder; nothing is made or changed by naming it."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> State:
        """Name a folder, which need not exist."""
        return cls(folder=folder.expanduser().resolve())

    @classmethod
    def open(cls, folder: Path) -> State:
        """Name a folder to be served: make it reachable by its owner only, or take one that is empty or ours.

        Raises:
            LocalCloudError: it cannot be used, belongs to something else, or others can write in it.
        """
        state = cls.at(folder)
        try:
            state.folder.parent.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            try:
                state.folder.mkdir(mode=_OWNER_ONLY)
            except FileExistsError:
                state.refuse_strange_folder()
        except OSError as error:
            raise LocalCloudError(f"The state folder {state.folder} cannot be used: {error.strerror}") from error
        return state

    @property
    def exists(self) -> bool:
        """Say whether a server has ever been started here."""
        return self.start_lock.is_file()

    def refuse_strange_folder(self) -> None:
        """Raise LocalCloudError for a folder that holds something else, or that others can write in."""
        found = {path.name for path in self.folder.iterdir()}
        if found and not found & _MARKS:
            raise LocalCloudError(
                f"{self.folder} holds something else; --state names a folder of its own, or a new one"
            )
        status = self.folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
            raise LocalCloudError(f"Others can write in {self.folder}: `chmod go-w {self.folder}`, or name another one")

    @property
    def log(self) -> Path:
        """What the detached server prints."""
        return self.folder / "server.log"

    @property
    def endpoint_file(self) -> Path:
        """Where the running server says how to reach it."""
        return self.folder / "endpoint.json"

    @property
    def key_file(self) -> Path:
        """The access key, which outlives the servers."""
        return self.folder / "key.json"

    @property
    def port_file(self) -> Path:
        """The port of the last server, tried first by the next one."""
        return self.folder / "port"

    @property
    def server_lock(self) -> Path:
        """Held, and written once, by the server."""
        return self.folder / "server.lock"

    @property
    def start_lock(self) -> Path:
        """Held by whoever starts or stops a server."""
        return self.folder / "start.lock"

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
        """Return the process id that the holder of this folder wrote, None if nobody holds it."""
        try:
            with self.server_lock.open("r+") as lock:
                return None if _try_lock(lock.fileno()) else int(lock.read() or 0)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def answering(self) -> Endpoint | None:
        """Ask the server of this folder for a proof that it is this one; read-only.

        A stale endpoint.json, or a port that another program has taken over, does not count as an answer.
        """
        try:
            fields = json.loads(self.endpoint_file.read_text())
            url, pid = str(fields["endpoint"]), int(fields["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        key = credentials.load(self.key_file)
        if key is None or not health.is_proven(url, key, self.folder):
            return None
        return Endpoint(url=url, pid=pid, credentials=key)

    @contextmanager
    def served_here(self) -> Iterator[Callable[[], bool]]:
        """Hold the folder while this process serves it; give a way to ask whether the folder is still this one.

        Raises:
            LocalCloudError: another process serves it.
        """
        with self.server_lock.open("a+") as lock:
            if not _lock_soon(lock.fileno()):
                raise LocalCloudError(f"{self.folder} is already served by process {self.serving_pid()}")
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield lambda: _is_open_file(self.server_lock, lock.fileno())

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Wait for the turn to start or stop a server of this folder."""
        with self.start_lock.open("a") as lock:
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
