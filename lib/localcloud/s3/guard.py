"""Stands before moto's S3 application: one request at a time, on disk before it is answered."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import sqlite3
import threading
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from moto.moto_server.werkzeug_app import BackendRequest
from moto.s3.models import s3_backends
from werkzeug.test import run_wsgi_app

from localcloud.errors import LocalCloudError
from localcloud.s3 import backend
from localcloud.s3.store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask

_CHANGES: Final = frozenset({"PUT", "POST", "DELETE"})
# What moto reads of a request that configures a bucket.
_KEPT_VARIABLES: Final = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REQUEST_URI", "CONTENT_TYPE")
_SIGNATURE: Final = re.compile(r"(Signature=)[0-9a-f]+")  # not kept: it was checked, and it is nobody's business
_FAILURE: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code>'
    b"<Message>The local cloud could not use its state folder; its log says why.</Message></Error>"
)


class _S3Request(BackendRequest):
    """A request whose body is a form only where S3 takes one; every other body is kept as it is."""

    @property
    def want_form_data_parsed(self) -> bool:
        return self.method == "POST" and self.mimetype == "multipart/form-data"


class BucketGuard:
    """Keeps what moto's S3 holds in memory and the file the same."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._application: WSGIApplication | None = None
        self._store = ObjectStore(folder / "buckets.sqlite")
        self._touched = backend.Touched()
        backend.install(self._touched)

    def wrap(self, application: Flask) -> WSGIApplication:
        """Return the application that loads, serves and saves."""
        application.request_class = _S3Request
        self._application = application

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                with self.turn():
                    chunks, status, headers = self._answer(application, environ)
            except (sqlite3.Error, LocalCloudError) as error:
                print(f"Bucket request failed: {error}", flush=True)  # noqa: T201 -- the log
                chunks, status, headers = self._fail()
            start_response(status, headers)
            return chunks

        return guarded

    def take_turns(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that serves while no request to S3 is under way."""

        def waiting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            with self._lock:
                return application(environ, start_response)

        return waiting

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to use moto's buckets, which the first turn makes again."""
        with self._lock:
            if self._touched.needs_loading and self._application is not None:
                self._load(self._application)
            yield

    def _load(self, application: WSGIApplication) -> None:
        for row in self._store.rows("SELECT * FROM setting ORDER BY id"):
            environ = json.loads(row["request"]) | _wsgi_variables(row["body"])
            run_wsgi_app(application, environ)
            self._restore_creation(row)
        backend.load(self._store)
        self._touched.needs_loading = False

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _answer(self, application: WSGIApplication, environ: WSGIEnvironment) -> tuple[list[bytes], str, Any]:
        self._touched.clear()
        body = environ["wsgi.input"].getvalue()
        answer, status, headers = run_wsgi_app(application, environ)
        chunks = list(answer)
        if environ["REQUEST_METHOD"] in _CHANGES:
            self._save(environ, body, succeeded=int(status.split()[0]) < HTTPStatus.BAD_REQUEST)
        return chunks, status, list(headers)

    def _fail(self) -> tuple[list[bytes], str, Any]:
        """Answer that it failed; what is on disk, not what moto has done in memory, is what happened."""
        with self._lock:
            backend.forget(self._touched)
        return [_FAILURE], "500 Internal Server Error", [("Content-Type", "application/xml")]

    def _save(self, environ: WSGIEnvironment, body: bytes, *, succeeded: bool) -> None:
        name, key = _named(environ)
        with self._store.writing() as connection:
            backend.save(self._store, connection, self._touched)
            if succeeded and not key and environ["REQUEST_METHOD"] != "POST":
                self._save_setting(connection, name, environ, body)

    def _save_setting(self, connection: sqlite3.Connection, name: str, environ: WSGIEnvironment, body: bytes) -> None:
        subresource = _subresource(environ)
        if name not in s3_backends.bucket_accounts:
            connection.execute("DELETE FROM setting WHERE bucket = ?", (name,))
        elif environ["REQUEST_METHOD"] == "DELETE":
            connection.execute("DELETE FROM setting WHERE bucket = ? AND subresource = ?", (name, subresource))
        elif environ["REQUEST_METHOD"] == "PUT":
            kept = {
                variable: _SIGNATURE.sub(r"\1", value)
                for variable, value in environ.items()
                if isinstance(value, str) and (variable in _KEPT_VARIABLES or variable.startswith(("HTTP_", "SERVER_")))
            }
            made = dt.datetime.now(dt.UTC).isoformat()
            connection.execute(
                # What comes again keeps its place: a bucket is made before it is configured.
                "INSERT INTO setting (bucket, subresource, request, body, made) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (bucket, subresource) DO UPDATE SET request = excluded.request, body = excluded.body"
                " WHERE subresource != ''",
                (name, subresource, json.dumps(kept), body, made),
            )

    @staticmethod
    def _restore_creation(row: sqlite3.Row) -> None:
        place = s3_backends.bucket_accounts.get(row["bucket"])
        if place is not None and row["subresource"] == "":
            made = s3_backends[place[1]][place[0]].buckets[row["bucket"]]
            made.creation_date = dt.datetime.fromisoformat(row["made"])


def _wsgi_variables(body: bytes) -> dict[str, Any]:
    return {
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)),
    }


def _subresource(environ: WSGIEnvironment) -> str:
    """Return what of a bucket a request is about, however the client spells its query."""
    query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return "&".join(sorted(f"{name}={value}" for name, value in query if not name.lower().startswith("x-")))


def _named(environ: WSGIEnvironment) -> tuple[str, str]:
    """Return bucket and key of a request, in the path or with the bucket before .localhost; either may be empty."""
    path = unquote(environ.get("PATH_INFO", "")).lstrip("/")
    host = environ.get("HTTP_HOST", "").split(":")[0]
    if host.endswith(".localhost") and not host.startswith("s3."):
        return host.removesuffix(".localhost"), path
    name, _, key = path.partition("/")
    return name, key
