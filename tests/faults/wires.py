"""Two forwarders, to PostgreSQL and to the local cloud, that count messages and cut a connection at a chosen point."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

MESSAGE, REQUEST = "message", "request"  # to the database, to the cloud
WAYS = ("fail before", "fail after", "kill before", "kill after")
_SOCKET = ".s.PGSQL.5432"
# The client's messages after which it waits (PostgreSQL manual 54.2): Query, Sync, CopyDone; and the messages that end
# the wait: ReadyForQuery, CopyInResponse, CopyOutResponse.
_ASKING, _ENDING = b"QSc", b"ZGH"
# A session of ours repeats its queries while databases are renamed. Only the first ones are counted, because
# the number of repetitions differs each time.
_WATCHER, _COUNTED = b"eduguard watches", 12
# Headers about one connection; the host is not changed, because it is signed.
_OWN = {"connection", "content-length", "date", "expect", "server", "transfer-encoding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where a command is interrupted: at which message or request, counted from 1, and in which of the WAYS.

    "fail" closes the connection once, "kill" ends the process. "before": the other side never gets the message.
    "after": the other side has carried it out, but the command does not get the answer.
    """

    kind: str
    number: int
    way: str

    def __str__(self) -> str:
        return f"{self.way} {self.kind} {self.number}"


class Turn:
    """Counts the messages and requests of one command, and strikes at its fault."""

    def __init__(self, fault: Fault | None) -> None:
        self.counts = {MESSAGE: 0, REQUEST: 0}
        self.is_struck = False
        self._fault, self._lock = fault, threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._has_begun = threading.Event()

    def begin(self, process: subprocess.Popen[str]) -> None:
        """Set the process, which leads its own group."""
        self._process = process
        self._has_begun.set()

    def take(self, kind: str) -> str:
        """Count one; return "before" or "after" if it is the chosen one, otherwise an empty text."""
        with self._lock:
            self.counts[kind] += 1
            fault = self._fault
            is_it = fault is not None and (fault.kind, fault.number) == (kind, self.counts[kind])
        return fault.way.rpartition(" ")[2] if fault and is_it else ""

    def strike(self) -> None:
        """Carry out the fault; the caller closes the connection."""
        self.is_struck = True
        if self._fault and self._fault.way.startswith("kill"):
            self._has_begun.wait()
            assert self._process
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


class _Link:
    """One connection to the database: two threads, one for each direction."""

    def __init__(self, client: socket.socket, upstream: Path, turn: Turn) -> None:
        self._client, self._turn = client, turn
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(str(upstream))
        self._awaits_end = False
        self.pid = 0
        self._answers = threading.Thread(target=self._guarded, args=(self._answer,))

    def serve(self) -> None:
        self._answers.start()
        self._guarded(self._ask)
        self._answers.join()
        self._client.close()
        self._server.close()

    def _guarded(self, pump: Callable[[], None]) -> None:
        with suppress(OSError):
            pump()
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> None:
        with self._client.makefile("rb") as asked:
            message, is_asking = _read_message(asked, typed=False), True  # no TLS request over a Unix socket
            left = _COUNTED if _WATCHER in message else sys.maxsize
            while message:
                when, left = self._turn.take(MESSAGE) if left > 0 else "", left - 1
                if when == "before":
                    self._turn.strike()
                    return
                self._awaits_end = self._awaits_end or (when == "after" and is_asking)
                self._server.sendall(message)
                if when == "after" and not is_asking:
                    self._turn.strike()
                    return
                message = _read_message(asked)
                is_asking = message[:1] in _ASKING

    def _answer(self) -> None:
        with self._server.makefile("rb") as answered:
            while message := _read_message(answered):
                if message[:1] == b"K":
                    self.pid = int.from_bytes(message[5:9], "big")
                if not self._awaits_end:
                    self._client.sendall(message)
                elif message[:1] in _ENDING:
                    break
            if self._awaits_end:
                self._turn.strike()


def _read_message(stream: IO[bytes], *, typed: bool = True) -> bytes:
    """Return a whole protocol message (type, except in the first one, length, content), or nothing at the end."""
    head = stream.read(5 if typed else 4)
    if len(head) < (5 if typed else 4):
        return b""
    size = int.from_bytes(head[-4:], "big") - 4
    content = stream.read(size)
    return head + content if len(content) == size else b""


class PostgresWire:
    """A Unix socket that forwards to a server's socket."""

    def __init__(self, folder: Path, upstream: Path, turn: Turn) -> None:
        folder.mkdir(exist_ok=True)
        self._path, self._upstream, self._turn = folder / _SOCKET, upstream / _SOCKET, turn
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        self._is_closing = False
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []
        self._accepts = threading.Thread(target=self._accept)
        self._accepts.start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._is_closing:
                client.close()
                return
            with suppress(OSError):
                link = _Link(client, self._upstream, self._turn)
                self._links.append(link)
                self._threads.append(threading.Thread(target=link.serve))
                self._threads[-1].start()

    def close(self) -> list[int]:
        """Close it when its clients have gone; return the pids of the server processes that served them."""
        self._is_closing = True
        with socket.socket(socket.AF_UNIX) as last:  # because closing a socket does not wake a thread that waits for it
            last.connect(str(self._path))
        self._accepts.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()
        self._path.unlink(missing_ok=True)
        return [link.pid for link in self._links if link.pid]


class HttpWire:
    """A port that forwards to the local cloud: it reads each request whole, then its answer."""

    def __init__(self, upstream: str, turn: Turn) -> None:
        self._connections = connections = list[socket.socket]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                connections.append(self.request)
                super().setup()

            def do(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                when = turn.take(REQUEST)
                if when != "before" and len(body) == length:
                    status, headers, content = _forward(self, upstream, body)
                if when or len(body) < length:
                    turn.strike() if when else None
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Print no request log."""

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # closing waits for the cloud's answers
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._serves = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._serves.start()

    def close(self) -> None:
        """Close it when the cloud has answered all requests."""
        self._server.shutdown()
        self._serves.join()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the client was killed."""


def _forward(handler: BaseHTTPRequestHandler, upstream: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(upstream.removeprefix("http://"), timeout=60)
    kept = {name: value for name, value in handler.headers.items() if name.lower() not in _OWN}
    connection.request(handler.command, handler.path, body, kept)
    with connection.getresponse() as said:
        content = said.read()
        headers = [(name, value) for name, value in said.getheaders() if name.lower() not in _OWN]
        length = said.headers.get("Content-Length", "0") if handler.command == "HEAD" else str(len(content))
    connection.close()
    return said.status, [*headers, ("Content-Length", length)], content


@dataclass(slots=True, kw_only=True)
class Wires:
    """The addresses of both, and the pids that are known when they are closed."""

    folder: Path
    endpoint: str
    pids: list[int]


@contextmanager
def open_wires(folder: Path, upstream: Path, endpoint: str, turn: Turn) -> Iterator[Wires]:
    """Serve both until the block is left; the command must have ended by then.

    Args:
        folder: the folder of the socket that leads to the database.
        upstream: the folder of the server's own socket.
        endpoint: the local cloud's endpoint.
        turn: the command's turn.
    """
    database, cloud = PostgresWire(folder, upstream, turn), HttpWire(endpoint, turn)
    wires = Wires(folder=folder, endpoint=cloud.endpoint, pids=[])
    try:
        yield wires
    finally:
        cloud.close()
        wires.pids = database.close()
