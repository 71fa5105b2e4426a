"""Refusals of requests, with the text and format of the service that was called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from uuid import uuid4
from xml.sax.saxutils import escape

from flask import Response

from localcloud.failures import JSON

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_FORBIDDEN: Final = int(HTTPStatus.FORBIDDEN)
_BAD_REQUEST: Final = int(HTTPStatus.BAD_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason with its codes in S3, the JSON services and the query services (their pages on common errors).

    Attributes:
        status: S3's status; the query services answer 403.
        json_status: the status of the JSON services.
    """

    s3: str
    json: str
    query: str
    message: str
    status: int = _FORBIDDEN
    json_status: int = _BAD_REQUEST


UNSIGNED: Final = Reason(
    s3="AccessDenied",
    json="MissingAuthenticationTokenException",
    query="MissingAuthenticationToken",
    message="Missing Authentication Token",
)
MALFORMED: Final = Reason(
    s3="AuthorizationHeaderMalformed",
    json="IncompleteSignatureException",
    query="IncompleteSignature",
    message="The authorization that you provided is malformed",
    status=_BAD_REQUEST,
)
UNKNOWN_KEY: Final = Reason(
    s3="InvalidAccessKeyId",
    json="UnrecognizedClientException",
    query="InvalidClientTokenId",
    message="The security token included in the request is invalid.",
)
MISMATCH: Final = Reason(
    s3="SignatureDoesNotMatch",
    json="InvalidSignatureException",
    query="SignatureDoesNotMatch",
    message="The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method.",
)
SKEWED: Final = Reason(
    s3="RequestTimeTooSkewed",
    json="InvalidSignatureException",
    query="SignatureDoesNotMatch",
    message="The difference between the request time and the current time is too large.",
)
EXPIRED: Final = Reason(
    s3="AccessDenied",
    json="InvalidSignatureException",
    query="SignatureDoesNotMatch",
    message="Request has expired",
)
NOT_YET_VALID: Final = Reason(
    s3="AccessDenied",
    json="InvalidSignatureException",
    query="SignatureDoesNotMatch",
    message="Request is not valid yet",
)
UNSIGNED_HEADERS: Final = Reason(
    s3="AccessDenied",
    json="InvalidSignatureException",
    query="SignatureDoesNotMatch",
    message="There were headers present in the request which were not signed",
)
OTHER_CONTENT: Final = Reason(
    s3="XAmzContentSHA256Mismatch",
    json="InvalidSignatureException",
    query="SignatureDoesNotMatch",
    message="The provided 'x-amz-content-sha256' header does not match what was computed.",
    status=_BAD_REQUEST,
)
AGAINST_POLICY: Final = Reason(
    s3="AccessDenied",
    json="AccessDeniedException",
    query="AccessDenied",
    message="Invalid according to Policy",
)
FOREIGN: Final = Reason(
    s3="AccessDenied",
    json="AccessDeniedException",
    query="AccessDenied",
    message="The local cloud serves programs of this machine only",
    json_status=_FORBIDDEN,
)
CLOSED: Final = Reason(
    s3="AccessDenied",
    json="AccessDeniedException",
    query="AccessDenied",
    message="The local cloud does not offer this page of moto",
    json_status=_FORBIDDEN,
)
BAD_REQUEST: Final = Reason(
    s3="BadRequest",
    json="SerializationException",
    query="MalformedInput",
    message="An error occurred when parsing the HTTP request.",
    status=_BAD_REQUEST,
)
INCOMPLETE: Final = Reason(
    s3="IncompleteBody",
    json="SerializationException",
    query="MalformedInput",
    message="You did not provide the number of bytes specified by the Content-Length HTTP header",
    status=_BAD_REQUEST,
)
TOO_LARGE: Final = Reason(
    s3="EntityTooLarge",
    json="SerializationException",
    query="MalformedInput",
    message="Your proposed upload exceeds the maximum allowed size",
    status=_BAD_REQUEST,
)


class RefusedError(Exception):
    """A request was refused before any service saw it."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.message)
        self.reason = reason
        self.detail = detail


def answer(error: RefusedError, environ: WSGIEnvironment) -> Response:
    """Return the response for the protocol that the client speaks."""
    reason, request = error.reason, str(uuid4())
    message = reason.message + (f": {error.detail}" if error.detail else "")
    if _speaks_json(environ):
        body = json.dumps({"__type": reason.json, "message": message})
        response = Response(body, status=reason.json_status, content_type=JSON)
        response.headers["x-amzn-RequestId"] = request
        return response
    if _is_query_service(environ):
        text = f"<Error><Type>Sender</Type><Code>{reason.query}</Code><Message>{escape(message)}</Message></Error>"
        text = f"<ErrorResponse>{text}<RequestId>{request}</RequestId></ErrorResponse>"
        return Response(text, status=HTTPStatus.FORBIDDEN, content_type="text/xml")
    text = (
        f"<Error><Code>{reason.s3}</Code><Message>{escape(message)}</Message><RequestId>{request}</RequestId></Error>"
    )
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    return Response(body, status=reason.status, content_type="application/xml")


def _speaks_json(environ: WSGIEnvironment) -> bool:
    kind = environ.get("CONTENT_TYPE", "")
    is_ours = str(environ.get("PATH_INFO", "")).startswith("/localcloud/")
    return "HTTP_X_AMZ_TARGET" in environ or kind.startswith("application/x-amz-json") or is_ours


def _is_query_service(environ: WSGIEnvironment) -> bool:
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0].split("/")
    return len(scope) == 5 and scope[3] != "s3"  # noqa: PLR2004 -- key, date, region, service, aws4_request
