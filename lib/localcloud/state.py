"""The state folder of one local cloud: its files, the process that serves it, and the address.

A server holds a lock on `server.lock` while it lives, and writes its process id there. The kernel releases the lock
even after kill -9, so the lock shows whether the id is still that of the server.
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
_MARKS: Final = frozenset({"start.lock", "buckets.sqlite", "rekognition"})  # a folder with one of these is ours
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a running server, its process id and its key."""

    url: str
    pid: int
    credentials: Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The paths of one state folder; making this object does not create or change anything."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> State:
        """Return the state of a folder, which need not exist."""
        return cls(folder=folder.expanduser().resolve())

    @classmethod
    def open(cls, folder: Path) -> State:
        """Open a folder to serve it: create it for its owner only, or accept one that is empty or ours.

        Raises:
            LocalCloudError: when it cannot be used, holds something else, or others can write in it.
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
        """The output of the detached server."""
        return self.folder / "server.log"

    @property
    def endpoint_file(self) -> Path:
        """The file with the address of the running server."""
        return self.folder / "endpoint.json"

    @property
    def key_file(self) -> Path:
        """The access key, which is kept when a server ends."""
        return self.folder / "key.json"

    @property
    def port_file(self) -> Path:
        """The port of the last server, which the next one tries first."""
        return self.folder / "port"

    @property
    def server_lock(self) -> Path:
        """The file that the server locks, and writes once."""
        return self.folder / "server.lock"

    @property
    def start_lock(self) -> Path:
        """The file that a process locks while it starts or stops a server."""
        return self.folder / "start.lock"

    def write_endpoint(self, fields: dict[str, Any]) -> None:
        """Write the address of the server atomically; only the server that holds the folder may call this."""
        temporary = self.endpoint_file.with_suffix(".part")  # fixed name: the file of a killed server is overwritten
        temporary.write_text(json.dumps(fields) + "\n")
        temporary.replace(self.endpoint_file)

    def remembered_port(self) -> int:
        """Return the port of the last server, 0 if there is none."""
        try:
            return int(self.port_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def serving_pid(self) -> int | None:
        """Return the process id that the holder of this folder wrote, None if it has no holder."""
        try:
            with self.server_lock.open("r+") as lock:
                return None if _try_lock(lock.fileno()) else int(lock.read() or 0)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def answering(self) -> Endpoint | None:
        """Return the server of this folder if it answers and proves its identity; read-only.

        A stale endpoint.json, or a port that another program has taken over, is not accepted as an answer.
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
        """Hold the folder while this process serves it; provide a function that says whether it is still this folder.

        Raises:
            LocalCloudError: when another process serves it.
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
    """Say whether a path still leads to the open file, not to nothing or to a new file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock_soon(descriptor: int) -> bool:
    # Other processes take the lock for a moment to see whether it is free.
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
