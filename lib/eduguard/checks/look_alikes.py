"""Find similar enrolled faces of different students: one child under two ids, or twins; read-only."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from eduguard.aws import Bucket, Collection, Face
from eduguard.identifiers import photo_key, split_external_image_id
from eduguard.students import find_strange
from eduguard.students.pictures import DRAWN

_AT_ONCE = 4  # below Rekognition's smallest quota for SearchFaces, 5 a second


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LookAlike:
    """Faces of two students, by external image id in sorted order, and their similarity from 0 to 100."""

    one: str
    other: str
    similarity: float
    is_drawn: bool = False

    def __str__(self) -> str:
        return f"{self.one} and {self.other} ({self.similarity:.1f})"


def find_look_alikes(
    faces: Iterable[Face],
    *,
    collection: Collection,
    bucket: Bucket,
    photos: set[str],
    threshold: float,
    advance: Callable[[], None] = lambda: None,
) -> list[LookAlike]:
    """Search for every face of a student; return the pairs of different students at or above the threshold.

    Args:
        faces: the faces that the collection lists.
        collection: the collection of the faces.
        bucket: the bucket whose metadata say which photos are drawn.
        photos: the external image ids of the photos in the bucket.
        threshold: the least similarity, from 0 to 100.
        advance: called after each face.
    """
    named = [(face.face_id, face.external_image_id or "", _student(face)) for face in faces if _student(face)]

    def search(face: tuple[str, str, str]) -> list[LookAlike]:
        face_id, external, student = face
        strange = find_strange(student, collection.search_by_face(face_id, threshold=threshold))
        advance()
        pairs = [(sorted((external, each.external_image_id or "")), each.similarity) for each in strange]
        return [LookAlike(one=one, other=other, similarity=similarity) for (one, other), similarity in pairs]

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = [pair for pairs in threads.map(search, named) for pair in pairs]
        best = {(each.one, each.other): each for each in sorted(found, key=lambda each: each.similarity)}
        pairs = sorted(best.values())
        involved = sorted({name for each in pairs for name in (each.one, each.other)} & photos)
        drawn = dict(zip(involved, threads.map(lambda name: _is_drawn(bucket, name), involved), strict=True))
    return mark_drawn(pairs, {name for name, is_drawn in drawn.items() if is_drawn})


def mark_drawn(pairs: Sequence[LookAlike], drawn: set[str]) -> list[LookAlike]:
    """Mark the pairs in which both photos are drawn, so that neither shows a person; a pure function."""
    return [
        LookAlike(one=each.one, other=each.other, similarity=each.similarity, is_drawn={each.one, each.other} <= drawn)
        for each in pairs
    ]


def _student(face: Face) -> str:
    parts = split_external_image_id(face.external_image_id or "")
    return parts[0] if parts else ""


def _is_drawn(bucket: Bucket, name: str) -> bool:
    parts = split_external_image_id(name)
    return parts is not None and DRAWN.items() <= bucket.read_metadata(photo_key(*parts)).items()
