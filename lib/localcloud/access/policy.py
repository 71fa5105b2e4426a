"""The policy of a form that a browser posts to S3: it must be signed and not expired, and every field must match it.

Source: Browser-Based Uploads Using POST, S3 guide.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import io
import json
from typing import TYPE_CHECKING, Any, Final

from werkzeug.formparser import parse_form_data

from localcloud.access import refusal, version2, version4
from localcloud.access.refusal import RefusedError

if TYPE_CHECKING:
    from localcloud.access.seen import Seen
    from localcloud.credentials import Credentials

# Fields that need no condition.
_FREE: Final = frozenset({"x-amz-signature", "signature", "awsaccesskeyid", "file", "policy"})


def is_form(seen: Seen) -> bool:
    """Say whether a request is a form with a policy."""
    return seen.method == "POST" and seen.header("content-type").startswith("multipart/form-data")


def check(seen: Seen, credentials: Credentials, now: dt.datetime, bucket: str) -> None:
    """Check a form.

    Args:
        seen: the request.
        credentials: the key of the server.
        now: the time.
        bucket: the bucket that the form is posted to.

    Raises:
        RefusedError: when it has no policy, a wrong signature, has expired, or a condition is not met.
    """
    fields, size = _read(seen)
    if "policy" not in fields:
        raise RefusedError(refusal.UNSIGNED)
    _check_signature(fields, credentials)
    policy = _decoded(fields["policy"])
    try:
        expiration = dt.datetime.fromisoformat(str(policy["expiration"]))
        conditions = list(policy["conditions"])
    except (KeyError, ValueError, TypeError) as error:
        raise RefusedError(refusal.AGAINST_POLICY, "it has no expiration or no conditions") from error
    if now > (expiration if expiration.tzinfo else expiration.replace(tzinfo=dt.UTC)):
        raise RefusedError(refusal.AGAINST_POLICY, "Policy expired")
    named = {name for condition in conditions for name in _names(condition)}
    for condition in conditions:
        if not _holds(condition, fields | {"bucket": bucket}, size):
            raise RefusedError(refusal.AGAINST_POLICY, f"Policy Condition failed: {json.dumps(condition)}")
    extra = {name for name in fields if not name.startswith("x-ignore-")} - named - _FREE
    if extra:
        raise RefusedError(refusal.AGAINST_POLICY, f"Extra input fields: {', '.join(sorted(extra))}")


def _read(seen: Seen) -> tuple[dict[str, str], int]:
    _, form, files = parse_form_data(seen.environ | {"wsgi.input": io.BytesIO(seen.body)})
    sizes = [len(file.stream.read()) for file in files.values()] or [len(form.get("file", "").encode())]
    return {name.lower(): value for name, value in form.items()}, sizes[0]


def _check_signature(fields: dict[str, str], credentials: Credentials) -> None:
    if "x-amz-signature" in fields:
        key, date, region, service = version4.claimed_scope(fields.get("x-amz-credential", ""))
        claim = version4.Claim(
            access_key_id=key,
            date=date,
            region=region,
            service=service,
            signed_headers=[],
            signature=fields["x-amz-signature"],
            timestamp=date,
        )
        signature, expected = claim.signature, version4.sign(credentials, claim, fields["policy"])
    else:
        key, signature = fields.get("awsaccesskeyid", ""), fields.get("signature", "")
        expected = version2.sign(credentials, fields["policy"])
    if not hmac.compare_digest(key.encode(), credentials.access_key_id.encode()):
        raise RefusedError(refusal.UNKNOWN_KEY if key else refusal.UNSIGNED)
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise RefusedError(refusal.MISMATCH)


def _decoded(policy: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.b64decode(policy, validate=True))
    except (binascii.Error, ValueError) as error:
        raise RefusedError(refusal.AGAINST_POLICY, "it is not JSON in base64") from error
    if not isinstance(value, dict):
        raise RefusedError(refusal.AGAINST_POLICY, "it is not a JSON object")
    return value


def _names(condition: Any) -> list[str]:
    if isinstance(condition, dict):
        return [str(name).lower() for name in condition]
    return [str(condition[1]).lstrip("$").lower()] if isinstance(condition, list) and len(condition) > 1 else []


def _holds(condition: Any, fields: dict[str, str], size: int) -> bool:
    if isinstance(condition, dict):
        return all(fields.get(str(name).lower()) == value for name, value in condition.items())
    match condition:
        case ["content-length-range", int(least), int(most)]:
            return least <= size <= most
        case [str(operator), str(name), str(value)]:
            found = fields.get(name.lstrip("$").lower(), "")
            return {"eq": found == value, "starts-with": found.startswith(value)}.get(operator.lower(), False)
    return False
