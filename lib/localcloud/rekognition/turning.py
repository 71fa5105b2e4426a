"""Rotated faces: find which way is up by turning the picture until a face looks right.

The detector was trained on upright faces. Up to about 45 degrees it finds faces, but with wrong landmarks. In faces
that are upside down it finds eyes and mouths in wrong places. It does not find faces that lie on their side. A vector
made from wrong landmarks is meaningless. So a face is trusted if its score is high and it is upright. Otherwise the
picture is turned by the angle of the landmarks, and by quarter turns. The orientation in which the recogniser sees a
face most clearly is kept.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from localcloud.rekognition.faces import COVERED, Face, alignment, cover_each_other

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from localcloud.rekognition.faces import Image

    Find = Callable[[Image], list[Face]]
    Feature = Callable[[Image, Face], NDArray[np.float32]]
    Matrix = NDArray[np.float64]

# Measured on public-domain portraits in every quarter turn: 0.94 or more if upright, otherwise 0.90 at most.
_SURE: Final = 0.92
# Length of the recogniser's vector for them: 11.9 or more if upright, otherwise 8.4 at most.
_SEEN: Final = 9.5
_NOTHING: Final = 4.0  # below this it is not a face; a face so blurred that it was barely found had 4.6
_UPRIGHT: Final = 12.0  # degrees within which landmarks are good
_STRAIGHT: Final = 5.0  # degrees; a face is turned again until less than this is left
_TOUCHED: Final = 0.1  # of the smaller box
_TURNS: Final = 3  # how often a face is examined again, each time turned by the remaining angle
_CANVAS: Final = 400  # pixels; the side of the canvas in which a face is examined again
_FACE: Final = 180  # pixels; the size of the face on the canvas


def find_in_every_orientation(image: Image, find: Find, feature: Feature) -> list[Face]:
    """Find the faces of a picture in any orientation.

    Args:
        image: the picture.
        find: finds upright faces.
        feature: makes the vector of a face.
    """
    faces = [_straighten(image, face, find) for face in find(image)]
    if faces and all(map(_is_believed, faces)):
        return faces
    candidates = [_seen(image, face, feature) for face in faces]
    if not candidates or not all(_length(face) >= _SEEN for face in candidates):
        for quarter in (1, 2, 3):
            candidates += _find_turned(image, quarter, find, feature)
    return _best_of_each_place(candidates, faces)


def _is_believed(face: Face) -> bool:
    return face.score >= _SURE and abs(_roll(face)) <= _UPRIGHT


def _find_turned(image: Image, quarter: int, find: Find, feature: Feature) -> list[Face]:
    import cv2

    codes = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
    turned = np.asarray(cv2.rotate(image, codes[quarter]), np.uint8)  # five times as fast as numpy
    back = _quarter_back(quarter, image.shape[1], image.shape[0])
    found = (_mapped(face, back) for face in find(turned))
    return [_seen(image, _straighten(image, face, find), feature) for face in found]


def _best_of_each_place(candidates: Sequence[Face], upright: Sequence[Face]) -> list[Face]:
    """Of the candidates for one place, keep the one that is seen most clearly.

    A candidate that is not clear must have been found upright, and must not overlap the clear ones.
    """
    kept: list[Face] = []
    for face in sorted(candidates, key=_length, reverse=True):
        if _length(face) < _NOTHING:
            break
        is_clear = _length(face) >= _SEEN
        limit = COVERED if is_clear else _TOUCHED
        if any(cover_each_other(face, other, limit) for other in kept):
            continue
        if is_clear or any(cover_each_other(face, other) for other in upright):
            kept.append(face)
    return kept


def _straighten(image: Image, face: Face, find: Find) -> Face:
    """Examine a face again, turned by the angle of its landmarks, until it is upright."""
    import cv2

    for turn in range(_TURNS):
        roll = _roll(face)
        if turn == 0 and abs(roll) <= _UPRIGHT:
            return face
        there = _onto_canvas(face, roll)
        canvas = cv2.warpAffine(image, there, (_CANVAS, _CANVAS), borderMode=cv2.BORDER_REPLICATE)
        seen = [found for found in find(np.asarray(canvas, np.uint8)) if _is_in_the_middle(found)]
        if not seen:
            return face
        best = max(seen, key=lambda found: found.score)
        left = _roll(best)
        face = _mapped(best, np.asarray(cv2.invertAffineTransform(there), np.float64))
        if abs(left) <= _STRAIGHT:
            return face
    return face


def _seen(image: Image, face: Face, feature: Feature) -> Face:
    return face if face.feature is not None else replace(face, feature=feature(image, face))


def _length(face: Face) -> float:
    return 0.0 if face.feature is None else float(np.linalg.norm(face.feature))


def _roll(face: Face) -> float:
    """Return the clockwise rotation of a face in degrees, from all five landmarks."""
    matrix = alignment(face)
    return -math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))


def _onto_canvas(face: Face, roll: float) -> Matrix:
    """Return the rotation, scale and shift (2 by 3) that puts a face upright into the middle of the canvas."""
    left, top, width, height = face.box
    scale = _FACE / max(width, height, 1.0)
    turn = scale * np.exp(-1j * math.radians(roll))
    shift = complex(_CANVAS / 2, _CANVAS / 2) - turn * complex(left + width / 2, top + height / 2)
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _is_in_the_middle(face: Face) -> bool:
    left, top, width, height = face.box
    return left < _CANVAS / 2 < left + width and top < _CANVAS / 2 < top + height


def _quarter_back(quarter: int, width: int, height: int) -> Matrix:
    """Return the map (2 by 3) from a picture turned counter-clockwise by quarters back to the original picture."""
    maps = {
        1: [[0, -1, width], [1, 0, 0]],
        2: [[-1, 0, width], [0, -1, height]],
        3: [[0, 1, 0], [-1, 0, height]],
    }
    return np.array(maps[quarter], np.float64)


def _mapped(face: Face, matrix: Matrix) -> Face:
    """Return a face in other coordinates; its box is the upright one around it."""
    left, top, width, height = face.box
    corners = [(left, top), (left + width, top), (left, top + height), (left + width, top + height)]
    moved = _moved(corners, matrix)
    low, high = moved.min(axis=0), moved.max(axis=0)
    return replace(
        face,
        box=(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])),
        landmarks=tuple((float(x), float(y)) for x, y in _moved(face.landmarks, matrix)),
        feature=None,
    )


def _moved(points: Sequence[tuple[float, float]], matrix: Matrix) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = np.array(points) @ matrix[:, :2].T + matrix[:, 2]
    return moved
