"""Read and check photo files, cut faces out of them and draw names on them; nothing is stored or printed."""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.aws import Box
from eduguard.errors import EduguardError, suggest
from eduguard.jpeg import encode, opened, read_comment

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

SMALLEST_SIDE = 80  # pixels; Rekognition's minimum (guidelines and quotas)
LARGEST_OBJECT = 15 * 1024 * 1024  # bytes; Rekognition's maximum for a picture in a bucket
DRAWN = {"origin": "drawn"}
"""the bucket's metadata for a photo that our own code drew"""
DRAWN_COMMENT = b"drawn by EduGuard DB"
"""the comment in the file of such a photo; seed_data/draw_photos.py writes it too"""
_LARGEST_FILE = 64 * 1024 * 1024  # bytes; a larger file is not a photo, whatever its name is
_MARGIN = 0.4  # share of the face's width and height added on each side: recognisers need the whole head
_FONT = "DejaVuSans.ttf"  # installed on most Linux machines
_LEAST_CUT = 240  # pixels; the shorter side of a cut-out face


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A JPEG file that was read and can be decoded."""

    file: Path
    content: bytes

    @property
    def sha256(self) -> str:
        """Return the hash that identifies the photo."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_drawn(self) -> bool:
        """Say whether our own code drew it, so that it shows no real person."""
        return bool(marks_of(self.content))

    @property
    def marks(self) -> Mapping[str, str]:
        """Return the metadata that the bucket stores for it."""
        return marks_of(self.content)


def marks_of(jpeg: bytes) -> Mapping[str, str]:
    """Return the metadata that the bucket stores for a JPEG."""
    return DRAWN if read_comment(jpeg) == DRAWN_COMMENT else {}


def read_picture(file: Path) -> Picture:
    """Return a JPEG file after decoding it once as a check; read-only.

    Raises:
        EduguardError: for a file that cannot be read, is not a JPEG, is damaged, too small or too large.
    """
    try:
        if file.exists() and not file.is_file():  # reading a pipe or a device may never end
            raise EduguardError(f"{file} is not a file")
        if file.stat().st_size > _LARGEST_FILE:
            raise EduguardError(f"{file} has more than {_LARGEST_FILE:,} bytes", hint="Export it smaller.")
        content = file.read_bytes()
    except OSError as error:
        raise EduguardError(f"Cannot read {file}: {error.strerror}", hint=_suggest_file(file)) from error
    with opened(content, str(file)) as image:
        if min(image.size) < SMALLEST_SIDE:
            raise EduguardError(f"{file} has {image.width} x {image.height} pixels; {SMALLEST_SIDE} are the least")
        image.load()
    return Picture(file=file, content=content)


def cut_face(image: "Image", boxes: Sequence[Box], number: int) -> bytes:
    """Return one face of a picture with some surroundings, in which all other faces are removed."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = _corners(image, boxes[number])
    margin_x, margin_y = (right - left) * _MARGIN, (bottom - top) * _MARGIN
    frame = (left - margin_x, top - margin_y, right + margin_x, bottom + margin_y)
    x, y = max(0, round(frame[0])), max(0, round(frame[1]))
    cut = image.crop((x, y, min(image.width, round(frame[2])), min(image.height, round(frame[3]))))
    own = cut.crop((round(left) - x, round(top) - y, round(right) - x, round(bottom) - y))
    draw = ImageDraw.Draw(cut)
    for other in (box for index, box in enumerate(boxes) if index != number):
        x0, y0, x1, y1 = _corners(image, other)
        draw.rectangle((x0 - x, y0 - y, x1 - x, y1 - y), fill="grey")
    cut.paste(own, (round(left) - x, round(top) - y))
    scale = _LEAST_CUT / min(cut.size)
    if scale > 1:
        cut = cut.resize((round(cut.width * scale), round(cut.height * scale)), Image.Resampling.BICUBIC)
    return encode(cut)


def draw_names(image: "Image", names: Sequence[tuple[Box, str, str]]) -> bytes:
    """Return the picture with a frame round each face and a tab with the name below it, in the given colour."""
    from PIL import ImageDraw

    drawn = image.copy()
    draw, height = ImageDraw.Draw(drawn), max(12, image.width // 70)
    font, has_accents = _load_font(height)
    for box, _, colour in names:
        draw.rectangle(_corners(image, box), outline=colour, width=max(2, image.width // 400))
    _, head, _, foot = draw.textbbox((0, 0), "Ág", font=font)
    pad = height // 3
    for box, label, colour in names:
        name = label if has_accents else unicodedata.normalize("NFD", label).encode("ascii", "ignore").decode()
        wide, high = draw.textlength(name, font=font) + 2 * pad, foot - head + 2 * pad
        left, _, _, bottom = _corners(image, box)
        x, y = max(0, min(left, image.width - wide)), min(bottom, image.height - high)
        draw.rectangle((x, y, x + wide, y + high), fill=colour)
        draw.text((x + pad, y + pad - head), name, font=font, fill="black")
    return encode(drawn)


def _load_font(height: int) -> "tuple[FreeTypeFont | ImageFont, bool]":
    """Return a font, and whether it has letters with accents: Pillow's built-in font has none."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype(_FONT, height), True
    except OSError:
        return ImageFont.load_default(height), False


def _suggest_file(file: Path) -> str | None:
    """Return the files in the same folder with names similar to a missing file's, if there are any."""
    with suppress(OSError):
        beside = [] if file.exists() else [each.name for each in file.parent.iterdir()]
        return suggest(file.name, beside) or None
    return None


def _corners(image: "Image", box: Box) -> tuple[float, float, float, float]:
    left, top = box.left * image.width, box.top * image.height
    return left, top, left + box.width * image.width, top + box.height * image.height
