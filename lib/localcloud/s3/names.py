"""The bucket and key of a request, as moto reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from moto.core.request import Request
from moto.s3.responses import S3Response, parse_key_name
from moto.s3.utils import bucket_name_from_url
from moto.s3bucket_path import utils as in_path

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def bucket_of(environ: WSGIEnvironment) -> tuple[str, bool]:
    """Return the bucket, empty if there is none, and whether the host names it."""
    request = Request(environ)
    is_in_host = S3Response.subdomain_based_buckets(request)
    read = bucket_name_from_url if is_in_host else in_path.bucket_name_from_url
    return read(request.raw_url) or "", is_in_host


def key_of(environ: WSGIEnvironment) -> str:
    """Return the key, empty if the request is about a bucket."""
    request = Request(environ)
    path = unquote(request.raw_path)
    key = parse_key_name(path) if S3Response.subdomain_based_buckets(request) else in_path.parse_key_name(path)
    return str(key)
