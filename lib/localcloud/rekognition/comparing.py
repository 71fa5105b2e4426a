"""CompareFaces: the largest face of one picture against those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from localcloud.rekognition import images
from localcloud.rekognition.engine import similarity
from localcloud.rekognition.exceptions import invalid_parameter
from localcloud.rekognition.numbers import single
from localcloud.rekognition.quality import judge

if TYPE_CHECKING:
    from localcloud.rekognition.call import Call, Json
    from localcloud.rekognition.detection import Portrait
    from localcloud.rekognition.engine import Embedding

DEFAULT_THRESHOLD: Final = 80.0
_DEFAULT_FILTER: Final = "NONE"
_COMPARED: Final = ("BoundingBox", "Confidence", "Landmarks", "Pose", "Quality")


def compare_faces(call: Call) -> Json:
    """Say which faces of the target picture show the person in the source picture."""
    sources = _found(call, call.parameters["SourceImage"], most=1)
    targets = _found(call, call.parameters["TargetImage"])
    source, vector = sources[0]
    cosines = np.array([vector @ other for _, other in targets], np.float32)
    threshold = np.float32(call.parameters.get("SimilarityThreshold", DEFAULT_THRESHOLD))
    portraits = [portrait for portrait, _ in targets]
    scored = sorted(zip(similarity(cosines).tolist(), portraits, strict=True), key=lambda pair: -pair[0])
    return {
        "SourceImageFace": {"BoundingBox": source.box, "Confidence": source.confidence},
        "FaceMatches": [
            {"Similarity": single(score), "Face": _compared(target)} for score, target in scored if score >= threshold
        ],
        "UnmatchedFaces": [_compared(target) for score, target in scored if score < threshold],
    }


def _found(call: Call, image: dict[str, Any], most: int | None = None) -> list[tuple[Portrait, Embedding]]:
    level = call.parameters.get("QualityFilter", _DEFAULT_FILTER)
    with images.opened(image, call.buckets) as pixels:
        good = [each.portrait for each in judge(call, pixels, level) if not each.reasons][:most]
        if not good:
            raise invalid_parameter()
        return [(portrait, call.engine().embed(pixels, portrait.face)) for portrait in good]


def _compared(portrait: Portrait) -> Json:
    detail = portrait.detail()
    return {name: detail[name] for name in _COMPARED}
