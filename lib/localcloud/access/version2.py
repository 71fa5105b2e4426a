"""Signature version 2 of S3: in the query, as boto3 signs URLs by default, and in the Authorization header.

botocore's own signer computes what the signature should be (Signing and Authenticating REST Requests, S3 guide).
"""

from __future__ import annotations

import datetime as dt
import hmac
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from botocore.auth import HmacV1Auth
from botocore.credentials import Credentials as BotocoreCredentials

from localcloud.access import refusal
from localcloud.access.refusal import RefusedError

if TYPE_CHECKING:
    from localcloud.access.seen import Seen
    from localcloud.credentials import Credentials

PREFIX: Final = "AWS "
_SKEW: Final = dt.timedelta(minutes=15)


class _Recomputed(HmacV1Auth):
    """A signer that uses a given date."""

    date = ""

    def _get_date(self) -> str:
        return self.date


def check_query(seen: Seen, credentials: Credentials, now: dt.datetime, bucket: str) -> None:
    """Check a presigned URL.

    Args:
        seen: the request.
        credentials: the key of the server.
        now: the time.
        bucket: named by the host, empty if it is in the path.

    Raises:
        RefusedError: when it is malformed, expired, of another key, or the signature does not match the request.
    """
    named = dict(seen.query)
    expires = named.get("Expires", "")
    if not expires.isdecimal() or len(expires) > len(str(2**40)):
        raise RefusedError(refusal.MALFORMED, "Expires is a number of seconds since 1970")
    if now.timestamp() > int(expires):
        raise RefusedError(refusal.EXPIRED)
    hoisted = {name.lower(): value for name, value in seen.query if name.lower().startswith("x-amz-")}
    _check(seen, credentials, bucket, (named.get("AWSAccessKeyId", ""), named.get("Signature", "")), expires, hoisted)


def check_header(seen: Seen, credentials: Credentials, now: dt.datetime, bucket: str) -> None:
    """Check a request signed in its Authorization header.

    Raises:
        RefusedError: when it is malformed, too old, of another key, or the signature does not match the request.
    """
    key, _, signature = seen.header("authorization").removeprefix(PREFIX).partition(":")
    try:
        sent = parsedate_to_datetime(seen.header("x-amz-date") or seen.header("date"))
    except ValueError as error:
        raise RefusedError(refusal.UNSIGNED, "a Date or x-amz-date header is required") from error
    if abs(now - (sent if sent.tzinfo else sent.replace(tzinfo=dt.UTC))) > _SKEW:
        raise RefusedError(refusal.SKEWED)
    date = "" if seen.header("x-amz-date") else seen.header("date")
    _check(seen, credentials, bucket, (key, signature), date, {})


def sign(credentials: Credentials, text: str) -> str:
    """Sign a text."""
    return str(_signer(credentials).sign_string(text))


def _check(
    seen: Seen, credentials: Credentials, bucket: str, claimed: tuple[str, str], date: str, hoisted: dict[str, str]
) -> None:
    key, signature = claimed
    if not hmac.compare_digest(key.encode(), credentials.access_key_id.encode()):
        raise RefusedError(refusal.UNKNOWN_KEY)
    signer = _signer(credentials)
    signer.date = date
    named = ("content-md5", "content-type")
    headers = seen.headers([name for name in seen.header_names if name in named or name.startswith("x-amz-")])
    for name, value in hoisted.items():
        headers[name] = value
    path = f"/{bucket}{seen.path}" if bucket else seen.path
    url = urlsplit(f"http://localcloud/?{seen.raw_query}")
    # boto3 adds a slash to the path of a bucket when it signs, and omits it when it sends.
    for signed in {path, f"{path.rstrip('/')}/"} if path.count("/") == 1 else {path}:
        expected = signer.get_signature(seen.method, url, headers, auth_path=signed)  # type: ignore[arg-type]
        if hmac.compare_digest(str(expected).encode(), signature.encode()):
            return
    raise RefusedError(refusal.MISMATCH)


def _signer(credentials: Credentials) -> _Recomputed:
    return _Recomputed(BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key))
