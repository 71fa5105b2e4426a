"""Recognise a server of ours by its process's command line, start time and working folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psutil

from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from localcloud.state import State

_START_TOLERANCE: Final = 60.0  # seconds between the start of a process and its entry in the lock file


def server_process(state: State) -> psutil.Process | None:
    """Return the process that serves a folder, or None.

    Raises:
        LocalCloudError: when the process that holds the folder is not a server of ours.
    """
    pid = state.serving_pid()
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        if _is_ours(process, state):
            return process
    except psutil.NoSuchProcess:
        if state.serving_pid() is None:  # it has ended in the meantime
            return None
    except psutil.AccessDenied:
        pass
    raise LocalCloudError(f"{state.folder} is held by a process that is not its server (server.lock says {pid})")


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process is gone or a zombie."""
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
