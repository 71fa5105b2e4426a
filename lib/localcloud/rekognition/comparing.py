"""CompareFaces: the largest face of one picture against those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from localcloud.rekognition import images
from localcloud.rekognition.engine import similarity
from localcloud.rekognition.exceptions import NO_FACES, invalid_parameter
from localcloud.rekognition.numbers import single
from localcloud.rekognition.quality import judge

if TYPE_CHECKING:
    from localcloud.rekognition.call import Call, Json
    from localcloud.rekognition.detection import Portrait
    from localcloud.rekognition.engine import Image

DEFAULT_THRESHOLD: Final = 80.0
_DEFAULT_FILTER: Final = "NONE"
_COMPARED: Final = ("BoundingBox", "Confidence", "Landmarks", "Pose", "Quality")


def compare_faces(call: Call) -> Json:
    """Say which faces of the target picture are the person of the source picture."""
    source_pixels, sources = _found(call, call.parameters["SourceImage"])
    target_pixels, targets = _found(call, call.parameters["TargetImage"])
    source = call.engine().embed(source_pixels, sources[0].face)
    cosines = np.array([source @ call.engine().embed(target_pixels, target.face) for target in targets], np.float32)
    threshold = np.float32(call.parameters.get("SimilarityThreshold", DEFAULT_THRESHOLD))
    scored = sorted(zip(similarity(cosines).tolist(), targets, strict=True), key=lambda pair: -pair[0])
    return {
        "SourceImageFace": {"BoundingBox": sources[0].box, "Confidence": sources[0].confidence},
        "FaceMatches": [
            {"Similarity": single(score), "Face": _compared(target)} for score, target in scored if score >= threshold
        ],
        "UnmatchedFaces": [_compared(target) for score, target in scored if score < threshold],
    }


def _found(call: Call, image: dict[str, Any]) -> tuple[Image, list[Portrait]]:
    pixels = images.decode(images.read_bytes(image, call.buckets))
    level = call.parameters.get("QualityFilter", _DEFAULT_FILTER)
    good = [each.portrait for each in judge(call, pixels, level) if not each.reasons]
    if not good:
        raise invalid_parameter(NO_FACES)
    return pixels, good


def _compared(portrait: Portrait) -> Json:
    detail = portrait.detail()
    return {name: detail[name] for name in _COMPARED}
