"""A forwarder that lends sessions of the server as PgBouncer does: until the client ends, or for one transaction."""

import socket
import socketserver
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from psycopg.conninfo import conninfo_to_dict

_NO_ENCRYPTION = (80877103, 80877104)  # SSLRequest, GSSENCRequest
_CANCEL = 80877102

Serve = Callable[[str, int], str]


def read(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def read_message(sock: socket.socket) -> tuple[bytes, bytes]:
    head = read(sock, 5)
    return head[:1], head + read(sock, struct.unpack("!i", head[1:])[0] - 4)


def read_startup(sock: socket.socket) -> bytes:
    while True:
        head = read(sock, 8)
        length, code = struct.unpack("!ii", head)
        if code == _CANCEL:
            raise ConnectionError
        if code not in _NO_ENCRYPTION:
            return head + read(sock, length - 8)
        sock.sendall(b"N")


class Session:
    """One session of the server, and the client that it is lent to at the moment."""

    def __init__(self, pooler: "Pooler", key: bytes) -> None:
        self.socket = pooler.dial()
        self.socket.sendall(key)
        self.greeting, self.client = b"", None
        while True:
            kind, message = read_message(self.socket)
            if kind != b"K":
                self.greeting += message
            if kind in b"ZE":
                self.failed = kind == b"E"
                return

    def lend(self, client: "Handler") -> None:
        self.client = client

    def pump(self, pooler: "Pooler", key: bytes) -> None:
        """Hand the server's answers to the client; in transaction mode, take the session back when one has ended."""
        with suppress(OSError):
            while True:
                kind, message = read_message(self.socket)
                client = self.client
                if kind == b"Z" and message[-1:] == b"I" and pooler.mode == "transaction":
                    self.client = client.session = None
                    pooler.give_back(key, self)
                client.request.sendall(message)
        self.socket.close()


class Handler(socketserver.BaseRequestHandler):
    """One client."""

    session: Session | None = None

    def handle(self) -> None:
        pooler: Pooler = self.server.pooler
        with suppress(OSError):
            key = read_startup(self.request)
            probe = Session(pooler, key)
            probe.socket.close()
            self.request.sendall(probe.greeting)
            if probe.failed:
                return
            try:
                while True:
                    kind, message = read_message(self.request)
                    if kind == b"X":
                        return
                    if self.session is None:
                        pooler.take(key, self)
                    self.session.socket.sendall(message)
            finally:
                if self.session:
                    with suppress(OSError):
                        self.session.socket.shutdown(socket.SHUT_RDWR)
                    pooler.give_up(key)


class Pooler:
    """A pooler that lends at most `size` sessions of a database at once."""

    def __init__(self, mode: str, size: int, dial: Callable[[], socket.socket]) -> None:
        self.mode, self.dial = mode, dial
        self._free = defaultdict(lambda: threading.Semaphore(size))
        self._idle: defaultdict[bytes, list[Session]] = defaultdict(list)

    def take(self, key: bytes, client: Handler) -> None:
        place = self._place(key)
        self._free[place].acquire()
        if self._idle[place]:
            session = self._idle[place].pop()
            session.client = client
        else:
            session = Session(self, key)
            session.client = client
            threading.Thread(target=session.pump, args=(self, key), daemon=True).start()
        client.session = session

    def give_back(self, key: bytes, session: Session) -> None:
        self._idle[self._place(key)].append(session)
        self.give_up(key)

    def give_up(self, key: bytes) -> None:
        self._free[self._place(key)].release()

    def close(self) -> None:
        for sessions in self._idle.values():
            for session in sessions:
                session.socket.close()

    @staticmethod
    def _place(key: bytes) -> bytes:
        words = key[8:].split(b"\0")
        return dict(zip(words[::2], words[1::2], strict=False)).get(b"database", b"")


@pytest.fixture
def pooler(server_url: str) -> Iterator[Serve]:
    """Serve the test's server through a pooler of a mode and a size; return the URL of its database `postgres`."""
    known = conninfo_to_dict(server_url)

    def dial() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(f"{known['host']}/.s.PGSQL.{known['port']}")
        return sock

    def serve(stack: ExitStack, mode: str, size: int) -> str:
        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            pooler = Pooler(mode, size, dial)

        server = stack.enter_context(Server(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(server.pooler.close)
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        return f"postgresql://postgres@127.0.0.1:{server.server_address[1]}/postgres"

    with ExitStack() as stack:
        yield lambda mode, size: serve(stack, mode, size)
