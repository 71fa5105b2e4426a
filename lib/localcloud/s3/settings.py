"""The requests that created and configured each bucket; they are kept and replayed when a server starts."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from moto.s3.models import s3_backends
from werkzeug.test import run_wsgi_app

from localcloud.log import note
from localcloud.s3.names import bucket_of

if TYPE_CHECKING:
    import sqlite3
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from moto.s3.models import FakeBucket

    from localcloud.s3.store import ObjectStore

# The headers that moto reads from a request that configures a bucket.
_KEPT_VARIABLES: Final = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REQUEST_URI", "CONTENT_TYPE")
_SIGNATURE: Final = re.compile(r"(Signature=)[0-9a-f]+")  # not kept: it was checked already and is a secret


def replay(store: ObjectStore, application: WSGIApplication) -> None:
    """Recreate the buckets; one that cannot be made is named in the log and does not stop the others."""
    for row in store.rows("SELECT * FROM setting ORDER BY id"):
        environ = json.loads(row["request"]) | _wsgi_variables(row["body"])
        answer, status, _ = run_wsgi_app(application, environ)
        list(answer)
        bucket = bucket_of(environ)[0]
        if int(status.split()[0]) >= HTTPStatus.BAD_REQUEST:
            note(f"Bucket {bucket}: {row['subresource'] or 'creation'} could not be done again: {status}")
        _correct_name(store, row, bucket)
        _restore_creation(row, bucket)


def save(connection: sqlite3.Connection, bucket: str, environ: WSGIEnvironment, body: bytes) -> None:
    """Keep a successful request; a repeated one keeps its position, so a bucket is created before it is configured."""
    subresource = _subresource(environ)
    if bucket not in s3_backends.bucket_accounts:
        connection.execute("DELETE FROM setting WHERE bucket = ?", (bucket,))
    elif environ["REQUEST_METHOD"] == "DELETE":
        connection.execute("DELETE FROM setting WHERE bucket = ? AND subresource = ?", (bucket, subresource))
    elif environ["REQUEST_METHOD"] == "PUT":
        kept = {
            variable: _SIGNATURE.sub(r"\1", value)
            for variable, value in environ.items()
            if isinstance(value, str) and (variable in _KEPT_VARIABLES or variable.startswith(("HTTP_", "SERVER_")))
        }
        made = _bucket(bucket).creation_date.isoformat()
        connection.execute(
            "INSERT INTO setting (bucket, subresource, request, body, made) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (bucket, subresource) DO UPDATE SET request = excluded.request, body = excluded.body"
            " WHERE subresource != ''",
            (bucket, subresource, json.dumps(kept), body, made),
        )


def _correct_name(store: ObjectStore, row: sqlite3.Row, bucket: str) -> None:
    """Correct the bucket's name of a row to the one that moto reads; older versions did not determine it."""
    if bucket != row["bucket"]:
        with store.writing() as connection:
            connection.execute("UPDATE OR REPLACE setting SET bucket = ? WHERE id = ?", (bucket, row["id"]))


def _restore_creation(row: sqlite3.Row, bucket: str) -> None:
    if bucket in s3_backends.bucket_accounts and row["subresource"] == "":
        _bucket(bucket).creation_date = dt.datetime.fromisoformat(row["made"])


def _bucket(name: str) -> FakeBucket:
    partition, account = s3_backends.bucket_accounts[name]
    return s3_backends[account][partition].buckets[name]


def _subresource(environ: WSGIEnvironment) -> str:
    """Return the subresource of a bucket that a request is about, however the client spells its query."""
    query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return "&".join(sorted(f"{name}={value}" for name, value in query if not name.lower().startswith("x-")))


def _wsgi_variables(body: bytes) -> dict[str, Any]:
    """Return the WSGI variables of a request without a connection."""
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
