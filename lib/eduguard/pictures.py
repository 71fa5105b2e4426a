"""Pictures as files and as bytes: checked, made small enough, cut; nothing is kept and nothing is printed of them."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST_SIDE = 80  # pixels; Rekognition takes nothing smaller (guidelines and quotas)
LARGEST_OBJECT = 15 * 1024 * 1024  # bytes; Rekognition takes no larger picture from a bucket
_LARGEST_FILE = 64 * 1024 * 1024  # bytes; no photo, whatever it says
_QUALITY = 90
_ORIENTATION = 0x0112  # the EXIF tag; 1 is upright
_SHRINK = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A JPEG file that was read and can be decoded."""

    file: Path
    content: bytes

    @property
    def sha256(self) -> str:
        """Return the hash by which the same photo is recognised."""
        return hashlib.sha256(self.content).hexdigest()


def read_picture(file: Path) -> Picture:
    """Return a JPEG file, decoded once to know that it can be; read-only.

    Raises:
        EduguardError: for a file that cannot be read, is no JPEG, is damaged or too small.
    """
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise EduguardError(f"{file} has more than {_LARGEST_FILE:,} bytes", hint="Export it smaller.")
        content = file.read_bytes()
    except OSError as error:
        raise EduguardError(f"Cannot read {file}: {error.strerror}") from error
    with _opened(content, str(file)) as image:
        if min(image.size) < SMALLEST_SIDE:
            raise EduguardError(f"{file} has {image.width} x {image.height} pixels; {SMALLEST_SIDE} are the least")
        image.load()
    return Picture(file=file, content=content)


def read_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG of which the first bytes are given, or None where it is none; read-only."""
    try:
        with _opened(head, "") as image:
            return image.size
    except EduguardError:
        return None


def fit_picture(jpeg: bytes, *, limit: int) -> bytes:
    """Return the picture upright and in at most limit bytes; the very same bytes where it is both."""
    with _opened(jpeg, "The picture") as image:
        if len(jpeg) <= limit and image.getexif().get(_ORIENTATION, 1) == 1:
            return jpeg
        fitted = _upright(image)
    while len(small := encode(fitted)) > limit:
        fitted = fitted.resize((round(fitted.width * _SHRINK), round(fitted.height * _SHRINK)))
    return small


def open_upright(jpeg: bytes) -> "Image":
    """Return the decoded picture with its EXIF orientation applied."""
    with _opened(jpeg, "The picture") as image:
        return _upright(image)


def encode(image: "Image") -> bytes:
    """Return the picture as a JPEG without any metadata."""
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=_QUALITY)
    return out.getvalue()


def _upright(image: "Image") -> "Image":
    from PIL import ImageOps

    return ImageOps.exif_transpose(image).convert("RGB")


@contextmanager
def _opened(jpeg: bytes, name: str) -> Iterator["Image"]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            yield image
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise EduguardError(
            f"{name} is no JPEG picture that can be decoded",
            hint="Export it again as JPEG (HEIC and PNG are not taken).",
        ) from error
