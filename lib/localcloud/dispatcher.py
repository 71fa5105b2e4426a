"""The WSGI application: our own pages, Rekognition, and behind them moto's server."""

from __future__ import annotations

import json
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from flask import Response, request
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask

    from localcloud.control import Control

_TARGET_PREFIX: Final = "RekognitionService."
_FAILURE_CODES: Final = {404: "UnknownOperationException", 405: "MethodNotAllowed", 501: "NotImplemented"}
_LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost"})


class Dispatcher(DomainDispatcherApplication):
    """Hands each request to the application that answers it."""

    def __init__(self, *, control: Control, guards: dict[str, Callable[[Flask], Any]]) -> None:
        """Prepare the applications.

        Args:
            control: answers our own pages.
            guards: wraps the application of a service, by moto's name of the service.
        """

        def create(service: Any) -> Any:
            application = _create_app(service)
            return guards[service](application) if service in guards else application

        super().__init__(create)
        self._control = control

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not _is_local(environ):
            return _refusal()(environ, start_response)
        own = self._control.answer(environ)
        if own is not None:
            return own(environ, start_response)
        answer: Iterable[bytes] = super().__call__(environ, start_response)
        return answer

    def warm(self, service: Any) -> None:
        """Build the application of a service before anybody waits for it."""
        self.app_instances[service] = self.create_app(service)

    def infer_service_region_host(self, environ: WSGIEnvironment, path: str) -> str | None:
        """Find Rekognition by its target header too: moto takes an unsigned request for one to S3."""
        if str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith(_TARGET_PREFIX):
            return "rekognition"
        host: str | None = super().infer_service_region_host(environ, path)
        return host


def _is_local(environ: WSGIEnvironment) -> bool:
    """Say whether a request comes from this machine's own programs, not from a web page that found the port."""
    host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
    origin = urlsplit(environ.get("HTTP_ORIGIN", "//localhost")).hostname or ""
    # A proxy may keep the name of AWS in Host, but pages below that name are written by anybody.
    return _is_local_name(origin) and (_is_local_name(host) or host.endswith(".amazonaws.com"))


def _is_local_name(name: str) -> bool:
    return name in _LOCAL_NAMES or name.endswith(".localhost")


def _refusal() -> Response:
    body = {"__type": "AccessDeniedException", "message": "The local cloud serves programs of this machine only"}
    return Response(json.dumps(body), status=HTTPStatus.FORBIDDEN, content_type="application/x-amz-json-1.1")


def _create_app(service: Any) -> Flask:
    application = create_backend_app(service)
    # Without this moto's framework would answer with a page of HTML.
    application.register_error_handler(Exception, _answer_failure)
    return application


def _answer_failure(error: Exception) -> Response:
    """Answer what moto did not, in the shape of the protocol that was spoken."""
    status = getattr(error, "code", None)
    if not isinstance(status, int):
        status = HTTPStatus.NOT_IMPLEMENTED if isinstance(error, NotImplementedError) else 500
        traceback.print_exception(error)
    code = _FAILURE_CODES.get(status, "InternalServerError")
    message = str(error) or type(error).__name__
    if "X-Amz-Target" in request.headers:
        body, kind = json.dumps({"__type": code, "message": message}), "application/x-amz-json-1.1"
    else:
        body, kind = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>", "application/xml"
    return Response(body, status=int(status), content_type=kind)
