"""Run `inv` in forks of a process that has loaded the libraries, which takes longer than most commands.

Our own modules and tasks.py are loaded in each fork, after its environment, folder and streams are set. So a command
runs as it does from a shell, except for what Python and the libraries do when they start.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_LIBRARIES = ("boto3.session", "botocore.client", "botocore.signers", "invoke.main", "psycopg", "yaml")
_READ_AT_START = ("PYTHON", "INVOKE_DEBUG", "LANG", "LC_", "COVERAGE_")  # prefixes of variables
_LARGEST = 1 << 20  # bytes of a request
_LONGEST = 120  # seconds of a command
_SECONDS = 0.01  # between two checks of the process

Command = list[str]


class Forks:
    """The process that forks, as the tests see it; without an address, each command starts a new Python."""

    def __init__(self, address: Path | None) -> None:
        self._address = address

    def run(
        self, command: Command, *, folder: Path, environment: Mapping[str, str], stdout: int | IO[str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and return its exit status and what it printed; its input is empty."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, Path(os.devnull).open() as nothing:
            given = stdout if isinstance(stdout, int) else stdout.fileno()
            streams = [nothing.fileno(), out.fileno() if given == subprocess.PIPE else given, err.fileno()]
            status = self._run(command, folder, environment, streams)
            encoding = environment.get("PYTHONIOENCODING")
            printed, said = (_read(file, encoding) for file in (out, err))
        return subprocess.CompletedProcess(command, status, printed, said)

    def _run(self, command: Command, folder: Path, environment: Mapping[str, str], streams: Sequence[int]) -> int:
        if self._address is None or _is_read_at_start(environment):
            stdin, stdout, stderr = streams
            return subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                check=False,
                timeout=_LONGEST,
            ).returncode
        request = json.dumps({"command": command, "folder": str(folder), "environment": dict(environment)})
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(_LONGEST)
            connection.connect(str(self._address))
            socket.send_fds(connection, [request.encode("utf-8", "surrogateescape")], streams)
            return int(connection.recv(16))


@contextmanager
def forks(folder: Path, *, is_cold: bool) -> Iterator[Forks]:
    """Start the process that forks, and stop it at the end of the block.

    Args:
        folder: for its socket.
        is_cold: each command gets a Python of its own, as from a shell; macOS's libraries allow nothing else.
    """
    if is_cold or sys.platform != "linux":
        yield Forks(None)
        return
    address = folder / "forks"
    # It ends when its input does, so also when the tests are killed.
    with subprocess.Popen([sys.executable, __file__, address], stdin=subprocess.PIPE) as process:
        while not address.exists():
            assert process.poll() is None
            time.sleep(_SECONDS)
        yield Forks(address)


def _is_read_at_start(environment: Mapping[str, str]) -> bool:
    names = {name for name in environment.keys() | os.environ.keys() if name.startswith(_READ_AT_START)}
    return any(environment.get(name) != os.environ.get(name) for name in names)


def _read(file: IO[bytes], encoding: str | None) -> str:
    file.seek(0)
    return file.read().decode((encoding or "utf-8").partition(":")[0])


def _serve(address: str) -> None:
    """Fork for each request: one process that waits for the command, and the command."""
    for name in _LIBRARIES:
        __import__(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(f"{address}.new")
        listening.listen(16)
        Path(f"{address}.new").rename(address)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the waiting processes
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                break
            connection.close()
        else:
            return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(connection, _LARGEST, 3)
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    connection.close()
    _become(json.loads(request.decode("utf-8", "surrogateescape")), streams)


def _become(request: Mapping[str, object], streams: Sequence[int]) -> None:
    from invoke.main import program

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[:] = request["command"]
    program.run()


if __name__ == "__main__":
    _serve(sys.argv[1])
