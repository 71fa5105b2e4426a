"""Where the servers of one checkout keep their state, and which account may run PostgreSQL there."""

import hashlib
import os
import pwd
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from eduguard.errors import EduguardError

_NAME = ".eduguard"
_PASSABLE = 0o711
# sun_path holds 108 bytes with its final NUL on Linux, 104 on macOS; PostgreSQL also needs the name of the lock file.
_LONGEST_SOCKET = 103
_SOCKET = "postgres/s/.s.PGSQL.5432.lock"
_SERVER_ACCOUNTS = ("postgres", "_postgres", "nobody")
# For programs and their libraries, and the time zone of a new cluster. TMPDIR is left out, because that folder may be
# deleted when the caller's shell ends.
_ENVIRONMENT = re.compile(r"(PATH|HOME|TZ|(NIX_|DY)?LD_\w+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of this machine that runs PostgreSQL, which refuses to run as root."""

    name: str
    user_id: int
    group_id: int


def server_account() -> Account | None:
    """Return the account that runs PostgreSQL, or None if it is the caller's own.

    Raises:
        EduguardError: for root on a machine without any of the accounts.
    """
    if os.geteuid() != 0:
        return None
    for name in _SERVER_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, user_id=entry.pw_uid, group_id=entry.pw_gid)
    raise EduguardError(
        f"PostgreSQL does not run as root, and there is no account {' or '.join(_SERVER_ACCOUNTS)}",
        hint="Run as an ordinary user, or create the account postgres.",
    )


def state_folder(checkout: Path, override: Path | None) -> Path:
    """Return the folder for the state of one checkout: `.eduguard` in it, or a folder outside if that cannot work.

    A folder outside is named after the checkout and its full path, so that two checkouts never share one. The folder
    need not exist.

    Raises:
        EduguardError: for an override that cannot work.
    """
    account = server_account()
    if override:
        if problem := _problem(override, account):
            raise EduguardError(f"state_folder {override} {problem}", hint="Set INVOKE_STATE_FOLDER to another folder.")
        return override
    inside = checkout / _NAME
    return inside if _problem(inside, account) is None else _outside(checkout)


def make_state_folder(folder: Path) -> None:
    """Create a state folder that others may pass through but not list; each server sets the modes of its own files."""
    for missing in [path for path in (*reversed(folder.parents), folder) if not path.exists()]:
        missing.mkdir(exist_ok=True)
        missing.chmod(_PASSABLE)  # whatever the caller's umask is; a folder that existed before keeps its mode


def server_environment(*more: str) -> dict[str, str]:
    """Return the variables that a server needs of the caller's environment, without secrets: it outlives the caller.

    Args:
        more: prefixes of the names of other variables that the server takes.
    """
    return {key: value for key, value in os.environ.items() if _ENVIRONMENT.match(key) or key.startswith(more)}


def _outside(checkout: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]
    if os.geteuid() == 0:
        home = Path("/var/lib")
    else:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = home / "eduguard" / f"{checkout.name[:16]}-{digest}"
    if problem := _problem(folder, server_account()):
        raise EduguardError(
            f"There is no place for the state of {checkout}: {folder} {problem}",
            hint="Set INVOKE_STATE_FOLDER to a folder.",
        )
    return folder


def _problem(folder: Path, account: Account | None) -> str | None:
    if len(os.fsencode(folder / _SOCKET)) > _LONGEST_SOCKET:
        return f"is too long for a Unix socket ({_LONGEST_SOCKET - len(_SOCKET) - 1} bytes at most)"
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return "is not writable"
    if account and not all(_lets_pass(path, account) for path in (existing, *existing.parents)):
        return f"cannot be reached by the account {account.name}, which PostgreSQL runs as"
    return None


def _lets_pass(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.user_id:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.group_id:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
