"""Attributes of a face that Rekognition returns but this engine does not measure: age, smile, ..., 25 more landmarks.

A caller that asks for them gets every key, in AWS's order and format. The values are constants, and their confidence
shows it: one half for true or false, one eighth for each of eight emotions. The landmarks are those of an average head,
fitted to the five that are found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HALF: Final = 50.0
_EMOTIONS: Final = ("CALM", "HAPPY", "SAD", "ANGRY", "CONFUSED", "DISGUSTED", "SURPRISED", "FEAR")


def _guess(value: object) -> dict[str, Any]:
    return {"Value": value, "Confidence": _HALF}


CONSTANTS: Final[Mapping[str, Any]] = {
    "AgeRange": {"Low": 0, "High": 100},
    "Smile": _guess(False),
    "Eyeglasses": _guess(False),
    "Sunglasses": _guess(False),
    "Gender": _guess("Female"),
    "Beard": _guess(False),
    "Mustache": _guess(False),
    "EyesOpen": _guess(True),
    "MouthOpen": _guess(False),
    "Emotions": [{"Type": name, "Confidence": 100 / len(_EMOTIONS)} for name in _EMOTIONS],
    "FaceOccluded": _guess(False),
    "EyeDirection": {"Yaw": 0.0, "Pitch": 0.0, "Confidence": _HALF},
}
# The value of Attributes that requests each one, in addition to ALL.
REQUESTED: Final[Mapping[str, str]] = {
    "AgeRange": "AGE_RANGE",
    "Smile": "SMILE",
    "Eyeglasses": "EYEGLASSES",
    "Sunglasses": "SUNGLASSES",
    "Gender": "GENDER",
    "Beard": "BEARD",
    "Mustache": "MUSTACHE",
    "EyesOpen": "EYES_OPEN",
    "MouthOpen": "MOUTH_OPEN",
    "Emotions": "EMOTIONS",
    "FaceOccluded": "FACE_OCCLUDED",
    "EyeDirection": "EYE_DIRECTION",
}
ORDER: Final = (
    "BoundingBox",
    "AgeRange",
    "Smile",
    "Eyeglasses",
    "Sunglasses",
    "Gender",
    "Beard",
    "Mustache",
    "EyesOpen",
    "MouthOpen",
    "Emotions",
    "Landmarks",
    "Pose",
    "Quality",
    "Confidence",
    "FaceOccluded",
    "EyeDirection",
)
# An average head; the unit is the distance between the pupils: x to the right, y down, the middle of the eyes at 0.
_FOUND: Final = (complex(-0.5, 0), complex(0.5, 0), complex(0, 0.62), complex(-0.42, 1.08), complex(0.42, 1.08))
_ADDED: Final[Mapping[str, complex]] = {
    "leftEyeBrowLeft": complex(-0.85, -0.25),
    "leftEyeBrowRight": complex(-0.25, -0.28),
    "leftEyeBrowUp": complex(-0.58, -0.38),
    "rightEyeBrowLeft": complex(0.25, -0.28),
    "rightEyeBrowRight": complex(0.85, -0.25),
    "rightEyeBrowUp": complex(0.58, -0.38),
    "leftEyeLeft": complex(-0.67, 0),
    "leftEyeRight": complex(-0.32, 0),
    "leftEyeUp": complex(-0.5, -0.06),
    "leftEyeDown": complex(-0.5, 0.06),
    "rightEyeLeft": complex(0.32, 0),
    "rightEyeRight": complex(0.67, 0),
    "rightEyeUp": complex(0.5, -0.06),
    "rightEyeDown": complex(0.5, 0.06),
    "noseLeft": complex(-0.2, 0.68),
    "noseRight": complex(0.2, 0.68),
    "mouthUp": complex(0, 0.98),
    "mouthDown": complex(0, 1.25),
    "leftPupil": complex(-0.5, 0),
    "rightPupil": complex(0.5, 0),
    "upperJawlineLeft": complex(-1.05, 0.05),
    "midJawlineLeft": complex(-0.85, 1.05),
    "chinBottom": complex(0, 1.75),
    "midJawlineRight": complex(0.85, 1.05),
    "upperJawlineRight": complex(1.05, 0.05),
}


def place_landmarks(found: Sequence[tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Fit the landmarks of an average head to the five that were found, in pixels; the pupils are the eyes."""
    # With points as complex numbers, turning, scaling and shifting is z -> a z + b.
    head, seen = np.array(_FOUND), np.array([complex(*point) for point in found])
    centred = head - head.mean()
    turn = np.vdot(centred, seen) / np.vdot(centred, centred).real
    shift = seen.mean() - turn * head.mean()
    placed = {name: turn * point + shift for name, point in _ADDED.items()}
    placed |= {"leftPupil": complex(*found[0]), "rightPupil": complex(*found[1])}
    return {name: (float(point.real), float(point.imag)) for name, point in placed.items()}
