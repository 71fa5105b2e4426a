"""The only entrance: read a whole request, and admit it if it is signed with our key and has not expired."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from localcloud.access import policy, refusal, version2, version4
from localcloud.access.chunks import Chain, decode
from localcloud.access.framing import read_body, replace_body
from localcloud.access.refusal import RefusedError
from localcloud.access.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from localcloud.access.version4 import Claim
    from localcloud.credentials import Credentials

SERVICE: Final = "localcloud.service"  # key in an admitted request's environment: the service in its credential
_LARGEST_FORM: Final = 100 * 1024 * 1024  # bytes; a form's key is known only after the form has been read
# Headers about chunks that must not reach the application, which gets the decoded body.
_CHUNK_HEADERS: Final = ("HTTP_X_AMZ_TRAILER", "HTTP_X_AMZ_DECODED_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING")


class Gate:
    """Checks every request before any application sees it."""

    def __init__(self, credentials: Credentials, bucket_of: Callable[[WSGIEnvironment], tuple[str, bool]]) -> None:
        """Set the key.

        Args:
            credentials: the key.
            bucket_of: returns the bucket that a request to S3 names, and whether the host names it.
        """
        self._credentials = credentials
        self._bucket_of = bucket_of

    def admit(self, environ: WSGIEnvironment) -> None:
        """Check a request, and make its decoded body readable again.

        Raises:
            RefusedError: when it is not signed, signed by another key, expired or cut off.
        """
        self._refuse_strangers(Seen(environ, b""))
        seen = Seen(environ, read_body(environ))
        claim = self._check(seen, dt.datetime.now(dt.UTC))
        environ[SERVICE] = claim.service if claim else "s3"
        replace_body(environ, seen.body)
        if claim:
            self._take_apart(seen, claim)

    def _refuse_strangers(self, seen: Seen) -> None:
        """Refuse requests that cannot be signed by this key before reading their body."""
        if policy.is_form(seen) and not seen.header("authorization"):
            length = seen.header("content-length")
            if not length.isdecimal() or len(length) > len(str(_LARGEST_FORM)) or int(length) > _LARGEST_FORM:
                raise RefusedError(refusal.TOO_LARGE)
        elif not is_signed(seen.environ):
            raise RefusedError(refusal.UNSIGNED)
        elif self._credentials.access_key_id not in seen.header("authorization") + seen.raw_query:
            raise RefusedError(refusal.UNKNOWN_KEY)

    def _check(self, seen: Seen, now: dt.datetime) -> Claim | None:
        """Check the signature by its kind; return its claim if it is of version 4."""
        authorization = seen.header("authorization")
        if authorization.startswith(version2.PREFIX):
            version2.check_header(seen, self._credentials, now, self._bucket_of_host(seen))
        elif authorization:
            return version4.check_header(seen, self._credentials, now)
        elif "x-amz-signature" in seen.named:
            return version4.check_query(seen, self._credentials, now)
        elif "signature" in seen.named:
            version2.check_query(seen, self._credentials, now, self._bucket_of_host(seen))
        else:
            policy.check(seen, self._credentials, now, self._bucket_of(seen.environ)[0])
        return None

    def _bucket_of_host(self, seen: Seen) -> str:
        bucket, is_in_host = self._bucket_of(seen.environ)
        return bucket if is_in_host else ""

    def _take_apart(self, seen: Seen, claim: Claim) -> None:
        environ, kind = seen.environ, seen.header("x-amz-content-sha256")
        if not kind.startswith(version4.STREAMING):
            return
        is_signed = kind.startswith(f"{version4.STREAMING}{version4.ALGORITHM}-PAYLOAD")
        if not is_signed and kind != f"{version4.STREAMING}{version4.UNSIGNED_PAYLOAD}-TRAILER":
            raise RefusedError(refusal.MALFORMED, f"{kind} is not offered")
        chain = Chain(self._credentials, claim) if is_signed else None
        content, trailer = decode(seen.body, seen.header("x-amz-decoded-content-length"), chain)
        for name, value in trailer.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        for variable in _CHUNK_HEADERS:
            environ.pop(variable, None)
        environ["HTTP_X_AMZ_CONTENT_SHA256"] = version4.UNSIGNED_PAYLOAD
        encodings = [each.strip() for each in seen.header("content-encoding").split(",")]
        environ["HTTP_CONTENT_ENCODING"] = ",".join(each for each in encodings if each not in {"aws-chunked", ""})
        if not environ["HTTP_CONTENT_ENCODING"]:
            del environ["HTTP_CONTENT_ENCODING"]
        replace_body(environ, content)


def is_signed(environ: WSGIEnvironment) -> bool:
    """Say whether a request has a signature, valid or not; a form has it in its body."""
    seen = Seen(environ, b"")
    return bool(seen.header("authorization") or {"x-amz-signature", "signature"} & set(seen.named))
