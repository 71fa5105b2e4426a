"""Drawn people by number, as many as are needed; each number is always the same person."""

import io

from eduguard.portability.generation.dice import below, pick, stream
from eduguard.portability.generation.drawing.face import Colour, Face, Light, Pose
from eduguard.portability.generation.drawing.scene import draw_portrait
from eduguard.students import DRAWN_COMMENT

_SIZE = (200, 250)  # pixels: enough for a face engine, and five times as fast to draw as the sample photos
_QUALITY = 88
_POSE, _LIGHT, _BACKDROP = Pose(), Light(side=0.4, shadow=0.2), (170, 190, 205)

# The ranges of a face's measures.
_MEASURES = {
    "fringe": (-0.85, -0.35),
    "parting": (-0.65, 0.6),
    "head_height": (1.05, 1.45),
    "jaw": (0.25, 1.15),
    "ears": (0.7, 1.35),
    "eye_spacing": (0.33, 0.49),
    "eye_width": (0.16, 0.28),
    "eye_height": (0.045, 0.12),
    "eye_tilt": (-0.2, 0.3),
    "eye_y": (-0.13, 0.05),
    "iris_size": (0.075, 0.11),
    "lid": (0.01, 0.04),
    "brow_y": (0.16, 0.31),
    "brow_length": (0.26, 0.52),
    "brow_thickness": (0.015, 0.065),
    "brow_arch": (0, 0.13),
    "brow_tilt": (-0.12, 0.08),
    "nose_y": (0.2, 0.38),
    "nose_width": (0.13, 0.3),
    "nose_shadow": (0.2, 0.95),
    "mouth_y": (0.47, 0.68),
    "mouth_width": (0.2, 0.36),
    "upper_lip": (0.015, 0.075),
    "lower_lip": (0.03, 0.09),
    "smile": (0.3, 0.85),
    "cheeks": (0.1, 0.5),
    "sockets": (0.08, 0.42),
}
_SKINS: tuple[Colour, ...] = (
    (120, 78, 54),
    (150, 100, 70),
    (198, 134, 90),
    (224, 172, 130),
    (232, 184, 142),
    (241, 194, 160),
    (248, 214, 184),
    (96, 62, 44),
)
_HAIRS: tuple[Colour, ...] = (
    (140, 90, 45),
    (25, 20, 20),
    (50, 32, 24),
    (90, 56, 32),
    (190, 150, 90),
    (120, 50, 30),
)
_IRISES: tuple[Colour, ...] = ((40, 28, 20), (60, 90, 60), (70, 45, 25), (95, 60, 30), (70, 100, 140))
_LIPS: tuple[Colour, ...] = ((120, 55, 55), (170, 80, 80), (200, 100, 100), (215, 130, 120))
_FRAMES: tuple[Colour, ...] = ((150, 120, 60), (20, 20, 20), (40, 60, 120), (120, 30, 40))
_JUMPERS: tuple[Colour, ...] = ((120, 30, 40), (30, 100, 70), (30, 60, 120), (90, 90, 100), (130, 100, 40))
_STYLES = ("short", "cropped", "bob", "long", "curly", "tied")
_GLASSES = ("none", "none", "round", "square", "thin")


def make_face(number: int) -> Face:
    """Return the person with a number."""
    draw = stream("face", number)
    measures = {name: round(least + (most - least) * draw(), 3) for name, (least, most) in _MEASURES.items()}
    return Face(
        **measures,
        skin=pick(draw, _SKINS),
        hair=pick(draw, _HAIRS),
        iris=pick(draw, _IRISES),
        lips=pick(draw, _LIPS),
        hair_style=pick(draw, _STYLES),
        glasses=pick(draw, _GLASSES),
        glasses_colour=pick(draw, _FRAMES),
        jumper=pick(draw, _JUMPERS),
        freckles=0.7 if draw() < 0.15 else 0,
        seed=below(draw, 1_000_000),
    )


def draw_anybody(number: int) -> bytes:
    """Return a portrait of the person with a number as a JPEG file; drawing it again gives the same file."""
    picture = draw_portrait(make_face(number), _POSE, _LIGHT, _BACKDROP, _SIZE)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, comment=DRAWN_COMMENT)
    return content.getvalue()
