"""Signature version 4: in the Authorization header, in the query, and for the chunks of a body.

botocore's own signer computes what the signature should be (Signature Version 4, AWS General Reference).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from localcloud.access import refusal
from localcloud.access.refusal import RefusedError

if TYPE_CHECKING:
    from botocore.compat import HTTPHeaders

    from localcloud.access.seen import Seen
    from localcloud.credentials import Credentials

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
STREAMING: Final = "STREAMING-"
_SKEW: Final = dt.timedelta(minutes=15)
_MOST_SECONDS: Final = 604_800  # seven days, the longest validity of a presigned URL
_TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The claims of a request about its own signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: list[str]
    signature: str
    timestamp: str

    @property
    def is_s3(self) -> bool:
        """Say whether S3's rules apply, which neither normalise a path nor quote it twice."""
        return self.service in {"s3", "s3-object-lambda", "s3express"}


class _Recomputed:
    """A signer that uses given headers and a given digest of the body."""

    payload_digest = ""

    def headers_to_sign(self, request: Any) -> HTTPHeaders:
        headers: HTTPHeaders = request.headers
        return headers

    def payload(self, _request: Any) -> str:
        return self.payload_digest


class _Signer(_Recomputed, SigV4Auth):
    pass


class _S3Signer(_Recomputed, S3SigV4Auth):
    pass


def check_header(seen: Seen, credentials: Credentials, now: dt.datetime) -> Claim:
    """Check a request signed in its Authorization header.

    Raises:
        RefusedError: when it is malformed, too old, of another key, or the signature does not match the request.
    """
    claim = _claim_of_header(seen)
    _check_key(claim, credentials)
    if abs(now - _moment(claim.timestamp)) > _SKEW:
        raise RefusedError(refusal.SKEWED)
    _check(seen, claim, credentials, seen.query)
    return claim


def check_query(seen: Seen, credentials: Credentials, now: dt.datetime) -> Claim:
    """Check a presigned URL.

    Raises:
        RefusedError: when it is malformed, expired, of another key, or the signature does not match the request.
    """
    claim = _claim_of_query(seen)
    _check_key(claim, credentials)
    made = _moment(claim.timestamp)
    lifetime = seen.named.get("x-amz-expires", "")
    if not lifetime.isdecimal() or len(lifetime) > len(str(_MOST_SECONDS)) or int(lifetime) > _MOST_SECONDS:
        raise RefusedError(refusal.MALFORMED, "X-Amz-Expires must be between 0 and 604800 seconds")
    if made - now > _SKEW:
        raise RefusedError(refusal.NOT_YET_VALID)
    if now > made + dt.timedelta(seconds=int(lifetime)):
        raise RefusedError(refusal.EXPIRED)
    _check(seen, claim, credentials, [pair for pair in seen.query if pair[0].lower() != "x-amz-signature"])
    return claim


def sign(credentials: Credentials, claim: Claim, text: str) -> str:
    """Sign a text with the key for a day, region and service."""
    signer = _signer(credentials, claim)
    request = AWSRequest()
    request.context["timestamp"] = claim.timestamp
    return str(signer.signature(text, request))


def claimed_scope(credential: str) -> tuple[str, str, str, str]:
    """Split a credential into key id, date, region and service.

    Raises:
        RefusedError: when it has another form.
    """
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):  # noqa: PLR2004
        raise RefusedError(refusal.MALFORMED, "the credential is KEY/DATE/REGION/SERVICE/aws4_request")
    return parts[0], parts[1], parts[2], parts[3]


def _claim_of_header(seen: Seen) -> Claim:
    kind, _, rest = seen.header("authorization").partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if kind != ALGORITHM or not {"Credential", "SignedHeaders", "Signature"} <= set(fields):
        raise RefusedError(refusal.MALFORMED)
    key, date, region, service = claimed_scope(fields["Credential"])
    return Claim(
        access_key_id=key,
        date=date,
        region=region,
        service=service,
        signed_headers=fields["SignedHeaders"].split(";"),
        signature=fields["Signature"],
        timestamp=seen.header("x-amz-date") or _basic(seen.header("date")),
    )


def _claim_of_query(seen: Seen) -> Claim:
    named = seen.named
    if named.get("x-amz-algorithm") != ALGORITHM:
        raise RefusedError(refusal.MALFORMED)
    key, date, region, service = claimed_scope(named.get("x-amz-credential", ""))
    return Claim(
        access_key_id=key,
        date=date,
        region=region,
        service=service,
        signed_headers=named.get("x-amz-signedheaders", "").split(";"),
        signature=named.get("x-amz-signature", ""),
        timestamp=named.get("x-amz-date", ""),
    )


def _check_key(claim: Claim, credentials: Credentials) -> None:
    if not hmac.compare_digest(claim.access_key_id.encode(), credentials.access_key_id.encode()):
        raise RefusedError(refusal.UNKNOWN_KEY)


def _check(seen: Seen, claim: Claim, credentials: Credentials, query: list[tuple[str, str]]) -> None:
    if "host" not in claim.signed_headers or claim.date != claim.timestamp[:8]:
        raise RefusedError(refusal.MALFORMED, "the host must be signed, and the date that of the credential")
    signed = {name.replace("_", "-") for name in claim.signed_headers}  # WSGI loses the difference between _ and -
    unsigned = {name for name in seen.header_names if name.startswith("x-amz-")} - signed
    if claim.is_s3 and unsigned - {"x-amz-content-sha256"}:
        raise RefusedError(refusal.UNSIGNED_HEADERS, ", ".join(sorted(unsigned)))
    digest = _payload_digest(seen, claim)
    signer = _signer(credentials, claim)
    signer.payload_digest = digest
    request = AWSRequest(
        method=seen.method,
        url="http://localcloud" + (_requoted(seen.path) if claim.is_s3 else seen.path),
        headers=seen.headers(claim.signed_headers),  # type: ignore[arg-type]
        params=query,  # type: ignore[arg-type]
    )
    request.context["timestamp"] = claim.timestamp
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(str(expected).encode(), claim.signature.encode()):
        raise RefusedError(refusal.MISMATCH)


def _payload_digest(seen: Seen, claim: Claim) -> str:
    """Return the body's digest in the signature, after checking that it matches the body.

    Raises:
        RefusedError: when it does not match the body.
    """
    claimed = seen.header("x-amz-content-sha256") or seen.named.get("x-amz-content-sha256", "")
    is_query = "x-amz-signature" in seen.named
    if claim.is_s3 and (claimed == UNSIGNED_PAYLOAD or claimed.startswith(STREAMING) or (is_query and not claimed)):
        return claimed or UNSIGNED_PAYLOAD
    digest = hashlib.sha256(seen.body).hexdigest()
    if claimed and claimed.lower() != digest:
        raise RefusedError(refusal.OTHER_CONTENT)
    return claimed or digest


def _signer(credentials: Credentials, claim: Claim) -> Any:
    key = BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key)
    return (_S3Signer if claim.is_s3 else _Signer)(key, claim.service, claim.region)


def _requoted(path: str) -> str:
    """Quote a path as S3 does before comparing, whatever the client left unquoted."""
    return quote(unquote_to_bytes(path), safe="/~")


def _basic(date: str) -> str:
    """Write a Date header, which replaces X-Amz-Date, in the form that is signed."""
    try:
        return parsedate_to_datetime(date).astimezone(dt.UTC).strftime(_TIMESTAMP)
    except ValueError:
        return date


def _moment(timestamp: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=dt.UTC)
    except ValueError as error:
        raise RefusedError(refusal.MALFORMED, "X-Amz-Date is of the form 20260101T000000Z") from error
