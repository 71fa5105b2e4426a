"""NextToken: opaque, signed, and valid only for the listing that it came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Final

from localcloud.rekognition.exceptions import RekognitionError

_SIGNATURE_BYTES: Final = 16
INVALID_TOKEN: Final = "Invalid Pagination Token"  # noqa: S105 -- a message


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMaker:
    """Makes and reads the tokens of one store."""

    secret: bytes
    lifetime: float | None = None  # seconds; None: for ever

    def make(self, listing: list[str], position: str) -> str:
        """Return the token that continues a listing after position.

        Args:
            listing: identifies the listing: the operation, the collection, the filters.
            position: the last key of the page.
        """
        payload = json.dumps([self._digest(listing), position, time.time()]).encode()
        return base64.b64encode(self._sign(payload) + payload).decode()

    def read(self, listing: list[str], token: str) -> str:
        """Return the position inside a token.

        Raises:
            RekognitionError: when it was not made for this listing, or is too old.
        """
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            raise _invalid() from None
        signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(payload)):
            raise _invalid()
        digest, position, made = json.loads(payload)
        if digest != self._digest(listing) or (self.lifetime is not None and time.time() - made > self.lifetime):
            raise _invalid()
        return str(position)

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self.secret, payload, "sha256")[:_SIGNATURE_BYTES]

    def _digest(self, listing: list[str]) -> str:
        return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16]


def _invalid() -> RekognitionError:
    return RekognitionError("InvalidPaginationTokenException", INVALID_TOKEN)
