"""The WSGI application: the gate, our own pages, Rekognition, and then moto's server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud import failures
from localcloud.access import refusal
from localcloud.access.gate import SERVICE, is_signed
from localcloud.access.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask

    from localcloud.access.gate import Gate
    from localcloud.control import Control

_TARGET_PREFIX: Final = "RekognitionService."
_LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
# moto's other pages can read and change everything, and one of them writes every picture to a file.
_MOTO_PAGES: Final = "/moto-api"
_RESET: Final = ("POST", "/moto-api/reset", "")  # method, path, query: different from every S3 request
_S3: Final = "s3"


class Dispatcher(DomainDispatcherApplication):
    """Passes each admitted request to the application that answers it."""

    def __init__(self, *, control: Control, gate: Gate, guards: dict[str, Callable[[Flask], Any]]) -> None:
        """Prepare the applications.

        Args:
            control: answers our own pages.
            gate: checks each request first.
            guards: wrappers of a service's application, by moto's name of the service.
        """

        def create(service: Any) -> Any:
            application = _create_app(service)
            return guards[service](application) if service in guards else application

        super().__init__(create)
        self._control = control
        self._gate = gate

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            application = self._admitted(environ)
        except RefusedError as error:
            application = refusal.answer(error, environ)
        return application(environ, start_response)

    def warm(self, service: Any) -> None:
        """Build the application of a service in advance, so that no request waits for it."""
        self.app_instances[service] = self.create_app(service)

    def get_application(self, environ: WSGIEnvironment) -> Flask:
        """Return moto's application for the service that a request is signed for."""
        # moto checks the path first, but a bucket or an object may have any name.
        unnamed = {"PATH_INFO": "/"} if environ[SERVICE] == _S3 and not _is_reset(environ) else {}
        application: Flask = super().get_application(environ | unnamed)
        return application

    def infer_service_region_host(self, environ: WSGIEnvironment, path: str) -> str | None:
        """Recognise Rekognition also by its target header, and S3 only by its signature."""
        if str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith(_TARGET_PREFIX):
            return "rekognition"
        if environ[SERVICE] == _S3:
            return "s3control" if "HTTP_X_AMZ_ACCOUNT_ID" in environ else _S3
        host: str | None = super().infer_service_region_host(environ | _signed_by_header(environ), path)
        return host

    def _admitted(self, environ: WSGIEnvironment) -> WSGIApplication:
        """Return the application that answers a request.

        Raises:
            RefusedError: when it comes from a web page, or is not signed with the key.
        """
        if not _is_local(environ):
            raise RefusedError(refusal.FOREIGN)
        anybody = None if is_signed(environ) else self._control.answer_anybody(environ)
        if anybody is not None:
            return anybody
        self._gate.admit(environ)
        return self._own_page(environ) or self.get_application(environ)

    def _own_page(self, environ: WSGIEnvironment) -> WSGIApplication | None:
        """Return the application for one of our pages; a request signed for S3 is always about a bucket.

        Raises:
            RefusedError: when it is one of moto's pages.
        """
        if environ[SERVICE] == _S3 or _is_reset(environ):
            return None
        if f"{environ.get('PATH_INFO', '')}/".startswith(f"{_MOTO_PAGES}/"):
            raise RefusedError(refusal.CLOSED)
        return self._control.answer(environ)


def _signed_by_header(environ: WSGIEnvironment) -> dict[str, str]:
    """Return the scope of a presigned URL as the header that moto reads the service from; without it, S3 answers."""
    scope = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential")
    return {"HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope[0]}, "} if scope else {}


def _is_reset(environ: WSGIEnvironment) -> bool:
    return (environ["REQUEST_METHOD"], environ.get("PATH_INFO"), environ.get("QUERY_STRING", "")) == _RESET


def _is_local(environ: WSGIEnvironment) -> bool:
    """Say whether a request comes from a program on this machine, not from a web page that found the port."""
    if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
        return False
    try:
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        origin = urlsplit(environ.get("HTTP_ORIGIN", "//localhost")).hostname or ""
    except ValueError:
        return False
    # A proxy may keep AWS's host name in Host, but anybody can publish pages under that name.
    return _is_local_name(origin) and (_is_local_name(host) or host.endswith(".amazonaws.com"))


def _is_local_name(name: str) -> bool:
    return name in _LOCAL_NAMES or name.endswith(".localhost")


def _create_app(service: Any) -> Flask:
    application = create_backend_app(service)
    # Without this, moto's framework would answer with an HTML page.
    application.register_error_handler(Exception, failures.answer)
    return application
