"""A face in a picture: its box, its landmarks, and their alignment for the recogniser."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image: TypeAlias = NDArray[np.uint8]
    """Pixels in OpenCV's order: shape (height, width, 3), blue first."""

COVERED: Final = 0.5  # share of the smaller box: two boxes that overlap more are one face
# The positions of the landmarks in SFace's training, in a square of this side.
ALIGNED_SIDE: Final = 112
_ALIGNED_LANDMARKS: Final = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face of a picture, in pixels of that picture.

    Attributes:
        box: left, top, width, height; may extend beyond the edges.
        landmarks: the person's right eye, left eye, nose tip, right and left corner of the mouth.
        score: the detector's confidence, 0 to 1.
        feature: the recogniser's vector, if it was computed already.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    score: float
    feature: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        return self.box[2] * self.box[3]


def without_repeats(faces: list[Face]) -> list[Face]:
    """Of faces that mostly cover each other, keep the one with the highest score."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if not any(cover_each_other(face, other) for other in kept):
            kept.append(face)
    return kept


def cover_each_other(one: Face, other: Face, limit: float = COVERED) -> bool:
    """Say whether two boxes overlap by at least this share of the smaller one."""
    return _shared(one, other) >= limit * min(one.area, other.area)


def _shared(one: Face, other: Face) -> float:
    """Return the square pixels that two boxes have in common."""
    sides = (
        min(one.box[axis] + one.box[axis + 2], other.box[axis] + other.box[axis + 2])
        - max(one.box[axis], other.box[axis])
        for axis in (0, 1)
    )
    return math.prod(max(0.0, side) for side in sides)


def alignment(face: Face) -> NDArray[np.float64]:
    """Find the rotation, scale and shift (2 by 3) that fits the landmarks to SFace's positions, by least squares."""
    # With points as complex numbers such a transform is z -> a z + b, and the best a is one quotient.
    source = np.array([complex(*point) for point in face.landmarks])
    target = np.array([complex(*point) for point in _ALIGNED_LANDMARKS])
    centred = source - source.mean()
    turn = np.vdot(centred, target) / max(np.vdot(centred, centred).real, np.finfo(np.float64).tiny)
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
