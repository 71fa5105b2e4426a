"""Clients of AWS or of an endpoint with the same API, and the credentials they use."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eduguard.aws.pace import Pace
from eduguard.aws.types import Identity
from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3.session import Session

RENEW = "Renew them: `aws sso login`, or `aws configure`, or a new session token."
PROVIDE = "Run `aws configure`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
# AWS's error codes for credentials that have expired; a listing can take longer than they are valid.
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_MODELS = Path(__file__).parent / "models"  # changes of AWS's service models; README.md there says why
MOST_AT_ONCE = 50  # concurrent requests of one client; Rekognition's largest quota per second for most operations
_FILES = ("profile", "config_file", "credentials_file")
# Two threads must not use one boto3 session at once; clients may be shared (boto3's guide).
_opening = threading.Lock()


def open_client(
    service: str,
    *,
    region: str,
    endpoint: str | None,
    credentials: dict[str, str] | None,
    profile: str | None = None,
    pace: Pace | None = None,
    **config: Any,
) -> Any:
    """Return a boto3 client; nothing is sent yet.

    Args:
        service: boto3's name of the service.
        region: the region that the client works in.
        endpoint: a URL that replaces AWS's own.
        credentials: for an endpoint of ours; proxies and AWS's files are ignored then. None: AWS's own chain.
        profile: a profile in AWS's files that replaces the chain: keys in environment variables are ignored then.
        pace: every request waits for it, including retries.
        config: further parameters of botocore's Config.

    Raises:
        EduguardError: when AWS's files or variables hold a value that boto3 does not accept.
    """
    from botocore.config import Config

    if credentials:
        config |= {"proxies": {}}  # not None, which would use the environment's proxies
    with _opening, _translated():
        create: Callable[..., Any] = _session(
            is_own=bool(credentials), profile=profile
        ).client  # its overloads need literal service names
        client = create(
            service,
            region_name=region,
            endpoint_url=endpoint,
            config=Config(
                connect_timeout=5, max_pool_connections=MOST_AT_ONCE, user_agent_extra="eduguard-db", **config
            ),
            **(credentials or {}),
        )
    if pace:
        client.meta.events.register(f"before-send.{service}", lambda event_name, **_: pace.wait(event_name))
    return client


def identify(
    *, region: str, endpoint: str | None, credentials: dict[str, str] | None, profile: str | None = None
) -> Identity:
    """Ask AWS (STS GetCallerIdentity, which needs no permission) whose credentials these are; read-only.

    Raises:
        EduguardError: when there are no credentials, or AWS does not accept them.
    """
    from email.utils import parsedate_to_datetime

    from botocore.exceptions import BotoCoreError, ClientError

    client = open_client("sts", region=region, endpoint=endpoint, credentials=credentials, profile=profile)
    try:
        answer = client.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise EduguardError(f"AWS does not know who is asking: {error}", hint=PROVIDE) from error
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    ahead = time.time() - parsedate_to_datetime(date).timestamp() if date else 0.0
    return Identity(account=answer["Account"], arn=answer["Arn"], clock_ahead=ahead)


def serves(region: str) -> bool:
    """Say whether AWS offers Rekognition in a region, as far as this boto3 knows."""
    with _opening, _translated():
        return region in _session(is_own=False).get_available_regions("rekognition")


@cache
def _session(*, is_own: bool, profile: str | None = None) -> "Session":
    import boto3
    import botocore.session

    # An endpoint of ours is reached even if a profile is missing or a file cannot be read. A session variable consists
    # of a key in the file, an environment variable, a default and a type (botocore's session.py).
    unset = (None, None, None, None)
    core = botocore.session.get_session(dict.fromkeys(_FILES, unset) if is_own else None)
    loader = core.get_component("data_loader")
    loader.search_paths.append(str(_MODELS))
    loader.extras_types.append("eduguard")
    return boto3.Session(botocore_session=core, profile_name=profile)


@contextmanager
def _translated() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, ValueError) as error:  # ValueError for an invalid number or URL
        raise EduguardError(
            f"boto3 cannot make a client: {error}",
            hint="It reads aws_profile and bucket_profile of the target, AWS_PROFILE and other AWS_ variables, "
            "~/.aws/config and ~/.aws/credentials.",
        ) from error
