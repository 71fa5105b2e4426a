"""QualityFilter: which faces are good enough, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from localcloud.rekognition.detection import Portrait


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The least a face must reach.

    Attributes:
        confidence: of the detector, 0 to 100.
        angle: most degrees of yaw or pitch.
        brightness: 0 to 100.
        sharpness: 0 to 100.
        side: shortest side of the box in pixels.
    """

    confidence: float
    angle: float
    brightness: float
    sharpness: float
    side: float


# The levels of AWS are not published; these are ours.
BARS: Final = {
    "LOW": Bar(confidence=65, angle=70, brightness=5, sharpness=3, side=20),
    "MEDIUM": Bar(confidence=75, angle=50, brightness=15, sharpness=10, side=40),
    "HIGH": Bar(confidence=85, angle=30, brightness=25, sharpness=25, side=80),
}
AUTO_LEVEL: Final = "LOW"  # unknown: AWS chooses the bar of AUTO itself


def reasons_against(portrait: Portrait, level: str) -> list[str]:
    """Return why a face does not pass a level of QualityFilter; empty if it does."""
    if level == "NONE":
        return []
    bar = BARS[AUTO_LEVEL if level == "AUTO" else level]
    failed = {
        "EXTREME_POSE": max(abs(portrait.pose.yaw), abs(portrait.pose.pitch)) > bar.angle,
        "LOW_BRIGHTNESS": portrait.quality.brightness < bar.brightness,
        "LOW_SHARPNESS": portrait.quality.sharpness < bar.sharpness,
        "LOW_CONFIDENCE": portrait.confidence < bar.confidence,
        "SMALL_BOUNDING_BOX": min(portrait.face.box[2:]) < bar.side,
    }
    return [reason for reason, holds in failed.items() if holds]
