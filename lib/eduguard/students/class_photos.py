"""Who is in a class photo: its faces are found, cut out and searched for side by side; none is ever indexed."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from eduguard.aws import LARGEST_IMAGE, Box, Collection
from eduguard.jpeg import fit_picture, open_upright
from eduguard.students.pictures import Picture, cut_face

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A student that a face resembles; similarity from 0 to 100."""

    student_id: str
    face_id: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One face of a photo: where it is, which student it resembles most, and whether it counts for that student."""

    photo: int
    box: Box
    likeness: Likeness | None
    is_sure: bool = False


Search = Callable[[bytes], Likeness | None]


def search_by_faces(collection: Collection, owners: Mapping[str, str]) -> Search:
    """Return a search that knows whose each FaceId is; faces that no row has are passed over."""

    def search(cut: bytes) -> Likeness | None:
        for match in collection.search_by_image(cut, threshold=0):
            if student := owners.get(match.face_id):
                return Likeness(student_id=student, face_id=match.face_id, similarity=match.similarity)
        return None

    return search


def search_by_users(collection: Collection, owners: Mapping[str, str]) -> Search:
    """Return a search by all faces of a student together: by Rekognition's users, whose ids are the students'."""
    first = {student: face for face, student in sorted(owners.items(), reverse=True)}

    def search(cut: bytes) -> Likeness | None:
        for user, similarity in collection.search_users_by_image(cut, threshold=0):
            if user in first:
                return Likeness(student_id=user, face_id=first[user], similarity=similarity)
        return None

    return search


def search_all(searches: Sequence[Search]) -> Search:
    """Return a search that makes each of these and takes the likeness that is the most similar."""

    def search(cut: bytes) -> Likeness | None:
        found = [likeness for each in searches if (likeness := each(cut))]
        return max(found, key=lambda each: each.similarity, default=None)

    return search


def find_sightings(
    pictures: Sequence[Picture],
    *,
    collection: Collection,
    search: Search,
    threshold: float,
    advance: Callable[[], None],
) -> list[Sighting]:
    """Find every face of the photos and the student it resembles most; read-only."""

    def sight(number: int) -> list[Sighting]:
        content = pictures[number].content
        boxes = collection.detect_faces(fit_picture(content, limit=LARGEST_IMAGE))
        image = open_upright(content)

        def look(index: int) -> Sighting:
            cut = cut_face(image, boxes, index)
            return Sighting(photo=number, box=boxes[index], likeness=search(cut))

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = list(threads.map(look, range(len(boxes))))
        advance()
        return sorted(found, key=lambda each: (each.box.left, each.box.top))

    # One photo after the other: each is decoded in memory, and its faces alone keep the threads busy.
    return decide([each for number in range(len(pictures)) for each in sight(number)], threshold=threshold)


def decide(sightings: Sequence[Sighting], *, threshold: float) -> list[Sighting]:
    """Say which sightings are sure: similar enough, and the best of a student in its photo; a pure function."""
    best: dict[tuple[int, str], float] = {}
    for each in sightings:
        if each.likeness:
            key = (each.photo, each.likeness.student_id)
            best[key] = max(best.get(key, 0), each.likeness.similarity)
    decided, taken = [], set()
    for each in sightings:
        is_sure = False
        if each.likeness and each.likeness.similarity >= threshold:
            key = (each.photo, each.likeness.student_id)
            is_sure = each.likeness.similarity == best[key] and key not in taken
            taken |= {key} if is_sure else set()
        decided.append(replace(each, is_sure=is_sure))
    return decided
