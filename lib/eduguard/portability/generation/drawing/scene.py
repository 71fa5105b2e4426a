"""Put drawn people in front of something: a plain backdrop, or a classroom."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from eduguard.portability.generation.drawing.canvas import mix
from eduguard.portability.generation.drawing.face import WHITE, Colour, Face, Light, Pose
from eduguard.portability.generation.drawing.portrait import draw_person

PORTRAIT = (480, 600)
CLASS_PHOTO = (1600, 900)
_TILE = (460, 1000)
# How each student in the class photo holds their head: roll and yaw in degrees.
_HELD = ((-3.0, 5.0), (0.0, 5.0), (-5.0, 8.0), (-3.0, -5.0), (0.0, 5.0), (3.0, -5.0))


def draw_portrait(
    face: Face, pose: Pose, light: Light, backdrop: Colour, size: tuple[int, int] = PORTRAIT
) -> Image.Image:
    """Return a portrait in front of a backdrop that gets lighter towards the top."""
    picture = gradient(size, mix(backdrop, WHITE, 0.35), backdrop)
    person = draw_person(size, face, pose, light)
    picture.paste(person, mask=person)
    return picture


def draw_class_photo(faces: list[Face]) -> Image.Image:
    """Return a picture of the whole class, six people in two rows, the back row first."""
    picture = draw_classroom()
    light = Light(side=-0.5, shadow=0.18)
    for number, (face, (roll, yaw)) in enumerate(zip(faces, _HELD, strict=True)):
        row, place = divmod(number, len(faces) // 2)
        person = draw_person(_TILE, face, Pose(x=0.5, y=0.29, size=0.25, roll=roll, yaw=yaw), light)
        left = round((place + 0.5) * CLASS_PHOTO[0] * 2 / len(faces) - _TILE[0] / 2) + (70 if row else -70)
        picture.paste(person, (left, 250 if row else -60), mask=person)
    return picture


def draw_classroom() -> Image.Image:
    """Return an empty classroom with a blackboard and a window."""
    picture = gradient(CLASS_PHOTO, (236, 228, 208), (206, 192, 166))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((560, 60, 1240, 380), fill=(122, 84, 52))
    draw.rectangle((578, 78, 1222, 362), fill=(42, 84, 66))
    for row in range(4):
        draw.line((640, 130 + 60 * row, 1130 - 70 * row, 130 + 60 * row), fill=(186, 205, 192), width=5)
    draw.rectangle((90, 50, 400, 400), fill=(250, 250, 245))
    for column in (0, 1):
        draw.rectangle((106 + column * 146, 66, 238 + column * 146, 384), fill=(168, 206, 230))
    draw.rectangle((0, 640, 1600, 900), fill=(150, 116, 82))
    return picture.filter(ImageFilter.GaussianBlur(2))


def gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    """Return a picture that passes from one colour to another."""
    share = np.linspace(0.0, 1.0, size[1])[:, None, None]
    rows = np.asarray(top) * (1 - share) + np.asarray(bottom) * share
    return Image.fromarray(np.broadcast_to(rows.round().astype(np.uint8), (size[1], size[0], 3)).copy(), "RGB")
