"""A layer to draw a head on; points of the face are rotated in space before they are drawn."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from eduguard.portability.generation.drawing.face import Colour, Pose

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """A transparent layer, and the head's place on it: middle, half width and half height in pixels, and pose."""

    layer: Image.Image
    middle: Point
    half_width: float
    half_height: float
    pose: Pose

    def at(self, x: float, y: float) -> Point:
        """Return the pixel of a point of the face, rotated by yaw and pitch as on a ball."""
        depth = math.sqrt(max(0.05, 1.0 - 0.8 * x * x - 0.35 * y * y))
        yaw, pitch = math.radians(self.pose.yaw), math.radians(self.pose.pitch)
        turned = x * math.cos(yaw) + depth * math.sin(yaw) * 0.8
        tilted = y * math.cos(pitch) + depth * math.sin(pitch) * 0.5
        return (self.middle[0] + turned * self.half_width, self.middle[1] + tilted * self.half_height)

    def polygon(self, points: Iterable[Point], colour: Colour, *, opacity: float = 1.0, blur: float = 0.0) -> None:
        """Fill a shape of the face; blur is in half widths."""
        mask = Image.new("L", self.layer.size, 0)
        ImageDraw.Draw(mask).polygon([self.at(*point) for point in points], fill=round(255 * opacity))
        self.paint(mask, colour, blur=blur)

    def paint(self, mask: Image.Image, colour: Colour, *, blur: float = 0.0) -> None:
        """Paint a colour over the masked part of what has been drawn."""
        box = mask.getbbox()
        if box is None:
            return
        reach = math.ceil(4 * blur * self.half_width)  # a blur has no effect beyond four of its radii
        left, top = max(0, box[0] - reach), max(0, box[1] - reach)
        patch = mask.crop((left, top, min(mask.width, box[2] + reach), min(mask.height, box[3] + reach)))
        if blur:
            patch = patch.filter(ImageFilter.GaussianBlur(blur * self.half_width))
        filled = Image.merge("RGBA", (*(Image.new("L", patch.size, c) for c in colour), patch))
        self.layer.alpha_composite(filled, (left, top))

    def ellipse(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: Colour,
        *,
        opacity: float = 1.0,
        blur: float = 0.0,
    ) -> None:
        """Fill an ellipse of the face; width and height are its half axes."""
        self.polygon(ellipse(x, y, width, height), colour, opacity=opacity, blur=blur)

    def stroke(
        self,
        points: Sequence[Point],
        thickness: Sequence[float],
        colour: Colour,
        *,
        opacity: float = 1.0,
        blur: float = 0.0,
    ) -> None:
        """Draw a line whose half thickness varies from point to point."""
        upper = [(x, y - t) for (x, y), t in zip(points, thickness, strict=True)]
        lower = [(x, y + t) for (x, y), t in zip(points, thickness, strict=True)]
        self.polygon([*upper, *reversed(lower)], colour, opacity=opacity, blur=blur)

    def mask(self, points: Iterable[Point]) -> Image.Image:
        """Return the mask of a shape of the face."""
        mask = Image.new("L", self.layer.size, 0)
        ImageDraw.Draw(mask).polygon([self.at(*point) for point in points], fill=255)
        return mask


def ellipse(x: float, y: float, width: float, height: float, steps: int = 40) -> list[Point]:
    """Return the points of an ellipse."""
    return [
        (x + width * math.cos(2 * math.pi * i / steps), y + height * math.sin(2 * math.pi * i / steps))
        for i in range(steps)
    ]


def curve(x0: float, x1: float, height: Callable[[float], float], steps: int = 24) -> list[Point]:
    """Return points from x0 to x1, with y as a function of the share of the way."""
    return [(x0 + (x1 - x0) * i / steps, height(i / steps)) for i in range(steps + 1)]


def both(first: Image.Image, second: Image.Image) -> Image.Image:
    """Return the intersection of two masks."""
    return ImageChops.multiply(first, second)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Return a colour mixed with a share of another."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return (red, green, blue)
