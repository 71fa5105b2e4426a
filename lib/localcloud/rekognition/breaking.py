"""Answers that are cut off, as a client sees them when a connection is lost."""

from __future__ import annotations

import socket
from http import HTTPStatus

from flask import request


def break_off(text: str) -> str:
    """Send the first half of an answer, or nothing if it is empty, and close the connection; return the other half."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    body = text.encode()
    if body:
        head = f"HTTP/1.1 {HTTPStatus.OK} OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body[: len(body) // 2])
    connection.shutdown(socket.SHUT_RDWR)
    return ""
