"""The errors of Rekognition, with texts that AWS was observed to send.

There are two formats. A service error is {"__type", "Code", "Message"}, as in answers of 2023; those of 2018 and 2019
also have a Logref. An error of the framework in front of the service (constraints, signature, unknown operation) is
{"__type", "message"} with a small m.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

FACE_ID_NOT_FOUND: Final = "faceId was not found in the collection."
NO_FACES: Final = "There are no faces in the image. Should be at least 1."
INVALID_PARAMETERS: Final = "Request has invalid parameters"
SMALL_IMAGE: Final = "Request has Invalid Parameters"
# AWS's texts for these are unknown; docs/rekognition-differences.md lists them.
USER_EXISTS: Final = "The user id: {user} already exists in the collection: {collection}"
USER_MISSING: Final = "The user id: {user} does not exist in the collection: {collection}"
USER_FULL: Final = "The user id: {user} has reached the limit of {limit} faces"


class RekognitionError(Exception):
    """An error answer of the service."""

    def __init__(self, code: str, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = int(status)

    def body(self) -> str:
        """Return the JSON text of the answer."""
        fields = {"__type": self.code, "Code": self.code, "Message": self.message}
        return json.dumps(fields, separators=(",", ":"))


class FrameworkError(RekognitionError):
    """An error found before the request reaches the service."""

    def body(self) -> str:
        """Return the JSON text of the answer."""
        return json.dumps({"__type": self.code, "message": self.message}, separators=(",", ":"))


def collection_missing(collection: str) -> RekognitionError:
    """Build the error of every operation except DescribeCollection."""
    return RekognitionError("ResourceNotFoundException", f"The collection id: {collection} does not exist")


def collection_exists(collection: str) -> RekognitionError:
    """Build the error for a name that is taken."""
    return RekognitionError("ResourceAlreadyExistsException", f"The collection id: {collection} already exists")


def invalid_parameter(message: str = INVALID_PARAMETERS) -> RekognitionError:
    """Build the error of a request that breaks a rule which is not a constraint of the model."""
    return RekognitionError("InvalidParameterException", message)


def user_missing(collection: str, user: str) -> RekognitionError:
    """Build the error of an operation on an unknown user."""
    return RekognitionError("ResourceNotFoundException", USER_MISSING.format(user=user, collection=collection))
