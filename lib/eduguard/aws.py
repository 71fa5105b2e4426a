"""Clients of AWS, or of an endpoint that speaks its language, and whose credentials they use."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.pace import Pace
from eduguard.rekognition_types import Identity

if TYPE_CHECKING:
    from collections.abc import Callable

RENEW = "Renew them: `aws sso login`, or `aws configure`, or a new session token."
PROVIDE = "Run `aws configure`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
# What AWS calls credentials that were good once; a listing that takes minutes can outlive them.
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}


def open_client(
    service: str,
    *,
    region: str,
    endpoint: str | None,
    credentials: dict[str, str] | None,
    pace: Pace | None = None,
    **config: Any,
) -> Any:
    """Return a boto3 client; nothing is sent yet.

    Args:
        service: as boto3 names it.
        region: of what the client works on.
        endpoint: a URL in place of AWS's own.
        credentials: for an endpoint of ours; None takes AWS's own chain.
        pace: every request waits for it, the retries too.
        config: more of botocore's Config.
    """
    import boto3
    from botocore.config import Config

    create: Callable[..., Any] = boto3.client  # its overloads name each service
    client = create(
        service,
        region_name=region,
        endpoint_url=endpoint,
        config=Config(connect_timeout=5, max_pool_connections=16, user_agent_extra="eduguard-db", **config),
        **(credentials or {}),
    )
    if pace:
        client.meta.events.register(f"before-send.{service}", lambda **_: pace.wait())
    return client


def refuse_cut_answer(*, response_dict: Mapping[str, Any], **_: object) -> None:
    """Raise botocore's IncompleteReadError for an answer that broke off: a handler of its event before-parse.

    botocore takes the JSON of such an answer for an empty object: the end of a listing, or a collection without faces.
    """
    from botocore.exceptions import IncompleteReadError

    told, body = response_dict["headers"].get("content-length"), response_dict["body"]
    if told and len(body) != int(told):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(told))


def identify(*, region: str, endpoint: str | None, credentials: dict[str, str] | None) -> Identity:
    """Ask AWS (STS GetCallerIdentity, which needs no permission) whose credentials these are; read-only.

    Raises:
        EduguardError: without credentials, or when AWS does not take them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    client = open_client("sts", region=region, endpoint=endpoint, credentials=credentials)
    try:
        answer = client.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise EduguardError(f"AWS does not know who is asking: {error}", hint=PROVIDE) from error
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    ahead = time.time() - parsedate_to_datetime(date).timestamp() if date else 0.0
    return Identity(account=answer["Account"], arn=answer["Arn"], clock_ahead=ahead)


def serves(region: str) -> bool:
    """Say whether AWS offers Rekognition in a region, as far as this boto3 knows."""
    import boto3

    return region in boto3.session.Session().get_available_regions("rekognition")
