"""Draw a head and shoulders on a transparent layer, feature by feature, from back to front."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from eduguard.portability.generation.drawing.canvas import Canvas, both, curve, ellipse, mix
from eduguard.portability.generation.drawing.face import BLACK, WHITE, Face, Light, Pose
from eduguard.portability.generation.drawing.headwear import draw_back_hair, draw_front_hair, draw_glasses

OVERSAMPLING = 2


def draw_person(size: tuple[int, int], face: Face, pose: Pose, light: Light) -> Image.Image:
    """Return a transparent picture of this size with the person in it."""
    # Three layers: the head and the hair behind it tilt, but the body between them does not.
    back, body, head = (_canvas(size, face, pose) for _ in range(3))
    draw_back_hair(back, face)
    draw_body(body, face)
    for draw in (
        draw_ears,
        draw_head,
        draw_shade,
        draw_cheeks,
        draw_nose,
        draw_mouth,
        draw_eyes,
        draw_brows,
        draw_front_hair,
        draw_glasses,
    ):
        draw(head, face)
    person = _canvas(size, face, pose)
    for layer in (_tilted(back), body.layer, _tilted(head)):
        person.layer.alpha_composite(layer)
    return light_layer(person, light).resize(size, Image.Resampling.LANCZOS)


def _canvas(size: tuple[int, int], face: Face, pose: Pose) -> Canvas:
    width, height = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    half_width = pose.size * width
    return Canvas(
        layer=Image.new("RGBA", (width, height), (0, 0, 0, 0)),
        middle=(pose.x * width, pose.y * height),
        half_width=half_width,
        half_height=half_width * face.head_height,
        pose=pose,
    )


def _tilted(canvas: Canvas) -> Image.Image:
    return canvas.layer.rotate(canvas.pose.roll, resample=Image.Resampling.BICUBIC, center=canvas.middle)


def draw_body(canvas: Canvas, face: Face) -> None:
    """Draw neck, shoulders and a jumper with a collar."""
    draw = ImageDraw.Draw(canvas.layer)
    x, y = canvas.middle
    w, h = canvas.half_width, canvas.half_height
    shade = mix(face.skin, BLACK, 0.25)
    draw.polygon(
        [
            (x - 0.42 * w, y + 0.5 * h),
            (x + 0.42 * w, y + 0.5 * h),
            (x + 0.5 * w, y + 1.7 * h),
            (x - 0.5 * w, y + 1.7 * h),
        ],
        fill=shade,
    )
    shoulders = [
        (x - 1.75 * w, y + 9 * h),
        (x - 1.6 * w, y + 1.75 * h),
        (x - 1.2 * w, y + 1.45 * h),
        (x - 0.5 * w, y + 1.25 * h),
    ]
    mirrored = [(2 * x - px, py) for px, py in reversed(shoulders)]
    draw.polygon([*shoulders, (x, y + 1.62 * h), *mirrored], fill=face.jumper)
    collar = mix(face.jumper, WHITE, 0.8)
    for side in (-1, 1):
        draw.polygon(
            [
                (x + side * 0.5 * w, y + 1.2 * h),
                (x, y + 1.6 * h),
                (x + side * 0.3 * w, y + 1.78 * h),
                (x + side * 0.72 * w, y + 1.36 * h),
            ],
            fill=collar,
        )


def arc(share: float) -> float:
    """Return the height of half a wave, from 0 to 1 and back to 0; never below 0, so that callers can take roots."""
    return max(0.0, math.sin(math.pi * share))


def outline(face: Face) -> list[tuple[float, float]]:
    """Return the contour of the head."""
    points = []
    for i in range(72):
        angle = 2 * math.pi * i / 72
        x, y = math.sin(angle), -math.cos(angle)
        if y > 0:
            x = math.copysign(abs(x) ** (1.15 - 0.55 * face.jaw), x)
        points.append((x, y))
    return points


def draw_ears(canvas: Canvas, face: Face) -> None:
    """Draw the ears."""
    if face.hair_style in {"long", "bob"}:
        return
    for side in (-1, 1):
        canvas.ellipse(side * 1.0, face.eye_y + 0.12, 0.14 * face.ears, 0.22 * face.ears, mix(face.skin, BLACK, 0.12))
        canvas.ellipse(
            side * 1.01, face.eye_y + 0.12, 0.07 * face.ears, 0.13 * face.ears, mix(face.skin, BLACK, 0.3), blur=0.02
        )


def draw_head(canvas: Canvas, face: Face) -> None:
    """Draw the head's shape."""
    canvas.polygon(outline(face), face.skin)


def draw_shade(canvas: Canvas, face: Face) -> None:
    """Shade the head like a ball, and its eye sockets."""
    head = canvas.mask(outline(face))
    rim = Image.new("L", canvas.layer.size, 255)
    inner = canvas.mask([(0.86 * x, 0.9 * y - 0.03) for x, y in outline(face)])
    rim.paste(0, mask=inner)
    soft = rim.filter(ImageFilter.GaussianBlur(0.13 * canvas.half_width))
    canvas.paint(both(head, soft.point(lambda v: round(v * 0.5))), mix(face.skin, (90, 40, 25), 0.6))
    canvas.ellipse(0, -0.45, 0.5, 0.3, mix(face.skin, WHITE, 0.5), opacity=0.35, blur=0.18)
    canvas.ellipse(0, 0.84, 0.22, 0.1, mix(face.skin, WHITE, 0.4), opacity=0.35, blur=0.08)
    canvas.ellipse(0, face.mouth_y + 0.17, 0.3, 0.04, mix(face.skin, BLACK, 0.5), opacity=0.4, blur=0.05)
    for side in (-1, 1):
        canvas.ellipse(
            side * face.eye_spacing,
            face.eye_y - 0.03,
            face.eye_width * 1.5,
            0.17,
            mix(face.skin, (60, 25, 20), 0.8),
            opacity=face.sockets,
            blur=0.07,
        )


def draw_cheeks(canvas: Canvas, face: Face) -> None:
    """Draw red cheeks and freckles."""
    for side in (-1, 1):
        canvas.ellipse(side * 0.55, 0.32, 0.25, 0.18, mix(face.skin, (220, 70, 60), 0.6), opacity=face.cheeks, blur=0.1)
    random = np.random.default_rng(face.seed)
    for _ in range(round(70 * face.freckles)):
        x, y = random.normal(0, 0.42), random.normal(0.2, 0.12)
        if abs(x) < 0.85:
            radius = random.uniform(0.012, 0.024)
            canvas.ellipse(x, y, radius, radius, mix(face.skin, (120, 60, 30), 0.6), opacity=0.7)


def draw_nose(canvas: Canvas, face: Face) -> None:
    """Draw bridge, tip, wings and nostrils."""
    w, y = face.nose_width, face.nose_y
    dark = mix(face.skin, (70, 30, 20), 0.75)
    for side in (-1, 1):
        bridge = curve(side * 0.1, side * w * 0.75, lambda t: face.eye_y + (y - 0.04 - face.eye_y) * t)
        canvas.stroke(bridge, [0.03] * len(bridge), dark, opacity=face.nose_shadow * 0.6, blur=0.04)
        canvas.ellipse(side * w * 0.82, y, w * 0.34, 0.07, dark, opacity=face.nose_shadow * 0.7, blur=0.025)
        canvas.ellipse(side * w * 0.5, y + 0.045, w * 0.26, 0.028, mix(dark, BLACK, 0.5), opacity=0.85, blur=0.012)
    canvas.ellipse(0, y + 0.085, w * 0.8, 0.03, dark, opacity=face.nose_shadow * 0.8, blur=0.03)
    canvas.ellipse(
        0, (face.eye_y + y) / 2 - 0.02, 0.05, (y - face.eye_y) / 2, mix(face.skin, WHITE, 0.6), opacity=0.45, blur=0.035
    )
    canvas.ellipse(0, y - 0.04, w * 0.4, 0.05, mix(face.skin, WHITE, 0.65), opacity=0.5, blur=0.03)


def draw_mouth(canvas: Canvas, face: Face) -> None:
    """Draw the lips, the line between them and, when open, the teeth."""
    w, y = face.mouth_width, face.mouth_y
    smile, gap = face.smile + canvas.pose.smile, canvas.pose.open_mouth

    def line(t: float) -> float:
        return y - smile * 0.13 * (2 * t - 1) ** 2 + smile * 0.03

    def upper(t: float) -> float:
        bow = 1.0 - 0.35 * math.exp(-(((t - 0.5) / 0.09) ** 2))
        return line(t) - face.upper_lip * bow * math.pow(arc(t), 0.8) - gap * 0.4 * arc(t)

    def lower(t: float) -> float:
        return line(t) + face.lower_lip * math.pow(arc(t), 0.9) + gap * arc(t)

    canvas.polygon([*curve(-w, w, upper), *reversed(curve(-w, w, lower))], face.lips)
    canvas.ellipse(
        0, y + face.lower_lip * 0.55 + gap, w * 0.45, 0.018, mix(face.lips, WHITE, 0.6), opacity=0.6, blur=0.02
    )
    middle = curve(-w, w, line)
    if gap:
        top = curve(-0.9 * w, 0.9 * w, lambda t: line(t) - gap * 0.35 * math.sin(math.pi * t))
        bottom = curve(-0.9 * w, 0.9 * w, lambda t: line(t) + gap * 0.85 * math.sin(math.pi * t))
        canvas.polygon([*top, *reversed(bottom)], (110, 40, 40))
        teeth = curve(-0.9 * w, 0.9 * w, lambda t: line(t) + gap * 0.3 * math.sin(math.pi * t))
        canvas.polygon([*top, *reversed(teeth)], WHITE)
    else:
        canvas.stroke(
            middle, [0.012 + 0.012 * math.sin(math.pi * i / 24) for i in range(25)], mix(face.lips, BLACK, 0.65)
        )
    for side in (-1, 1):
        canvas.ellipse(side * (w + 0.02), line(1.0), 0.03, 0.03, mix(face.skin, BLACK, 0.5), opacity=0.5, blur=0.02)


def draw_eyes(canvas: Canvas, face: Face) -> None:
    """Draw whites, irises, pupils, lids and lashes."""
    w, h = face.eye_width, face.eye_height
    for side in (-1, 1):
        x, y = side * face.eye_spacing, face.eye_y

        def tilt(t: float, side: int = side) -> float:
            return -side * face.eye_tilt * (t - 0.5) * 2 * w

        def upper(t: float, y: float = y) -> float:
            return y + tilt(t) - h * math.pow(arc(t), 0.75)

        def lower(t: float, y: float = y) -> float:
            return y + tilt(t) + 0.75 * h * math.pow(arc(t), 0.9)

        top, bottom = curve(x - w, x + w, upper), curve(x - w, x + w, lower)
        almond = [*top, *reversed(bottom)]
        canvas.polygon(almond, WHITE)
        opening = canvas.mask(almond)
        ratio = canvas.half_width / canvas.half_height
        for radius, colour in ((1.0, mix(face.iris, BLACK, 0.5)), (0.86, face.iris), (0.45, BLACK)):
            r = face.iris_size * radius
            canvas.paint(both(opening, canvas.mask(ellipse(x, y - 0.1 * h, r, r * ratio))), colour)
        canvas.ellipse(x + 0.03, y - 0.35 * h, 0.02, 0.02, WHITE)
        thickness = [face.lid * (0.4 + 0.6 * math.sin(math.pi * i / 24)) for i in range(25)]
        canvas.stroke(top, thickness, mix(face.hair, BLACK, 0.75))
        canvas.stroke(bottom, [0.006] * 25, mix(face.skin, BLACK, 0.5))
        crease = [(px, py - 0.06) for px, py in top]
        canvas.stroke(
            crease,
            [0.01 * math.sin(math.pi * i / 24) for i in range(25)],
            mix(face.skin, BLACK, 0.5),
            opacity=0.7,
            blur=0.008,
        )


def draw_brows(canvas: Canvas, face: Face) -> None:
    """Draw the eyebrows."""
    for side in (-1, 1):
        inner, outer = (
            side * (face.eye_spacing - face.brow_length * 0.55),
            side * (face.eye_spacing + face.brow_length * 0.6),
        )
        y = face.eye_y - face.brow_y

        def height(t: float, y: float = y) -> float:
            return y - face.brow_arch * math.sin(math.pi * (0.15 + 0.75 * t)) - face.brow_tilt * (t - 0.5)

        brow = curve(inner, outer, height)
        canvas.stroke(
            brow,
            [face.brow_thickness * (1.05 - 0.75 * (i / 24) ** 1.5) for i in range(25)],
            mix(face.hair, BLACK, 0.35),
            opacity=0.92,
            blur=0.008,
        )


def light_layer(canvas: Canvas, light: Light) -> Image.Image:
    """Return the layer lit by the light: darker on the far side, warmer or cooler."""
    pixels = np.asarray(canvas.layer, dtype=np.float32)
    x = (np.arange(pixels.shape[1], dtype=np.float32) - canvas.middle[0]) / canvas.half_width
    across = 1.0 - light.shadow * np.clip(0.5 - 0.5 * x * light.side, 0.0, 1.0)
    tint = np.array([1.0 + 0.06 * light.warmth, 1.0, 1.0 - 0.08 * light.warmth], dtype=np.float32)
    pixels[..., :3] = np.clip(pixels[..., :3] * across[None, :, None] * light.brightness * tint, 0, 255)
    return Image.fromarray(pixels.round().astype(np.uint8), "RGBA")
