"""Draw what is worn on the head: hair and glasses."""

import math

import numpy as np
from PIL import Image, ImageDraw

from eduguard.portability.generation.drawing.canvas import Canvas, both, curve, ellipse, mix
from eduguard.portability.generation.drawing.face import BLACK, WHITE, Face


def draw_back_hair(canvas: Canvas, face: Face) -> None:
    """Draw the hair behind the head."""
    dark = mix(face.hair, BLACK, 0.3)
    if face.hair_style == "long":
        canvas.polygon([*ellipse(0, -0.2, 1.22, 1.05)[20:], (1.25, 1.45), (0.6, 1.5), (-0.6, 1.5), (-1.25, 1.45)], dark)
    elif face.hair_style == "bob":
        canvas.polygon(
            [*ellipse(0, -0.15, 1.25, 1.1)[20:], (1.28, 0.75), (0.9, 0.95), (-0.9, 0.95), (-1.28, 0.75)], dark
        )
    elif face.hair_style == "curly":
        for i in range(26):
            angle = math.pi * (1.02 + i / 25 * 1.06) - 0.08
            canvas.ellipse(1.08 * math.cos(angle), -0.12 + 1.05 * math.sin(angle), 0.3, 0.26, dark)
    elif face.hair_style == "tied":
        canvas.ellipse(0, -1.18, 0.42, 0.3, dark)
        canvas.ellipse(0, -0.2, 1.08, 0.98, dark)
    else:
        canvas.ellipse(0, -0.22, 1.07, 0.92, dark)


def draw_front_hair(canvas: Canvas, face: Face) -> None:
    """Draw the hair over the forehead and its strands."""

    def hairline(t: float) -> float:
        x = 2 * t - 1
        rise = 0.5 * abs(x) ** 3 if face.hair_style in {"short", "cropped", "tied"} else 0.25 * x * x
        return face.fringe - 0.22 * math.exp(-(((x - face.parting) / 0.35) ** 2)) + rise

    top = -1.06 if face.hair_style == "cropped" else -1.16
    cap = [(1.03 * math.cos(a), top * abs(math.sin(a)) ** 0.85) for a in (math.pi * i / 40 for i in range(41))]
    fringe = curve(-1.03, 1.03, hairline, steps=40)
    canvas.polygon([*cap, *fringe], face.hair)
    if face.hair_style in {"long", "bob"}:
        for side in (-1, 1):
            length = 1.3 if face.hair_style == "long" else 0.8
            canvas.polygon(
                [
                    (side * 0.82, -0.6),
                    (side * 1.12, -0.5),
                    (side * 1.25, length),
                    (side * 0.95, length + 0.05),
                    (side * 0.9, 0.2),
                ],
                face.hair,
            )
    if face.hair_style == "curly":
        for i in range(17):
            x = -0.95 + 1.9 * i / 16
            canvas.ellipse(x, hairline((x + 1) / 2) - 0.05, 0.17, 0.13, mix(face.hair, BLACK, 0.1 * (i % 3)))
    draw_strands(canvas, face, both(canvas.mask([*cap, *fringe]), canvas.layer.getchannel("A")))


def draw_strands(canvas: Canvas, face: Face, where: Image.Image) -> None:
    """Draw single hairs, lighter and darker, inside a mask."""
    random = np.random.default_rng(face.seed + 1)
    for shade, count in ((WHITE, 28), (BLACK, 28)):
        strands = Image.new("L", canvas.layer.size, 0)
        draw = ImageDraw.Draw(strands)
        for _ in range(count):
            x = random.uniform(-0.98, 0.98)
            start = canvas.at(x * 0.4 + face.parting * 0.3, -1.12)
            end = canvas.at(x, face.fringe + random.uniform(-0.1, 0.25))
            draw.line([start, end], fill=70, width=max(1, round(0.016 * canvas.half_width)))
        canvas.paint(both(strands, where), mix(face.hair, shade, 0.6), blur=0.004)


def draw_glasses(canvas: Canvas, face: Face) -> None:
    """Draw the glasses."""
    if face.glasses == "none":
        return
    thickness = 0.02 if face.glasses == "thin" else 0.042
    rx, ry = (0.29, 0.23) if face.glasses == "round" else (0.31, 0.19)
    for side in (-1, 1):
        x, y = side * face.eye_spacing, face.eye_y + 0.02
        shape = ellipse if face.glasses == "round" else rounded
        rim, lens = canvas.mask(shape(x, y, rx, ry)), canvas.mask(shape(x, y, rx - thickness, ry - thickness))
        frame = rim.copy()
        frame.paste(0, mask=lens)
        canvas.paint(frame, face.glasses_colour)
        canvas.paint(lens.point(lambda v: round(v * 0.08)), WHITE)
        canvas.stroke([(x + side * rx, y - 0.05), (side * 1.0, y - 0.08)], [thickness * 0.6] * 2, face.glasses_colour)
    bridge = curve(
        -face.eye_spacing + rx - 0.01, face.eye_spacing - rx + 0.01, lambda t: face.eye_y - 0.04 * math.sin(math.pi * t)
    )
    canvas.stroke(bridge, [thickness * 0.7] * len(bridge), face.glasses_colour)


def rounded(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """Return the points of a rectangle with round corners."""
    return [
        (
            x + width * math.copysign(abs(math.cos(a)) ** 0.5, math.cos(a)),
            y + height * math.copysign(abs(math.sin(a)) ** 0.5, math.sin(a)),
        )
        for a in (2 * math.pi * i / 48 for i in range(48))
    ]
