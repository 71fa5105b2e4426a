"""Whether a process id is that of a server of ours: by its command line, its start and its working folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psutil

from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from localcloud.state import State

_START_TOLERANCE: Final = 60.0  # seconds between the start of a process and its note in the lock file


def server_process(state: State) -> psutil.Process | None:
    """Return the process that serves a folder, None if nobody does.

    Raises:
        LocalCloudError: a process holds the folder that is not a server of ours.
    """
    pid = state.serving_pid()
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        if _is_ours(process, state):
            return process
    except psutil.NoSuchProcess:
        if state.serving_pid() is None:  # it ended meanwhile
            return None
    except psutil.AccessDenied:
        pass
    raise LocalCloudError(f"{state.folder} is held by a process that is not its server (server.lock says {pid})")


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process is gone, or a zombie that nobody has waited for."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_ours(process: psutil.Process, state: State) -> bool:
    command = process.cmdline()
    noted = state.server_lock.stat().st_mtime
    return (
        "serve" in command
        and any("localcloud" in part for part in command)
        and abs(noted - process.create_time()) < _START_TOLERANCE
        and process.cwd() == str(state.folder)
    )
