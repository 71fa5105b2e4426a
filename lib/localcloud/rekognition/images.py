"""The pictures of a request: bytes or an S3 object, checked as Rekognition does, and turned upright."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from PIL import Image as Picture
from PIL import UnidentifiedImageError

from localcloud.rekognition.exceptions import SMALL_IMAGE, RekognitionError, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.rekognition.faces import Image

_LARGEST_OBJECT: Final = 15 * 1024 * 1024  # bytes; the limit of 5 MB for bytes in a request is in the service model
_SMALLEST_SIDE: Final = 80  # pixels
_LONGEST_SIDE: Final = 10_000  # pixels
MOST_PIXELS: Final = _LONGEST_SIDE**2
# The limit for all pictures that are processed at one moment: a small file can hold a large picture.
PIXELS_AT_ONCE: Final = MOST_PIXELS
_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"


class Buckets(Protocol):
    """The source of S3 objects."""

    def read_object(self, bucket: str, name: str, version: str | None) -> bytes | None:
        """Return the content, None if there is no such object in a bucket of this region."""


def read_bytes(image: dict[str, Any], buckets: Buckets) -> bytes:
    """Return the encoded picture of an Image parameter.

    Raises:
        RekognitionError: when neither or both sources are named, or the object cannot be read or is too large.
    """
    if ("Bytes" in image) == ("S3Object" in image):
        raise invalid_parameter()
    return bytes(image["Bytes"]) if "Bytes" in image else _read_object(image["S3Object"], buckets)


class _Budget:
    """The pixels that all requests together may hold; a request that needs more than is left waits for the others."""

    def __init__(self, pixels: int) -> None:
        self._left = pixels
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._left >= pixels)
            self._left -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._left += pixels
                self._changed.notify_all()


Picture.MAX_IMAGE_PIXELS = None  # only the head of a picture that is too large is read
_budget: Final = _Budget(PIXELS_AT_ONCE)


@contextmanager
def opened(image: dict[str, Any], buckets: Buckets) -> Iterator[Image]:
    """Provide the pixels of an Image parameter within the block; a request holds one picture at a time.

    Raises:
        RekognitionError: when it cannot be read, or Rekognition would not accept the picture.
    """
    with decoded(read_bytes(image, buckets)) as pixels:
        yield pixels


@contextmanager
def decoded(encoded: bytes) -> Iterator[Image]:
    """Provide the pixels of an encoded picture within the block.

    Raises:
        RekognitionError: when Rekognition would not accept the picture.
    """
    columns, rows = measure(encoded)
    with _budget.hold(columns * rows):
        yield decode(encoded)


def check(image: dict[str, Any], buckets: Buckets) -> None:
    """Refuse an Image parameter that Rekognition would not accept.

    Raises:
        RekognitionError: when it cannot be read, or Rekognition would not accept the picture.
    """
    with opened(image, buckets):
        return


def measure(encoded: bytes) -> tuple[int, int]:
    """Read width and height from the head of a picture, before anything is decoded.

    Raises:
        RekognitionError: when the content is not a JPEG or PNG, or the picture is too large or too small.
    """
    if not encoded.startswith((_JPEG, _PNG)):
        raise _bad_format()
    try:
        with Picture.open(io.BytesIO(encoded), formats=("JPEG", "PNG")) as picture:
            columns, rows = picture.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise _bad_format() from error
    if max(columns, rows) > _LONGEST_SIDE:
        message = f"Input image dimensions {columns} x {rows} exceed maximum dimension size of {_LONGEST_SIDE} pixels"
        raise RekognitionError("ImageTooLargeException", message)
    if min(columns, rows) < _SMALLEST_SIDE:
        raise invalid_parameter(SMALL_IMAGE)
    return columns, rows


def decode(encoded: bytes) -> Image:
    """Decode a picture into pixels, rotated by its EXIF orientation.

    Raises:
        RekognitionError: when it is damaged.
    """
    import cv2

    # Rekognition applies the orientation of a JPEG and ignores that of a PNG.
    flags = cv2.IMREAD_COLOR if encoded.startswith(_JPEG) else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error as error:
        raise RekognitionError("ImageTooLargeException", "Image size is too large") from error
    if pixels is None:
        raise _bad_format()
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
