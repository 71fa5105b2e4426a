"""Start the server in the background, find it again, stop it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

from localcloud.errors import LocalCloudError
from localcloud.process import has_ended, server_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.state import Endpoint, State

_START_TIMEOUT: Final = 45.0  # seconds; enough for a cold disk and a busy machine
_STOP_TIMEOUT: Final = 10.0  # seconds; then the server is killed, which loses no acknowledged write
_PAUSE: Final = 0.01  # seconds
_LOG_TAIL: Final = 2000  # characters shown when the server does not start
_LOG_LIMIT: Final = 5_000_000  # bytes; a longer log is started again


def start(state: State, options: Sequence[str] = ()) -> Endpoint:
    """Return the running server of this folder; start one if none answers.

    Args:
        state: the folder it serves.
        options: arguments for `serve`; a server that already runs does not get them.

    Raises:
        LocalCloudError: with the end of its log when it does not start.
    """
    running = state.answering()
    if running:
        return running
    with state.starting():
        return _start_and_wait(state, options)


def stop(state: State) -> bool:
    """Stop the server of this folder, even if it does not answer; say whether there was one.

    Raises:
        LocalCloudError: when it does not end, or the process that holds the folder is not a server of ours.
    """
    if not state.exists:
        return False
    with state.starting():
        process = server_process(state)
        if process is not None:
            _end(process, state)
        state.endpoint_file.unlink(missing_ok=True)
    return process is not None


def _end(process: psutil.Process, state: State) -> None:
    for ask in (process.terminate, process.kill):
        with suppress(psutil.NoSuchProcess):
            ask()  # psutil checks the process's start time again before it sends a signal
        if _wait(lambda: has_ended(process), _STOP_TIMEOUT):
            return
    raise LocalCloudError(f"Process {process.pid}, which serves {state.folder}, does not end")


def _spawn(state: State, options: Sequence[str]) -> subprocess.Popen[bytes]:
    state.endpoint_file.unlink(missing_ok=True)
    if state.log.exists() and state.log.stat().st_size > _LOG_LIMIT:
        state.log.unlink()
    command = [sys.executable, "-m", "localcloud", "serve", "--state", str(state.folder), *options]
    descriptor = os.open(state.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd=state.folder,  # the server must not keep its first caller's folder busy
            env=_environment(),
        )
    finally:
        os.close(descriptor)


def _environment() -> dict[str, str]:
    # In another working folder, a relative entry of the search path would be wrong.
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    absolute = os.pathsep.join(os.path.abspath(entry) for entry in entries if entry)  # noqa: PTH100 -- keeps symlinks
    return os.environ | {"PYTHONPATH": absolute}


def _start_and_wait(state: State, options: Sequence[str]) -> Endpoint:
    process = None
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        running = state.answering()
        if running:
            return running
        # The holder of the folder may be about to answer or to end.
        if process is None:
            _end_older_server(state)
            process = _spawn(state, options) if state.serving_pid() is None else None
        if process is not None and process.poll() is not None:
            raise LocalCloudError(f"The server ended with code {process.returncode}:\n{_log_tail(state)}")
        time.sleep(_PAUSE)
    raise LocalCloudError(f"No answer within {_START_TIMEOUT:.0f} s; the log is {state.log}:\n{_log_tail(state)}")


def _end_older_server(state: State) -> None:
    """End a server of a version without keys: it admits everybody."""
    if state.endpoint_file.exists() and not state.key_file.exists() and (older := server_process(state)):
        _end(older, state)


def _log_tail(state: State) -> str:
    return state.log.read_text(errors="replace")[-_LOG_TAIL:].strip() if state.log.exists() else "(no log)"


def _wait(is_done: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True
