"""The WSGI application: the gate, our own pages, Rekognition, and behind them moto's server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud import failures
from localcloud.access import refusal
from localcloud.access.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask

    from localcloud.access.gate import Gate
    from localcloud.control import Control

_TARGET_PREFIX: Final = "RekognitionService."
_LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
# moto's other pages read and change everything, and one writes every picture to a file.
_MOTO_PAGES: Final = "/moto-api"
_OPEN_MOTO_PAGES: Final = frozenset({("POST", "/moto-api/reset")})


class Dispatcher(DomainDispatcherApplication):
    """Hands each request that the gate admits to the application that answers it."""

    def __init__(self, *, control: Control, gate: Gate, guards: dict[str, Callable[[Flask], Any]]) -> None:
        """Prepare the applications.

        Args:
            control: answers our own pages.
            gate: checks each request first.
            guards: wraps the application of a service, by moto's name of the service.
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
        """Build the application of a service before anybody waits for it."""
        self.app_instances[service] = self.create_app(service)

    def infer_service_region_host(self, environ: WSGIEnvironment, path: str) -> str | None:
        """Find Rekognition by its target header too."""
        if str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith(_TARGET_PREFIX):
            return "rekognition"
        host: str | None = super().infer_service_region_host(environ, path)
        return host

    def _admitted(self, environ: WSGIEnvironment) -> WSGIApplication:
        """Return what answers a request.

        Raises:
            RefusedError: it comes from a web page, or without the key.
        """
        if not _is_local(environ):
            raise RefusedError(refusal.FOREIGN)
        anybody = self._control.answer_anybody(environ)
        if anybody is not None:
            return anybody
        self._gate.admit(environ)
        path = str(environ.get("PATH_INFO", ""))
        if f"{path}/".startswith(f"{_MOTO_PAGES}/") and (environ["REQUEST_METHOD"], path) not in _OPEN_MOTO_PAGES:
            raise RefusedError(refusal.CLOSED)
        application: WSGIApplication = self._control.answer(environ) or self.get_application(environ)
        return application


def _is_local(environ: WSGIEnvironment) -> bool:
    """Say whether a request comes from this machine's own programs, not from a web page that found the port."""
    if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
        return False
    try:
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        origin = urlsplit(environ.get("HTTP_ORIGIN", "//localhost")).hostname or ""
    except ValueError:
        return False
    # A proxy may keep the name of AWS in Host, but pages below that name are written by anybody.
    return _is_local_name(origin) and (_is_local_name(host) or host.endswith(".amazonaws.com"))


def _is_local_name(name: str) -> bool:
    return name in _LOCAL_NAMES or name.endswith(".localhost")


def _create_app(service: Any) -> Flask:
    application = create_backend_app(service)
    # Without this moto's framework would answer with a page of HTML.
    application.register_error_handler(Exception, failures.answer)
    return application
