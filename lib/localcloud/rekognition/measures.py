"""Measurements of a face: pose, brightness, sharpness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from localcloud.rekognition.faces import Face, Image

# Millimetres of an average head: eyes, nose tip, corners of the mouth; x to the right of the picture, y down, z away.
_HEAD: Final = np.array([(-32, -36, 0), (32, -36, 0), (0, 5, -30), (-26.5, 38, -6), (26.5, 38, -6)], np.float64)
_MEDIUM_GREY: Final = 128.0
_CROP_SIDE: Final = 112  # pixels; sharpness is compared at one size
_SHARP_VARIANCE: Final = 500.0  # variance of the Laplacian at which sharpness is 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """The head's rotation in degrees: clockwise, to the right of the picture, and up."""

    roll: float
    yaw: float
    pitch: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Brightness and sharpness of a face, 0 to 100."""

    brightness: float
    sharpness: float


def measure_pose(face: Face) -> Pose:
    """Compute the head's rotation from the five landmarks."""
    points = np.array(face.landmarks, np.float64)
    head, seen = _HEAD - _HEAD.mean(axis=0), points - points.mean(axis=0)
    # Weak perspective: the picture is a scaled projection, so least squares gives two rows of a rotation.
    across, down = np.linalg.lstsq(head, seen, rcond=None)[0].T
    right = across / max(float(np.linalg.norm(across)), 1e-9)
    below = down - right * float(down @ right)
    below /= max(float(np.linalg.norm(below)), 1e-9)
    ahead = np.cross(right, below)
    return Pose(
        roll=math.degrees(math.atan2(-right[1], right[0])),
        yaw=math.degrees(math.asin(float(np.clip(-right[2], -1, 1)))),
        pitch=math.degrees(math.atan2(below[2], ahead[2])),
    )


def measure_quality(image: Image, face: Face) -> Quality:
    """Measure brightness and sharpness inside the box of a face."""
    import cv2

    grey = cv2.cvtColor(_crop(image, face), cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_CROP_SIDE, _CROP_SIDE), interpolation=cv2.INTER_AREA)
    mean = float(small.mean())
    # Normalised to one mean brightness, because a dark picture is not a blurred one.
    variance = float(cv2.Laplacian(small, cv2.CV_64F).var()) * (_MEDIUM_GREY / max(mean, 1.0)) ** 2
    return Quality(
        brightness=mean / 2.55,
        sharpness=100 * (1 - math.exp(-variance / _SHARP_VARIANCE)),
    )


def _crop(image: Image, face: Face) -> NDArray[np.uint8]:
    left, top, width, height = (round(number) for number in face.box)
    rows, columns = image.shape[:2]
    top, left = min(max(top, 0), rows - 1), min(max(left, 0), columns - 1)
    return image[top : max(top + height, top + 1), left : max(left + width, left + 1)]
