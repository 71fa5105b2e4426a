"""Turn errors that AWS answers or boto3 raises into ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eduguard.aws.clients import EXPIRED, PROVIDE, RENEW
from eduguard.aws.types import AnswerLostError, FaceRefusedError, ListingLostError
from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from types_boto3_rekognition import RekognitionClient

_HINTS = {"AccessDeniedException": "`inv doctor --iam` prints the policy that each job needs."}
# Raised by the code that reads answers, and by botocore's parser if an answer does not match the service model.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError)


@contextmanager
def translated(client: "RekognitionClient", collection: str, action: str) -> Iterator[None]:
    """Turn errors of AWS or boto3 within the block into ours.

    Args:
        client: the client that sends the request.
        collection: the collection's name.
        action: what is done with the collection, as words that precede `collection NAME`.

    Raises:
        ListingLostError: when a listing cannot go on.
        AnswerLostError: when an answer cannot be read.
        EduguardError: for every other failure.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )
    from botocore.parsers import ResponseParserError

    where = describe(client, collection)
    try:
        yield
    except client.exceptions.ResourceNotFoundException as error:
        raise absent(client, collection) from error
    except client.exceptions.InvalidPaginationTokenException as error:
        raise ListingLostError(f"the listing of {where} expired", hint="Run this again.") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise EduguardError(
            f"No AWS credentials to {action} {where}: {error}", hint=PROVIDE, code="credentials"
        ) from error
    except ClientError as error:
        said = error.response.get("Error", {})
        code, message = (_in_one_line(said.get(key)) for key in ("Code", "Message"))
        raise EduguardError(
            f"AWS would not {action} {where}: {code}: {message}",
            hint=RENEW if code in EXPIRED else _HINTS.get(code),
            place=client.meta.endpoint_url,
        ) from error
    except BotoCoreError as error:
        raise EduguardError(
            f"Could not {action} {where} at {client.meta.endpoint_url}: {error}",
            hint="`inv status` says what answers; region and endpoints are settings of the target in invoke.yaml.",
            code="unreachable",
            place=client.meta.endpoint_url,
        ) from error
    except (*_UNREADABLE, ResponseParserError) as error:
        raise AnswerLostError(
            f"What was answered to {action} {where} is not as Rekognition answers: {type(error).__name__}: {error}",
            hint="It broke off, or something else answered: run this again; look at rekognition_endpoint.",
        ) from error


@contextmanager
def refusing(client: "RekognitionClient", external_image_id: str) -> Iterator[None]:
    """Raise a FaceRefusedError if Rekognition does not accept the picture (error codes of IndexFaces)."""
    codes = client.exceptions
    try:
        yield
    except (codes.InvalidImageFormatException, codes.ImageTooLargeException, codes.InvalidParameterException) as error:
        said = _in_one_line(error.response.get("Error", {}).get("Message"))
        raise FaceRefusedError(
            f"{external_image_id}: Rekognition does not take the picture: {said}",
            hint="It takes JPEG files of at least 80 x 80 pixels.",
        ) from error


def describe(client: "RekognitionClient", collection: str) -> str:
    """Return the location of a collection, as words of a message."""
    return f"collection {collection} in {client.meta.region_name}"


def absent(client: "RekognitionClient", collection: str) -> EduguardError:
    """Return the error that says that a collection does not exist."""
    return EduguardError(
        f"There is no {describe(client, collection)}",
        hint="`inv enrol` makes it on local; `aws rekognition list-collections` lists those of your account.",
    )


def _in_one_line(text: object) -> str:
    return str(text) if str(text).isprintable() else ascii(text)
