"""Answers when moto fails: an error in the format of the client's protocol."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final
from xml.sax.saxutils import escape

from flask import Response, request
from werkzeug.exceptions import HTTPException

from localcloud.log import note_failure

JSON: Final = "application/x-amz-json-1.1"
_CODES: Final = {404: "UnknownOperationException", 405: "MethodNotAllowed", 501: "NotImplemented"}
_STATUSES: Final = range(HTTPStatus.BAD_REQUEST, 600)


def answer(error: Exception) -> Response:
    """Answer an error of moto, as the last handler of a Flask application."""
    status = _status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        note_failure(error)
    code = _CODES.get(status, "InternalServerError")
    message = str(error) or type(error).__name__
    if "X-Amz-Target" in request.headers:
        return Response(json.dumps({"__type": code, "message": message}), status=status, content_type=JSON)
    return xml_error(code, message, status)


def xml_error(code: str, message: str, status: int) -> Response:
    """Return an error as S3 writes it."""
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', status=status, content_type="application/xml")


def _status_of(error: Exception) -> int:
    """Return the status of an error; the code of a non-HTTP error is ignored."""
    if isinstance(error, HTTPException) and error.code in _STATUSES:
        return int(error.code or 0)
    return int(HTTPStatus.NOT_IMPLEMENTED if isinstance(error, NotImplementedError) else 500)
