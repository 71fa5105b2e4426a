"""Read the body of a request; refuse it if its length is not the announced one."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from localcloud.access import refusal
from localcloud.access.refusal import RefusedError

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

WAS_READ: Final = "localcloud.was_read"  # key in the WSGI environment: the connection can accept another request
_LARGEST: Final = 5 * 1024**3  # bytes of one PUT (S3 guide, Uploading objects)
_PIECE: Final = 1024 * 1024  # bytes; no memory is reserved for a length that is only claimed
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


def read_body(environ: WSGIEnvironment) -> bytes:
    """Read the whole body.

    Raises:
        RefusedError: when its length is not a number, differs from what arrives, or is more than S3 accepts.
    """
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH", "").strip()
    if environ.get("wsgi.input_terminated"):
        if length:
            raise RefusedError(refusal.BAD_REQUEST, "both a Content-Length and a Transfer-Encoding")
        body = _read(stream, _LARGEST + 1)
    else:
        if length and not _LENGTH.fullmatch(length):
            raise RefusedError(refusal.BAD_REQUEST, "the Content-Length is not a number of bytes")
        if int(length or 0) > _LARGEST:
            raise RefusedError(refusal.TOO_LARGE)
        body = _read(stream, int(length or 0))
        if len(body) < int(length or 0):
            raise RefusedError(refusal.INCOMPLETE)
    if len(body) > _LARGEST:
        raise RefusedError(refusal.TOO_LARGE)
    environ[WAS_READ] = True
    return body


def replace_body(environ: WSGIEnvironment, body: bytes) -> None:
    """Make a body readable again for the application that answers."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["wsgi.input_terminated"] = True
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _read(stream: io.BufferedIOBase, size: int) -> bytes:
    pieces, left = [], size
    try:
        while left and (piece := stream.read(min(left, _PIECE))):
            pieces.append(piece)
            left -= len(piece)
    except OSError as error:  # the connection or a chunk was cut off
        raise RefusedError(refusal.INCOMPLETE) from error
    return b"".join(pieces)
