"""Faces in a picture, in the shapes of DetectFaces and IndexFaces; nothing here is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from localcloud.rekognition import images
from localcloud.rekognition.measures import Pose, Quality, measure_pose, measure_quality
from localcloud.rekognition.numbers import single

if TYPE_CHECKING:
    from localcloud.rekognition.call import Call, Json
    from localcloud.rekognition.engine import Face, Image
    from localcloud.rekognition.numbers import Box

MOST_FACES: Final = 100  # in one picture, as the documentation says
# Rekognition names the eyes as the viewer sees them, the detector as the person has them.
_LANDMARK_TYPES: Final = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """One detected face with what was measured on it.

    Attributes:
        face: in pixels.
        size: width and height of the picture.
    """

    face: Face
    size: tuple[int, int]
    pose: Pose
    quality: Quality

    @property
    def confidence(self) -> float:
        """How sure it is that this is a face, 0 to 100."""
        return single(self.face.score * 100)

    @property
    def box(self) -> Box:
        """The bounding box as ratios of the picture."""
        (left, top, width, height), (columns, rows) = self.face.box, self.size
        ratios = {"Width": width / columns, "Height": height / rows, "Left": left / columns, "Top": top / rows}
        return {name: single(ratio) for name, ratio in ratios.items()}

    def detail(self) -> Json:
        """Return the FaceDetail; attributes that nothing here measures are absent."""
        columns, rows = self.size
        return {
            "BoundingBox": self.box,
            "Landmarks": [
                {"Type": name, "X": single(x / columns), "Y": single(y / rows)}
                for name, (x, y) in zip(_LANDMARK_TYPES, self.face.landmarks, strict=True)
            ],
            "Pose": {
                "Roll": single(self.pose.roll),
                "Yaw": single(self.pose.yaw),
                "Pitch": single(self.pose.pitch),
            },
            "Quality": {
                "Brightness": single(self.quality.brightness),
                "Sharpness": single(self.quality.sharpness),
            },
            "Confidence": self.confidence,
        }


def portraits(call: Call, pixels: Image) -> list[Portrait]:
    """Find and measure the faces of a picture, the largest first."""
    rows, columns = pixels.shape[:2]
    return [
        Portrait(face=face, size=(columns, rows), pose=measure_pose(face), quality=measure_quality(pixels, face))
        for face in call.engine().detect(pixels)[:MOST_FACES]
    ]


def detect_faces(call: Call) -> Json:
    """Describe the faces of a picture."""
    pixels = images.decode(images.read_bytes(call.parameters["Image"], call.buckets))
    return {"FaceDetails": [portrait.detail() for portrait in portraits(call, pixels)]}
