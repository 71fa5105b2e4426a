"""Rekognition's numbers: float32 everywhere, and rounded again when they are stored.

So IndexFaces and a later ListFaces return different numbers, as documented examples and recorded answers do.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

Box: TypeAlias = dict[str, float]


def write_json(value: Any) -> str:
    """Write compact JSON whose numbers are in Java's form: 100.0, 3.1391781521961093E-4, 1.533422155042E9."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(name)}:{write_json(item)}' for name, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(write_json, value))}]"
    return _java(value) if isinstance(value, float) else json.dumps(value)


def _java(number: float) -> str:
    """Write a number as Double.toString does: with an exponent if it is below 1e-3, or 1e7 or more."""
    if number == 0 or 1e-3 <= abs(number) < 1e7:  # noqa: PLR2004 -- the limits of Double.toString
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    text = "".join(map(str, digits))
    power = len(text) - 1 + int(exponent)
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{power}"


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
