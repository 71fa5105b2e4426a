"""Read and check Rekognition's answers: malformed answers are refused here.

`read_state` and `read_page` check a whole answer and raise an EduguardError. The other functions read a part and raise
a KeyError or TypeError; the client turns it into an error that names the request.
"""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eduguard.aws.types import Box, CollectionState, Face, IndexedFace, Match
from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from types_boto3_rekognition.type_defs import BoundingBoxTypeDef, FaceMatchTypeDef, FaceRecordTypeDef

# The patterns of the API reference, one value per line. Other values could not be written or searched for.
_FACE_IDS = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n)*")
_EXTERNAL_IMAGE_IDS = re.compile(r"(?:[a-zA-Z0-9_.\-:]{1,255}\n)*")
_MOST_FACES = 2**53  # far larger than any collection; JSON's numbers are exact up to here


def read_state(answer: Mapping[str, Any], where: str) -> CollectionState:
    """Return the state in an answer to DescribeCollection.

    Raises:
        EduguardError: when Rekognition cannot have given this answer.
    """
    count, arn = answer.get("FaceCount"), answer.get("CollectionARN")
    if type(count) is not int or not 0 <= count <= _MOST_FACES or not isinstance(arn, str):
        raise _strange(f"What is said of {where} is not as Rekognition says it")
    return CollectionState(face_count=count, arn=arn)


def read_page(page: Any, where: str) -> list[Face]:
    """Return the faces of one answer to ListFaces.

    Raises:
        EduguardError: when Rekognition cannot have given this answer.
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


def read_indexed(record: "FaceRecordTypeDef") -> IndexedFace:
    """Return the face of a record of IndexFaces."""
    sharpness = record.get("FaceDetail", {}).get("Quality", {}).get("Sharpness")
    return IndexedFace(
        face_id=read_text(record["Face"]["FaceId"]), quality=None if sharpness is None else read_number(sharpness)
    )


def read_match(match: "FaceMatchTypeDef") -> Match:
    """Return a match of SearchFacesByImage."""
    name = match["Face"].get("ExternalImageId")
    return Match(
        face_id=read_text(match["Face"]["FaceId"]),
        external_image_id=None if name is None else read_text(name),
        similarity=read_number(match["Similarity"]),
    )


def read_box(box: "BoundingBoxTypeDef") -> Box:
    """Return a box of DetectFaces."""
    left, top, width, height = (read_number(box[side]) for side in ("Left", "Top", "Width", "Height"))
    return Box(left=left, top=top, width=width, height=height)


def read_text(value: object) -> str:
    """Return a value that must be one line of text."""
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError(f"{type(value).__name__} instead of text")
    return value


def read_number(value: object) -> float:
    """Return a value that must be a percentage, or a position in a picture, which may be slightly outside it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 100:  # noqa: PLR2004
        raise TypeError(f"{type(value).__name__} instead of a number of at most 100")
    return float(value)
