"""The errors of Rekognition, with the texts that AWS has been seen to send.

Two shapes exist. A service error is {"__type", "Code", "Message"}, as answers of 2023 show it; those of 2018 and 2019
have a Logref, too. An error of the framework, before the service (constraints, signature, unknown operation), is
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
# Unknown: the texts of AWS for these; listed in docs/rekognition-differences.md.
USER_EXISTS: Final = "The user id: {user} already exists in the collection: {collection}"
USER_MISSING: Final = "The user id: {user} does not exist in the collection: {collection}"
USER_FULL: Final = "The user id: {user} has reached the limit of {limit} faces"


class RekognitionError(Exception):
    """An error that the service answers with."""

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
    """An error found before the service itself is asked."""

    def body(self) -> str:
        """Return the JSON text of the answer."""
        return json.dumps({"__type": self.code, "message": self.message}, separators=(",", ":"))


def collection_missing(collection: str) -> RekognitionError:
    """Build the error of every operation but DescribeCollection."""
    return RekognitionError("ResourceNotFoundException", f"The collection id: {collection} does not exist")


def collection_exists(collection: str) -> RekognitionError:
    """Build the error for a name that is taken."""
    return RekognitionError("ResourceAlreadyExistsException", f"The collection id: {collection} already exists")


def invalid_parameter(message: str = INVALID_PARAMETERS) -> RekognitionError:
    """Build the error of a request that breaks a rule no constraint of the model states."""
    return RekognitionError("InvalidParameterException", message)


def user_missing(collection: str, user: str) -> RekognitionError:
    """Build the error of an operation on an unknown user."""
    return RekognitionError("ResourceNotFoundException", USER_MISSING.format(user=user, collection=collection))
