"""Pictures as a request names them: bytes or an S3 object, checked as Rekognition checks them, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from localcloud.rekognition.exceptions import RekognitionError, invalid_parameter

if TYPE_CHECKING:
    from localcloud.rekognition.engine import Image

_LARGEST_OBJECT: Final = 15 * 1024 * 1024  # bytes; the limit of 5 MB for bytes in a request is in the service model
_SMALLEST_SIDE: Final = 80  # pixels
MOST_PIXELS: Final = 2**27  # unknown for AWS; keeps a small file from filling the memory
_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"


class Buckets(Protocol):
    """Where S3 objects are read from."""

    def read_object(self, bucket: str, name: str, version: str | None) -> bytes | None:
        """Return the content, None if there is no such object in a bucket of this region."""


def read_bytes(image: dict[str, Any], buckets: Buckets) -> bytes:
    """Return the encoded picture of an Image parameter.

    Raises:
        RekognitionError: neither or both sources are named, the object cannot be had, or it is too large.
    """
    if ("Bytes" in image) == ("S3Object" in image):
        raise invalid_parameter()
    return bytes(image["Bytes"]) if "Bytes" in image else _read_object(image["S3Object"], buckets)


def decode(encoded: bytes) -> Image:
    """Turn an encoded picture into pixels, rotated as its EXIF orientation says.

    Raises:
        RekognitionError: it is not a JPEG or PNG whatever its name says, is broken, or is smaller than 80 pixels.
    """
    import cv2

    if not encoded.startswith((_JPEG, _PNG)):
        raise _bad_format()
    # Rekognition applies the orientation of a JPEG; a PNG has none for it.
    flags = cv2.IMREAD_COLOR if encoded.startswith(_JPEG) else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error as error:
        raise RekognitionError("ImageTooLargeException", "Image size is too large") from error
    if pixels is None:
        raise _bad_format()
    if min(pixels.shape[:2]) < _SMALLEST_SIDE:
        raise invalid_parameter()
    return np.asarray(pixels, np.uint8)


def _read_object(place: dict[str, Any], buckets: Buckets) -> bytes:
    content = None
    if "Bucket" in place and "Name" in place:
        content = buckets.read_object(place["Bucket"], place["Name"], place.get("Version"))
    if content is None:
        raise RekognitionError(
            "InvalidS3ObjectException",
            "Unable to get object metadata from S3. Check object key, region and/or access permissions.",
        )
    if len(content) > _LARGEST_OBJECT:
        raise RekognitionError("ImageTooLargeException", "Image size is too large")
    return content


def _bad_format() -> RekognitionError:
    return RekognitionError("InvalidImageFormatException", "Request has invalid image format")
