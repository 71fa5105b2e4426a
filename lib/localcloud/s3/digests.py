"""Compare the digests that a client sends with its body before storing it (Checking object integrity, S3 guide)."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from localcloud.failures import xml_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from wsgiref.types import WSGIEnvironment

    from flask import Response

_PREFIX: Final = "HTTP_X_AMZ_CHECKSUM_"
# Reflected polynomials: Castagnoli's, and that of the NVMe base specification.
_CRC32C: Final = (32, 0x82F63B78)
_CRC64NVME: Final = (64, 0x9A6C9329AC4BC9B5)


def refuse(environ: WSGIEnvironment, body: bytes) -> Response | None:
    """Return the error for a body that does not match its digests, None if there is no mismatch."""
    if not _carries_content(environ):
        return None
    sent = environ.get("HTTP_CONTENT_MD5")
    if sent is not None:
        found = hashlib.md5(body, usedforsecurity=False).digest()
        given = _decoded(sent)
        if given is None or len(given) != len(found):
            return xml_error("InvalidDigest", "The Content-MD5 you specified was invalid.", 400)
        if given != found:
            return xml_error("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)
    for name, compute in _ALGORITHMS.items():
        if f"{_PREFIX}{name}" in environ:
            return _compare(name, _decoded(environ[f"{_PREFIX}{name}"]), compute(body))
    return None


def _carries_content(environ: WSGIEnvironment) -> bool:
    if environ["REQUEST_METHOD"] == "PUT":
        return "HTTP_X_AMZ_COPY_SOURCE" not in environ
    # In other POST requests the checksum is that of a whole object, whose parts were sent before.
    return environ["REQUEST_METHOD"] == "POST" and "delete" in parse_qs(environ["QUERY_STRING"], keep_blank_values=True)


def _compare(name: str, given: bytes | None, found: bytes) -> Response | None:
    if given is None or len(given) != len(found):
        return xml_error("InvalidRequest", f"Value for x-amz-checksum-{name.lower()} header is invalid.", 400)
    if given != found:
        return xml_error("BadDigest", f"The {name} you specified did not match the calculated checksum.", 400)
    return None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _crc(kind: tuple[int, int], body: bytes) -> bytes:
    bits, _ = kind
    table, ones = _table(kind), (1 << bits) - 1
    value = ones
    for byte in body:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return (value ^ ones).to_bytes(bits // 8, "big")


@functools.cache
def _table(kind: tuple[int, int]) -> tuple[int, ...]:
    return tuple(
        functools.reduce(lambda value, _: (value >> 1) ^ (kind[1] * (value & 1)), range(8), n) for n in range(256)
    )


_ALGORITHMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "CRC32C": functools.partial(_crc, _CRC32C),
    "CRC64NVME": functools.partial(_crc, _CRC64NVME),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
