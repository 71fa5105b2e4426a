"""Check that a server is the one that serves a folder, before anything else is sent to it."""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.credentials import Credentials

PATH: Final = "/localcloud/health"
_TIMEOUT: Final = 5.0  # seconds; enough for a server that is busy with a large picture
_LARGEST_ANSWER: Final = 10_000  # bytes


def is_proven(url: str, credentials: Credentials, folder: Path) -> bool:
    """Say whether the server at a URL has the key and serves the folder.

    The server answers a nonce with an HMAC, so neither side sends the key, and a program that has taken over the port
    learns nothing.
    """
    address, nonce = urlsplit(url), secrets.token_hex(16)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", f"{PATH}?nonce={nonce}")
        response = connection.getresponse()
        answer = json.loads(response.read(_LARGEST_ANSWER))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    if response.status != HTTPStatus.OK or not isinstance(answer, dict):
        return False
    expected = credentials.proof(nonce, address.netloc, folder)
    return hmac.compare_digest(str(answer.get("proof")).encode(), expected.encode())
