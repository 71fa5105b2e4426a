"""JPEG pictures as bytes: decode them, turn them upright, make them small enough, encode them; nothing is stored."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_PIXELS = 100_000_000  # 300 MB when decoded; a small file can claim any number of pixels
_QUALITY = 90
_ORIENTATION = 0x0112  # the EXIF tag; 1 is upright, and these members of PIL's Transpose make 2 to 8 upright
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
_SHRINK = 0.8


def read_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG from its first bytes, or None if it is not a JPEG; read-only."""
    try:
        with opened(head, "") as image:
            return image.size
    except EduguardError:
        return None


def read_comment(jpeg: bytes) -> bytes:
    """Return the comment in a JPEG, or nothing; read-only."""
    with opened(jpeg, "The picture") as image:
        comment = image.info.get("comment", b"")
    return comment if isinstance(comment, bytes) else b""


def fit_picture(jpeg: bytes, *, limit: int) -> bytes:
    """Return the picture upright and in at most limit bytes; the same bytes if it already is."""
    with opened(jpeg, "The picture") as image:
        if len(jpeg) <= limit and image.getexif().get(_ORIENTATION, 1) == 1:
            return jpeg
        fitted = _upright(image)
    while len(small := encode(fitted)) > limit:
        fitted = fitted.resize((round(fitted.width * _SHRINK), round(fitted.height * _SHRINK)))
    return small


def open_upright(jpeg: bytes, name: str = "The picture") -> "Image":
    """Return the decoded picture with its EXIF orientation applied."""
    with opened(jpeg, name) as image:
        return _upright(image)


def encode(image: "Image") -> bytes:
    """Return the picture as a JPEG without any metadata."""
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=_QUALITY, comment=b"")  # Pillow would copy the comment of the original
    return out.getvalue()


def _upright(image: "Image") -> "Image":
    from PIL.Image import Transpose

    step = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return (image if step is None else image.transpose(Transpose(step))).convert("RGB")


@contextmanager
def opened(jpeg: bytes, name: str) -> Iterator["Image"]:
    """Open a picture; its pixels are decoded when they are first used.

    Raises:
        EduguardError: naming a picture that is not a JPEG, is damaged or has too many pixels; also when it is decoded
            within the block.
    """
    from PIL import Image

    warnings.filterwarnings("ignore", module=r"PIL\.")  # about broken EXIF, which affects only the orientation
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise EduguardError(
                    f"{name} has {image.width} x {image.height} pixels; {_MOST_PIXELS:,} in all are the most",
                    hint="Export it smaller.",
                )
            yield image
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise EduguardError(
            f"{name} is not a JPEG picture that can be decoded",
            hint="Export it again as JPEG (HEIC and PNG are not taken).",
        ) from error
