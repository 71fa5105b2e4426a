"""The environment variables that point the AWS CLI and the SDKs to a local cloud."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.credentials import Credentials

REGION: Final = "us-east-1"


def variables(endpoint: str, credentials: Credentials, region: str = REGION) -> dict[str, str]:
    """Return endpoint, key and region as the variables that AWS's own programs read."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_DEFAULT_REGION": region,  # for the AWS CLI and boto3
        "AWS_REGION": region,  # for the other SDKs
    }


def shell_lines(variables: Mapping[str, str]) -> str:
    """Return shell commands; they also unset the caller's own session token, which would be sent as well."""
    lines = [f"export {name}={quote(value)}" for name, value in variables.items()]
    return "\n".join([*lines, "unset AWS_SESSION_TOKEN"])
