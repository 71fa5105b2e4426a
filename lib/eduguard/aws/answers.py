"""The parts of Rekognition's answers, read and checked.

What is not as Rekognition gives it raises a KeyError or TypeError: the client makes of it one error that says what was
asked for.
"""

from typing import TYPE_CHECKING

from eduguard.aws.types import Box, IndexedFace, Match

if TYPE_CHECKING:
    from types_boto3_rekognition.type_defs import BoundingBoxTypeDef, FaceMatchTypeDef, FaceRecordTypeDef


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
    """Return a value that must be a percentage, or a place in a picture, which may lie a little outside it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 100:  # noqa: PLR2004
        raise TypeError(f"{type(value).__name__} instead of a number of at most 100")
    return float(value)
