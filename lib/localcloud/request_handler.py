"""How the server reads, answers and logs HTTP."""

from __future__ import annotations

import socket
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from moto.moto_server.werkzeug_app import MotoRequestHandler

from localcloud.access.framing import WAS_READ
from localcloud.log import note, note_failure

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_IDLE: Final = 60.0  # seconds; a connection without traffic is closed after this
_DRAIN: Final = 1.0  # seconds to wait for more of an unwanted body
_MOST_DRAINED: Final = 256 * 1024 * 1024  # bytes
_PIECE: Final = 64 * 1024  # bytes
_FAILURE: Final = b'{"__type":"InternalFailure","message":"The local cloud failed; its log says why."}'


class RequestHandler(MotoRequestHandler):
    """moto's handler with connections that stay open, AWS's headers, and a log of failures only."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written separately
    timeout = _IDLE

    def handle_expect_100(self) -> bool:
        """Do not answer yet: a refused client need not send the body."""
        return True

    def make_environ(self) -> dict[str, Any]:
        """Tell the client to continue when the body is read."""
        environ: dict[str, Any] = super().make_environ()
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            environ["wsgi.input"] = _Awaited(environ["wsgi.input"], self)
        return environ

    def run_wsgi(self) -> None:
        """Answer one request; close the connection unless its body was read to the end."""
        self.environ = environ = self.make_environ()
        try:
            status, headers, body = self._ask(environ)
            is_left = not environ.get(WAS_READ) and _may_have_body(environ)
            self.close_connection |= is_left
            self._answer(status, headers, body)
            if is_left:
                self._drain()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log a request that failed on our side."""
        if str(code).isdigit() and int(code) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            note(f"{self.command} {self.path.split('?')[0]}: {code} ({size})")

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name of http.server
        """Log nothing: a client that disconnects is not a failure of ours."""

    def _ask(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        told: list[Any] = ["500 Internal Server Error", []]

        def start_response(status: str, headers: list[tuple[str, str]], _failure: Any = None) -> Any:
            told[:] = [status, headers]

        try:
            answer = self.server.app(environ, start_response)
            try:
                body = b"".join(answer)
            finally:
                getattr(answer, "close", lambda: None)()
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 -- the client always gets an answer
            note_failure(error)
            return "500 Internal Server Error", [("Content-Type", "application/x-amz-json-1.1")], _FAILURE
        return told[0], told[1], body

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, phrase = status.partition(" ")
        names = {name.lower() for name, _ in headers}
        self.log_request(code, len(body))
        self.send_response_only(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in names and int(code) not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.send_header("Content-Length", str(len(body)))
        if "date" not in names:
            self.send_header("Date", formatdate(usegmt=True))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _drain(self) -> None:
        """Read what a client still sends: if the connection were closed now, the client would not see the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_DRAIN)
        for _ in range(_MOST_DRAINED // _PIECE):
            if not self.connection.recv(_PIECE):
                return


class _Awaited:
    """A body that the client sends when it is told to continue."""

    def __init__(self, stream: Any, handler: RequestHandler) -> None:
        self._stream = stream
        self._handler = handler

    def read(self, size: int = -1) -> bytes:
        """Tell the client to continue, and read."""
        self._handler.send_response_only(HTTPStatus.CONTINUE)
        self._handler.end_headers()
        return bytes(self._stream.read(size))


def _may_have_body(environ: WSGIEnvironment) -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ
