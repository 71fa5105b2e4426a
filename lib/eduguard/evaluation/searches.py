"""Search a collection for each of its photos: how similar are the same student's other photos, and strangers'?"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from eduguard.aws import MOST_MATCHES, Collection, Face, Match
from eduguard.identifiers import split_external_image_id

_KEPT = 10  # the most similar strangers of each photo, however low their similarity
_MOST_KEPT = 100  # strangers of each photo with at least the similarity `keep_from`
STEPS = 100  # in one point of similarity: tallies count hundredths


class Photo(NamedTuple):
    """A photo whose face is in the collection."""

    name: str
    """its external image id"""
    face_id: str
    student_id: str


class Pair(NamedTuple):
    """Two photos, by external image id in sorted order, and their similarity from 0 to 100."""

    similarity: float
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.one} and {self.other} ({self.similarity:.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of the search for one photo."""

    photo: Photo
    own: tuple[Pair, ...]
    """pairs with the student's other photos that were found, the most similar first"""
    strangers: tuple[Pair, ...]
    """pairs with the most similar photos of other students"""
    tally: Mapping[int, int]
    """the number of strangers at each hundredth of similarity; a pair is counted only for the first of its photos"""
    floor: float = 0.0
    """if the answer was full, the similarity below which it names nothing"""


def name_photos(faces: Iterable[Face], held: Mapping[str, str] | None = None) -> list[Photo]:
    """Return the photos of a collection, sorted by external image id, each once; a pure function.

    Args:
        faces: the faces that the collection lists.
        held: the FaceId in the row of each external image id; if given, faces that are in no row are left out.
    """
    photos = dict[str, Photo]()
    for face in sorted(faces):
        name = face.external_image_id or ""
        parts = split_external_image_id(name)
        if parts and (held.get(name) == face.face_id if held is not None else name not in photos):
            photos[name] = Photo(name, face.face_id, parts[0])
    return [photos[name] for name in sorted(photos)]


def search_each(
    photos: Sequence[Photo],
    collection: Collection,
    *,
    keep_from: float,
    at_once: int,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Found]:
    """Search for each photo among the others, with one request for each; read-only.

    Args:
        photos: photos of the collection; its other faces are ignored.
        collection: the collection of the photos.
        keep_from: the least similarity, from 0 to 100, at which more strangers are named.
        at_once: how many requests run at the same time.
        advance: called after each photo.
    """
    known = {photo.face_id: photo for photo in photos}

    def search(photo: Photo) -> Found:
        matches = collection.search_by_face(photo.face_id, threshold=0, most=MOST_MATCHES)
        advance()
        return sort_out(photo, matches, known, keep_from=keep_from)

    with ThreadPoolExecutor(at_once) as threads:
        yield from threads.map(search, photos)


def sort_out(photo: Photo, matches: Sequence[Match], known: Mapping[str, Photo], *, keep_from: float) -> Found:
    """Sort the matches of a photo into its student's and other students'; a pure function."""
    own, strangers, tally = list[Pair](), list[Pair](), Counter[int]()
    for match in matches:
        other = known.get(match.face_id)
        if other is None or other.name == photo.name:
            continue
        pair = Pair(match.similarity, *sorted((photo.name, other.name)))
        if other.student_id == photo.student_id:
            own.append(pair)
            continue
        if len(strangers) < _KEPT or (match.similarity >= keep_from and len(strangers) < _MOST_KEPT):
            strangers.append(pair)
        if photo.name < other.name:
            tally[in_steps(match.similarity)] += 1
    floor = matches[-1].similarity if len(matches) >= MOST_MATCHES else 0.0
    return Found(photo=photo, own=tuple(own), strangers=tuple(strangers), tally=tally, floor=floor)


def in_steps(similarity: float) -> int:
    """Return the hundredths that a similarity reaches; 0.29 reaches 29, in spite of floating-point error."""
    return int(round(similarity * STEPS, 6))
