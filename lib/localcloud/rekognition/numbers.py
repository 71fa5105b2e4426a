"""Rekognition's numbers: float32 everywhere, and rounded once more when they are stored.

What IndexFaces returns and what ListFaces returns later are not equal; documented examples and recorded answers agree.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

Box: TypeAlias = dict[str, float]


def single(number: float) -> float:
    """Round to the nearest float32, as every number of an answer is."""
    return float(np.float32(number))


def stored_ratio(number: float) -> float:
    """Round a ratio of a bounding box as storing does: to six significant digits."""
    return single(float(f"{number:.6g}"))


def stored_confidence(confidence: float) -> float:
    """Round a percentage as storing does: its fraction is kept to six decimals and scaled in float32."""
    return float(np.float32(round(confidence / 100, 6)) * np.float32(100))


def stored_box(box: Box) -> Box:
    """Round the four ratios of a bounding box as storing does."""
    return {name: stored_ratio(number) for name, number in box.items()}
