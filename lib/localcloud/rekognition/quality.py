"""QualityFilter: which faces are good enough, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from localcloud.rekognition.detection import Portrait, portraits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from localcloud.rekognition.call import Call
    from localcloud.rekognition.faces import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The minimum that a face must reach.

    Attributes:
        confidence: of the detector, 0 to 100.
        angle: the largest yaw or pitch in degrees.
        brightness: 0 to 100.
        sharpness: 0 to 100.
        side: shortest side of the box in pixels.
        length: of the vector that the recogniser makes of the face.
    """

    confidence: float
    angle: float
    brightness: float
    sharpness: float
    side: float
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A face and the reason why it is not good enough, if any; its feature is computed only if needed."""

    portrait: Portrait
    reasons: list[str]
    feature: NDArray[np.float32] | None


# AWS's levels are not published. Ours are where degraded portraits stopped matching their originals: at LOW, their
# cosine with the good picture falls to about 0.5, near the values of different people.
BARS: Final = {
    "LOW": Bar(confidence=75, angle=60, brightness=4, sharpness=2, side=16, length=7.0),
    "MEDIUM": Bar(confidence=82, angle=45, brightness=12, sharpness=8, side=32, length=9.0),
    "HIGH": Bar(confidence=88, angle=30, brightness=20, sharpness=20, side=64, length=11.0),
}
AUTO_LEVEL: Final = "LOW"  # unknown: AWS chooses the bar of AUTO itself


def judge(call: Call, pixels: Image, level: str) -> list[Judged]:
    """Find the faces of a picture and compare each with a level of QualityFilter; the largest first."""
    bar = BARS.get(AUTO_LEVEL if level == "AUTO" else level)
    return [_judge(call, pixels, portrait, bar) for portrait in portraits(call, pixels)]


def _judge(call: Call, pixels: Image, portrait: Portrait, bar: Bar | None) -> Judged:
    reasons = [] if bar is None else _reasons(portrait, bar)
    if bar is None or reasons:
        return Judged(portrait=portrait, reasons=reasons, feature=None)
    feature = call.engine().feature(pixels, portrait.face)
    if float(np.linalg.norm(feature)) < bar.length:
        reasons.append("LOW_FACE_QUALITY")
    return Judged(portrait=portrait, reasons=reasons, feature=feature)


def _reasons(portrait: Portrait, bar: Bar) -> list[str]:
    failed = {
        "EXTREME_POSE": max(abs(portrait.pose.yaw), abs(portrait.pose.pitch)) > bar.angle,
        "LOW_BRIGHTNESS": portrait.quality.brightness < bar.brightness,
        "LOW_SHARPNESS": portrait.quality.sharpness < bar.sharpness,
        "LOW_CONFIDENCE": portrait.confidence < bar.confidence,
        "SMALL_BOUNDING_BOX": min(portrait.face.box[2:]) < bar.side,
    }
    return [reason for reason, holds in failed.items() if holds]
