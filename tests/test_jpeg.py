"""Pictures are turned upright and made small enough."""

import io

import pytest
from PIL import Image

from eduguard.jpeg import fit_picture, open_upright

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
CORNERS = {"top left": (0, 0), "top right": (1, 0), "bottom right": (1, 1), "bottom left": (0, 1)}


def picture(orientation: int) -> bytes:
    """Return a wide picture whose corners, as it is stored, are red, green, blue and white, clockwise from the top left."""
    image, out, exif = Image.new("RGB", (200, 120)), io.BytesIO(), Image.Exif()
    for colour, (x, y) in zip(COLOURS, CORNERS.values(), strict=True):
        image.paste(colour, (100 * x, 60 * y, 100 * x + 100, 60 * y + 60))
    exif[0x0112] = orientation
    image.save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


def colour_at(image: Image.Image, corner: str) -> str:
    x, y = CORNERS[corner]
    pixel = image.convert("RGB").getpixel((10 + x * (image.width - 20), 10 + y * (image.height - 20)))
    return min(COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(COLOURS[name], pixel, strict=True)))


# Where the first stored row and column belong in the picture (EXIF 2.32, tag 0x0112).
@pytest.mark.parametrize(
    ("orientation", "first_row", "first_column"),
    [
        (1, "top", "left"),
        (2, "top", "right"),
        (3, "bottom", "right"),
        (4, "bottom", "left"),
        (5, "left", "top"),
        (6, "right", "top"),
        (7, "right", "bottom"),
        (8, "left", "bottom"),
    ],
)
def test_a_picture_is_turned_upright_from_every_orientation(
    orientation: int, first_row: str, first_column: str
) -> None:
    opposite = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}

    def corner(row: str, column: str) -> str:
        return f"{row} {column}" if row in {"top", "bottom"} else f"{column} {row}"

    stored = picture(orientation)
    fitted = fit_picture(stored, limit=len(stored))
    assert (fitted == stored) is (orientation == 1)
    with Image.open(io.BytesIO(fitted)) as sent:
        assert sent.getexif().get(0x0112, 1) == 1
        for image in (open_upright(stored), sent):
            assert image.size == ((200, 120) if orientation < 5 else (120, 200))
            assert colour_at(image, corner(first_row, first_column)) == "red"
            assert colour_at(image, corner(first_row, opposite[first_column])) == "green"
            assert colour_at(image, corner(opposite[first_row], opposite[first_column])) == "blue"
            assert colour_at(image, corner(opposite[first_row], first_column)) == "white"


def test_an_upright_picture_is_made_smaller_only_when_it_has_too_many_bytes() -> None:
    out, limit = io.BytesIO(), 5 * 1024 * 1024
    Image.effect_noise((2700, 2100), 90).convert("RGB").save(out, "JPEG", quality=97)
    large = out.getvalue()
    assert limit < len(large) < 2 * limit
    fitted = fit_picture(large, limit=limit)
    assert len(fitted) <= limit
    with Image.open(io.BytesIO(fitted)) as image:
        assert image.width / image.height == pytest.approx(2700 / 2100, abs=0.01)
        assert image.width > 1000
    assert fit_picture(large, limit=len(large)) == large
    assert fit_picture(large, limit=len(large) - 1) != large
