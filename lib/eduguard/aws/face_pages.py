"""What Rekognition says of a collection and its faces, read whatever was said, and checked as a whole."""

import math
import re
from collections.abc import Mapping
from typing import Any

from eduguard.aws.types import CollectionState, Face
from eduguard.errors import EduguardError

# The patterns of the API reference, one value a line. What is neither could not be written, or not searched for.
_FACE_IDS = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n)*")
_EXTERNAL_IMAGE_IDS = re.compile(r"(?:[a-zA-Z0-9_.\-:]{1,255}\n)*")
_MOST_FACES = 2**53  # far beyond any collection; JSON's numbers are exact up to here


def read_state(answer: Mapping[str, Any], where: str) -> CollectionState:
    """Return what an answer to DescribeCollection says.

    Raises:
        EduguardError: when it is no answer that Rekognition can have given.
    """
    count, arn = answer.get("FaceCount"), answer.get("CollectionARN")
    if type(count) is not int or not 0 <= count <= _MOST_FACES or not isinstance(arn, str):
        raise _strange(f"What is said of {where} is not as Rekognition says it")
    return CollectionState(face_count=count, arn=arn)


def read_page(page: Any, where: str) -> list[Face]:
    """Return the faces of one answer to ListFaces.

    Raises:
        EduguardError: when it is no answer that Rekognition can have given.
    """
    try:
        faces = [
            Face(each["FaceId"], each.get("ExternalImageId"), each.get("Confidence", 0.0), each.get("UserId"))
            for each in page["Faces"]
        ]
        is_sound = isinstance(page["Faces"], list) and _is_sound(faces) and isinstance(page.get("NextToken", ""), str)
    except (KeyError, TypeError, AttributeError):
        is_sound = False
    if not is_sound:
        raise _strange(f"The faces listed of {where} are not as Rekognition lists them")
    return faces


def _is_sound(faces: list[Face]) -> bool:
    external = [face.external_image_id for face in faces if face.external_image_id is not None]
    users = [face.user_id for face in faces if face.user_id is not None]
    confidences = [face.confidence for face in faces]
    return bool(
        _all_match(_FACE_IDS, [face.face_id for face in faces])
        and _all_match(_EXTERNAL_IMAGE_IDS, external)
        and _all_match(_EXTERNAL_IMAGE_IDS, users)
        and set(map(type, confidences)) <= {float, int}
        and (not faces or 0 <= min(confidences) <= max(confidences) <= 100)  # noqa: PLR2004 -- a percentage
        and not math.isnan(sum(confidences))
    )


def _all_match(pattern: re.Pattern[str], texts: list[str]) -> bool:
    lines = "\n".join([*texts, ""])
    return lines.count("\n") == len(texts) and pattern.fullmatch(lines) is not None


def _strange(problem: str) -> EduguardError:
    return EduguardError(
        problem,
        hint="It broke off, or something else answered: run this again; look at rekognition_endpoint of the target and "
        "at proxies on the way.",
    )
