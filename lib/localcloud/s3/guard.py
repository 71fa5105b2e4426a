"""A wrapper around moto's S3 application: one request at a time, on disk before it is answered."""

from __future__ import annotations

import io
import sqlite3
import threading
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from xml.parsers.expat import ExpatError

from flask import request
from moto.moto_server.werkzeug_app import BackendRequest
from werkzeug.test import run_wsgi_app

from localcloud import failures
from localcloud.errors import LocalCloudError
from localcloud.log import note, note_failure
from localcloud.s3 import backend, digests, settings
from localcloud.s3.names import bucket_of, key_of
from localcloud.s3.store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask, Response

    Answer = tuple[list[bytes], str, list[tuple[str, str]]]

_CHANGES: Final = frozenset({"PUT", "POST", "DELETE"})
# With these codes moto refuses a bucket before it has changed anything.
_HARMLESS: Final = frozenset({int(HTTPStatus.NOT_FOUND), int(HTTPStatus.CONFLICT)})
_FAILURE: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code>'
    b"<Message>The local cloud could not use its state folder; its log says why.</Message></Error>"
)


class _S3Request(BackendRequest):
    """A request whose body is parsed as a form only where S3 accepts one; every other body is left unchanged."""

    @property
    def want_form_data_parsed(self) -> bool:
        return self.method == "POST" and self.mimetype == "multipart/form-data"


class BucketGuard:
    """Keeps moto's memory and the file in agreement."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._application: WSGIApplication | None = None
        self._store = ObjectStore(folder / "buckets.sqlite")
        self._touched = backend.Touched()
        backend.install(self._touched)

    def wrap(self, application: Flask) -> WSGIApplication:
        """Return the application that loads, serves and saves."""
        application.request_class = _S3Request
        for kind in (ExpatError, KeyError, TypeError, AttributeError, ValueError):
            application.register_error_handler(kind, _answer_unreadable)
        self._application = application

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            chunks, status, headers = self._answer(application, environ)
            start_response(status, headers)
            return chunks

        return guarded

    def take_turns(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that serves only while no request to S3 is being processed."""

        def waiting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            with self._lock:
                return application(environ, start_response)

        return waiting

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to use moto's buckets; the first turn recreates them."""
        with self._lock:
            if self._touched.needs_loading and self._application is not None:
                settings.replay(self._store, self._application)
                backend.load(self._store)
                self._touched.needs_loading = False
            yield

    def copy_objects(self, source: str, target: str) -> None:
        """Copy the objects of a bucket into another existing one, in one transaction.

        Raises:
            LocalCloudError: when one of the buckets does not exist.
        """
        with self.turn():
            self._touched.clear()
            try:
                backend.copy_objects(source, target)
                with self._store.writing() as connection:
                    backend.save(self._store, connection, self._touched)
            except BaseException:
                backend.forget(self._touched)
                raise

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _answer(self, application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
        """Answer one request; the answer depends on what was written to disk, not on moto's memory."""
        with self._lock:
            try:
                with self.turn():
                    return self._answer_in_turn(application, environ)
            except BaseException as error:
                backend.forget(self._touched)
                if not isinstance(error, sqlite3.Error | LocalCloudError | OSError):
                    raise
                note(f"Bucket request failed: {error}")
        return [_FAILURE], "500 Internal Server Error", [("Content-Type", "application/xml")]

    def _answer_in_turn(self, application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
        self._touched.clear()
        body = environ["wsgi.input"].getvalue()
        chunks, status, headers = _run(digests.refuse(environ, body) or application, environ)
        if environ["REQUEST_METHOD"] in _CHANGES:
            code = int(status.split()[0])
            if _has_succeeded(environ, code):
                self._save(environ, body)
            else:
                self._undo(environ, code)
        return chunks, status, [pair for pair in headers if not _is_version_of_none(pair)]

    def _save(self, environ: WSGIEnvironment, body: bytes) -> None:
        with self._store.writing() as connection:
            removed = backend.save(self._store, connection, self._touched)
            if not key_of(environ) and environ["REQUEST_METHOD"] != "POST":
                settings.save(connection, bucket_of(environ)[0], environ, body)
        if removed or environ["REQUEST_METHOD"] == "DELETE":
            self._store.scrub()

    def _undo(self, environ: WSGIEnvironment, code: int) -> None:
        """Restore in memory what a refused request may have changed."""
        is_in_doubt = not key_of(environ) and code not in _HARMLESS
        if code >= HTTPStatus.INTERNAL_SERVER_ERROR or (is_in_doubt and environ["REQUEST_METHOD"] != "POST"):
            backend.forget(self._touched)
        else:
            backend.restore(self._store, self._touched)


def _run(application: WSGIApplication | Response, environ: WSGIEnvironment) -> Answer:
    answer, status, headers = run_wsgi_app(application, environ)
    return list(answer), status, list(headers)


def _has_succeeded(environ: WSGIEnvironment, code: int) -> bool:
    # The answer to a posted form may be a redirect.
    return 200 <= code < 300 or (code == HTTPStatus.SEE_OTHER and environ["REQUEST_METHOD"] == "POST")  # noqa: PLR2004


def _is_version_of_none(header: tuple[str, str]) -> bool:
    """Say whether a header names an object's version in a bucket without versions; AWS does not send it."""
    return header[0].lower() == "x-amz-version-id" and header[1] == "null"


def _answer_unreadable(error: Exception) -> Response:
    """Answer that XML or a number cannot be read: moto itself raises unrelated errors for such input."""
    has_xml = request.method in _CHANGES and request.args and isinstance(request.environ["wsgi.input"], io.BytesIO)
    if isinstance(error, ExpatError) or (has_xml and request.environ["wsgi.input"].getbuffer().nbytes):
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        return failures.xml_error("MalformedXML", message, 400)
    if isinstance(error, ValueError):
        note_failure(error)
        return failures.xml_error("InvalidArgument", "An argument is not of the form that is expected", 400)
    return failures.answer(error)
