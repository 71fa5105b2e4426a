"""What a page of ListFaces holds, read without botocore's own parsing of each face and checked as a whole."""

import json
import re
from typing import Any

from eduguard.errors import EduguardError
from eduguard.faces import Face

# The patterns of the API reference, one value a line. What is neither could not be written, or not searched for.
_FACE_IDS = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n)*")
_EXTERNAL_IMAGE_IDS = re.compile(r"(?:[a-zA-Z0-9_.\-:]{1,255}\n)*")
_OK = 200


def keep_faces_unparsed(response_dict: dict[str, Any], customized_response_dict: dict[str, Any]) -> None:
    """Take the faces out of an answer before botocore parses it, as a handler of its event before-parse may.

    botocore's parser walks every value of every face by the service model, which changes none of them and takes four
    fifths of the time of a page (benchmarks/sync.py). An answer that is not as expected is left to it.
    """
    if response_dict["status_code"] != _OK:
        return
    try:
        answer = json.loads(response_dict["body"])
    except ValueError:
        return
    if isinstance(answer, dict) and isinstance(answer.get("Faces"), list):
        customized_response_dict["Faces"] = answer.pop("Faces")
        response_dict["body"] = json.dumps(answer).encode()


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
        is_sound = _is_sound(faces)
    except (KeyError, TypeError, AttributeError):
        is_sound = False
    if not is_sound:
        raise EduguardError(
            f"The faces listed of {where} are not as Rekognition lists them",
            hint="Something else answered: look at rekognition_endpoint of the target, and at proxies on the way.",
        )
    return faces


def _is_sound(faces: list[Face]) -> bool:
    external = [face.external_image_id for face in faces if face.external_image_id is not None]
    return bool(
        _all_match(_FACE_IDS, [face.face_id for face in faces])
        and _all_match(_EXTERNAL_IMAGE_IDS, external)
        and 0 <= sum(face.confidence for face in faces) <= 100 * len(faces)
        and all(face.user_id is None or isinstance(face.user_id, str) for face in faces)
    )


def _all_match(pattern: re.Pattern[str], texts: list[str]) -> bool:
    lines = "\n".join([*texts, ""])
    return lines.count("\n") == len(texts) and pattern.fullmatch(lines) is not None
