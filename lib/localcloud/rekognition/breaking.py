"""Answers that break off: what a client sees of a connection that is lost."""

from __future__ import annotations

import socket
from http import HTTPStatus

from flask import request


def break_off(text: str) -> str:
    """Send the first half of an answer, or nothing of an empty one, and close the connection; return what is lost."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    body = text.encode()
    if body:
        head = f"HTTP/1.1 {HTTPStatus.OK} OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body[: len(body) // 2])
    connection.shutdown(socket.SHUT_RDWR)
    return ""
