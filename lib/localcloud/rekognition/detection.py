"""Faces in a picture, in the formats of DetectFaces and IndexFaces; nothing is stored here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from localcloud.rekognition import attributes, images
from localcloud.rekognition.measures import Pose, Quality, measure_pose, measure_quality
from localcloud.rekognition.numbers import single

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from localcloud.rekognition.call import Call, Json
    from localcloud.rekognition.faces import Face, Image
    from localcloud.rekognition.numbers import Box

MOST_FACES: Final = 100  # in one picture, as the documentation says
# In Rekognition's order since March 2019. It names the eyes from the viewer's side, the detector from the person's.
_LANDMARKS: Final = {"eyeLeft": 0, "eyeRight": 1, "mouthLeft": 3, "mouthRight": 4, "nose": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """One detected face with its measurements.

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
        """The confidence that this is a face, 0 to 100."""
        return single(self.face.score * 100)

    @property
    def box(self) -> Box:
        """The bounding box as ratios of the picture."""
        (left, top, width, height), (columns, rows) = self.face.box, self.size
        ratios = {"Width": width / columns, "Height": height / rows, "Left": left / columns, "Top": top / rows}
        return {name: single(ratio) for name, ratio in ratios.items()}

    def detail(self, wanted: Collection[str] = ()) -> Json:
        """Return the FaceDetail; attributes other than the default ones are constants, not measured."""
        measured = self._measured()
        if "ALL" in wanted:
            measured["Landmarks"] += self._shown(attributes.place_landmarks(self.face.landmarks))
        return {
            name: measured[name] if name in measured else attributes.CONSTANTS[name]
            for name in attributes.ORDER
            if name in measured or "ALL" in wanted or attributes.REQUESTED[name] in wanted
        }

    def _shown(self, points: Mapping[str, tuple[float, float]]) -> list[Json]:
        columns, rows = self.size
        return [{"Type": name, "X": single(x / columns), "Y": single(y / rows)} for name, (x, y) in points.items()]

    def _measured(self) -> Json:
        return {
            "BoundingBox": self.box,
            "Landmarks": self._shown({name: self.face.landmarks[place] for name, place in _LANDMARKS.items()}),
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
    wanted = call.parameters.get("Attributes", ())
    with images.opened(call.parameters["Image"], call.buckets) as pixels:
        return {"FaceDetails": [portrait.detail(wanted) for portrait in portraits(call, pixels)]}
