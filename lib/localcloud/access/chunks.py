"""Decode bodies in signed or unsigned chunks (aws-chunked), and check each chunk's signature.

Source: Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks, S3 reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from localcloud.access import refusal, version4
from localcloud.access.refusal import RefusedError

if TYPE_CHECKING:
    from localcloud.access.version4 import Claim
    from localcloud.credentials import Credentials

_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_HEAD: Final = re.compile(rb"([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"


class Chain:
    """The signatures of the chunks; each includes the signature of the chunk before."""

    def __init__(self, credentials: Credentials, claim: Claim) -> None:
        self._credentials = credentials
        self._claim = claim
        self._previous = claim.signature

    def check(self, chunk: bytes, signature: str) -> None:
        """Check the next chunk.

        Raises:
            RefusedError: when the signature differs.
        """
        self._check("AWS4-HMAC-SHA256-PAYLOAD", [_NOTHING, hashlib.sha256(chunk).hexdigest()], signature)

    def check_trailer(self, trailer: bytes, signature: str) -> None:
        """Check the headers after the last chunk.

        Raises:
            RefusedError: when their signature differs.
        """
        self._check("AWS4-HMAC-SHA256-TRAILER", [hashlib.sha256(trailer).hexdigest()], signature)

    def _check(self, kind: str, digests: list[str], signature: str) -> None:
        claim = self._claim
        scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
        text = "\n".join([kind, claim.timestamp, scope, self._previous, *digests])
        expected = version4.sign(self._credentials, claim, text)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise RefusedError(refusal.MISMATCH)
        self._previous = expected


def decode(body: bytes, length: str, chain: Chain | None) -> tuple[bytes, dict[str, str]]:
    """Return the content of a body in chunks, and the headers that trail it.

    Args:
        body: as it was sent.
        length: the value of x-amz-decoded-content-length, empty if it was not sent.
        chain: checks the signatures; None if the chunks are not signed.

    Raises:
        RefusedError: when the body is cut off, or its length or a signature differs.
    """
    chunks, position = [], 0
    while True:
        end = body.find(b"\r\n", position)
        head = _HEAD.fullmatch(body[position:end]) if end >= 0 else None
        if head is None:
            raise RefusedError(refusal.INCOMPLETE)
        size, start = int(head[1], 16), end + 2
        chunk = body[start : start + size]
        if len(chunk) < size:
            raise RefusedError(refusal.INCOMPLETE)
        if chain is not None:
            chain.check(chunk, (head[2] or b"").decode())
        position = start + size
        if not size:
            break
        if body[position : position + 2] != b"\r\n":
            raise RefusedError(refusal.INCOMPLETE)
        chunks.append(chunk)
        position += 2
    content = b"".join(chunks)
    if length and length != str(len(content)):
        raise RefusedError(refusal.INCOMPLETE)
    return content, _trailer(body[position:], chain)


def _trailer(rest: bytes, chain: Chain | None) -> dict[str, str]:
    lines = [line for line in rest.decode("latin-1").replace("\r\n", "\n").split("\n") if line]
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    signature = fields.pop(_TRAILER_SIGNATURE, None)
    if chain is not None and fields:
        signed = "".join(f"{name}:{value}\n" for name, value in fields.items())
        chain.check_trailer(signed.encode("latin-1"), signature or "")
    return fields
