"""Clients of AWS, or of an endpoint that speaks its language, and whose credentials they use."""

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
# What AWS calls credentials that were good once; a listing that takes minutes can outlive them.
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_MODELS = Path(__file__).parent / "models"  # what is changed in AWS's service models, and why: its README.md
MOST_AT_ONCE = 50  # requests of one client; Rekognition's largest quota for most operations, in a second
_FILES = ("profile", "config_file", "credentials_file")
# A session of boto3 must not be used by two threads at once; its clients may (boto3's guide).
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
        service: as boto3 names it.
        region: of what the client works on.
        endpoint: a URL in place of AWS's own.
        credentials: for an endpoint of ours, to which no proxy leads and of which AWS's files say nothing; None takes
            AWS's own chain.
        profile: of AWS's files, in place of the chain: keys in variables of the environment are not asked then.
        pace: every request waits for it, the retries too.
        config: more of botocore's Config.

    Raises:
        EduguardError: when AWS's files or variables hold what boto3 does not take.
    """
    from botocore.config import Config

    if credentials:
        config |= {"proxies": {}}  # not None, which would take those of the environment
    with _opening, _translated():
        create: Callable[..., Any] = _session(
            is_own=bool(credentials), profile=profile
        ).client  # its overloads name each service
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
        EduguardError: without credentials, or when AWS does not take them.
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

    # An endpoint of ours is reached even if a profile is gone or a file cannot be read. A session variable is a key of
    # the file, a variable of the environment, a default and a type (botocore's session.py).
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
    except (BotoCoreError, ValueError) as error:  # ValueError for a number or a URL that is not one
        raise EduguardError(
            f"boto3 cannot make a client: {error}",
            hint="It reads aws_profile and bucket_profile of the target, AWS_PROFILE and other AWS_ variables, "
            "~/.aws/config and ~/.aws/credentials.",
        ) from error
