"""Who is in a class photo: its faces are found, cut out and searched for in parallel; they are never indexed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eduguard.aws import LARGEST_IMAGE, Box, Collection, Face, Match
from eduguard.errors import EduguardError
from eduguard.identifiers import split_external_image_id
from eduguard.jpeg import fit_picture, open_upright
from eduguard.students.pictures import Picture, cut_face

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A student that a face resembles; similarity from 0 to 100."""

    student_id: str
    face_id: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """The most similar face of the collection, if no row holds it: it does not count for any student.

    student_id is the student that the face names, or None. has_row says that a row has its external image id, so a
    sync would write its FaceId there. holder is another student whose row holds its FaceId.
    """

    name: str
    student_id: str | None
    similarity: float
    has_row: bool = False
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One face of a photo: its place, the student that it resembles most, and whether it counts for that student."""

    photo: int
    box: Box
    likeness: Likeness | Stranger | None
    is_sure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The FaceIds in the rows of the school: the student of each, and the FaceId of each external image id."""

    owners: Mapping[str, str]
    rows: Mapping[str, str]


Search = Callable[[bytes], Likeness | Stranger | None]


def search_by_faces(collection: Collection, held: Held, *, threshold: float) -> Search:
    """Return a search for the most similar face of the collection."""

    def search(cut: bytes) -> Likeness | Stranger | None:
        return judge_matches(collection.search_by_image(cut, threshold=0), held, threshold=threshold)

    return search


def judge_matches(matches: Sequence[Match], held: Held, *, threshold: float) -> Likeness | Stranger | None:
    """Identify a face by its matches, which are ordered by falling similarity; a pure function.

    If a match is similar enough but no row of the student it names holds it, the search ends: less similar faces do
    not count. The exception is a duplicate: it counts for the row of its external image id if the row's own face is
    among the matches too.
    """
    found = {match.face_id for match in matches}
    for match in matches:
        external = match.external_image_id or ""
        parts, own = split_external_image_id(external), held.rows.get(external)
        face_id = own if own in found and own in held.owners else match.face_id
        student = held.owners.get(face_id)
        if student and (parts is None or parts[0] == student):
            return Likeness(student_id=student, face_id=face_id, similarity=match.similarity)
        if match.similarity >= threshold:
            return Stranger(
                name=external or match.face_id,
                student_id=parts[0] if parts else None,
                similarity=match.similarity,
                has_row=own is not None,
                holder=student,
            )
    return None


def search_by_users(collection: Collection, held: Held, faces: Sequence[Face], *, threshold: float) -> Search:
    """Return a search by all faces of a student together: by Rekognition's users, whose ids are the students' ids.

    Args:
        collection: of the users; a user's faces carry the user's id.
        held: the FaceIds in the rows.
        faces: the faces that the collection lists.
        threshold: the similarity from which a user without a row ends the search.
    """
    first: dict[str, str] = {}
    for face in sorted(faces, reverse=True):
        if face.user_id and held.owners.get(face.face_id) == face.user_id:
            first[face.user_id] = face.face_id

    def search(cut: bytes) -> Likeness | Stranger | None:
        for user, similarity in collection.search_users_by_image(cut, threshold=0):
            if user in first:
                return Likeness(student_id=user, face_id=first[user], similarity=similarity)
            if similarity >= threshold:
                return Stranger(name=f"user {user}", student_id=user, similarity=similarity, has_row=True)
        return None

    return search


def check_users(roster: Iterable[str], held: Held, faces: Iterable[Face]) -> None:
    """Refuse a search by users if some students of a class have no user yet, and name them; a pure function."""
    users: dict[str, set[str | None]] = {}
    for face in faces:
        if student := held.owners.get(face.face_id):
            users.setdefault(student, set()).add(face.user_id)
    if without := sorted(student for student in roster if users.get(student) == {None}):
        raise EduguardError(
            f"No user has the faces of {', '.join(without)}; nobody was recorded", hint="Run `inv sync-faces --users`."
        )


def check_strangers(conn: "Connection", sightings: Iterable[Sighting]) -> None:
    """Stop if a face's best match names a student of this database but no row holds that match; read-only.

    Raises:
        EduguardError: naming each match: the rows are stale, so nobody may be recorded absent.
    """
    found = {each.likeness for each in sightings if isinstance(each.likeness, Stranger)}
    named = [each.student_id for each in found if each.student_id]
    known = {row[0] for row in conn.execute("SELECT id FROM students WHERE id = ANY (%s)", [named])}
    stale = [each for each in found if each.student_id in known]
    if not stale:
        return
    names = ", ".join(sorted({each.name for each in stale}))
    without = any(not each.has_row for each in stale)
    raise EduguardError(
        f"No row holds the most similar faces: {names}; nobody was recorded",
        hint="Run `inv sync-faces --adopt`, which makes their rows." if without else "Run `inv sync-faces`.",
    )


def name_empty(pictures: Sequence[Picture], sightings: Iterable[Sighting]) -> list[str]:
    """Return the files in which no face was found; a pure function.

    Raises:
        EduguardError: when no photo has a face: then nobody is recorded absent.
    """
    seen = {each.photo for each in sightings}
    empty = [str(picture.file) for number, picture in enumerate(pictures) if number not in seen]
    if not seen:
        raise EduguardError(
            f"No face in {', '.join(empty)}; nobody was recorded", hint="Take a sharp, well lit photo of the class."
        )
    return empty


def search_all(searches: Sequence[Search]) -> Search:
    """Return a search that runs each of these and takes the most similar likeness."""

    def search(cut: bytes) -> Likeness | Stranger | None:
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

    # Photos are searched one by one: each is decoded in memory, and its faces are enough to keep the threads busy.
    return decide([each for number in range(len(pictures)) for each in sight(number)], threshold=threshold)


def decide(sightings: Sequence[Sighting], *, threshold: float) -> list[Sighting]:
    """Mark sightings as sure: similar enough, and the student's best one in the photo; a pure function."""
    best: dict[tuple[int, str], float] = {}
    for each in sightings:
        if isinstance(each.likeness, Likeness):
            key = (each.photo, each.likeness.student_id)
            best[key] = max(best.get(key, 0), each.likeness.similarity)
    decided, taken = [], set()
    for each in sightings:
        is_sure = False
        if isinstance(each.likeness, Likeness) and each.likeness.similarity >= threshold:
            key = (each.photo, each.likeness.student_id)
            is_sure = each.likeness.similarity == best[key] and key not in taken
            taken |= {key} if is_sure else set()
        decided.append(replace(each, is_sure=is_sure))
    return decided
