"""Decide which of row, photo and face is missing for one enrolled photo, and make it.

Enrolment of a new photo is the case in which all three are missing. Every command that enrols calls `complete`. Its
part `index_stored` makes the face of a photo that is already in the bucket.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws import LARGEST_IMAGE, Collection, FaceRefusedError, IndexedFace, Match, S3Object, read_faces
from eduguard.errors import EduguardError
from eduguard.identifiers import external_image_id, photo_key, split_external_image_id
from eduguard.jpeg import fit_picture
from eduguard.plurals import amount
from eduguard.students.pictures import LARGEST_OBJECT, Picture
from eduguard.students.storage import Storage

if TYPE_CHECKING:
    from psycopg import Connection

Tell = Callable[[str], None]
Faces = Mapping[str, Mapping[int, tuple[str, ...]]]
"""the FaceIds that the collection lists, by student and photo number; highest confidence first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One photo of a student: whether the bucket has it, its FaceId in the collection, and the FaceId in its row."""

    student_id: str
    number: int
    has_photo: bool = False
    face_id: str | None = None
    row: str | None = None
    needs_row: bool = True
    named_key: str | None = None
    """its key in the bucket, if its row names it"""

    @property
    def name(self) -> str:
        """Return its external image id."""
        return external_image_id(self.student_id, self.number)

    @property
    def key(self) -> str:
        """Return its key in the bucket."""
        return self.named_key or photo_key(self.student_id, self.number)

    @property
    def missing(self) -> tuple[str, ...]:
        """Return what is missing: photo, face, row, or link if the row holds another FaceId."""
        is_unlinked = self.row is not None and (self.face_id is None or self.row != self.face_id)
        missing = {
            "photo": not self.has_photo,
            "face": self.face_id is None,
            "row": self.needs_row and self.row is None,
            "link": self.needs_row and is_unlinked,
        }
        return tuple(what for what, is_missing in missing.items() if is_missing)

    @property
    def is_searched(self) -> bool:
        """Say whether the collection is searched for the face before anything is made."""
        return "photo" in self.missing or "face" in self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """When a face is refused: if it is this similar (0 to 100) to a face of another student, unless they are twins.

    is_drawn_trusted skips the search for a picture that our own code drew.
    """

    threshold: float
    is_twin: bool = False
    is_drawn_trusted: bool = False


def choose_face(face_ids: Iterable[str], row: str | None) -> str | None:
    """Return the FaceId that a row should hold: its present one if listed, otherwise the first; a pure function."""
    found = list(face_ids)
    return row if row in found else next(iter(found), None)


def list_face_ids(collection: Collection) -> Faces:
    """Return the FaceIds of every student's photos; empty if there is no collection; read-only."""
    if collection.describe() is None:
        return {}
    found: dict[str, dict[int, tuple[str, ...]]] = {}
    for face in sorted(read_faces(collection), key=lambda face: (-face.confidence, face.face_id)):
        if parts := split_external_image_id(face.external_image_id or ""):
            numbers = found.setdefault(parts[0], {})
            numbers[parts[1]] = (*numbers.get(parts[1], ()), face.face_id)
    return found


def summarise_work(places: Iterable[Place]) -> str:
    """Return how much is missing for some photos, as one line; a pure function."""
    found = list(places)
    counts = Counter(what for place in found for what in place.missing)
    searches = sum(place.is_searched for place in found)
    return (
        f"{amount(len(found), 'photo')}: {counts['photo']} to upload, {searches} to search for, "
        f"{counts['face']} to index, {amount(counts['row'] + counts['link'], 'row')} to write"
    )


def complete(
    place: Place,
    picture: Picture,
    *,
    storage: Storage,
    caution: Caution,
    conn: "Connection | None" = None,
    tell: Tell = lambda _: None,
) -> None:
    """Make what is missing: the photo, then its face, then its row.

    After a crash, the next run finds the photo by its hash and uses the stored object. It also gets the same face,
    because Rekognition does not index the same picture twice under one external image id (IndexFaces reference).

    Args:
        place: what exists.
        picture: the photo.
        storage: its bucket and its collection.
        caution: which faces are refused.
        conn: in a transaction that has the student's row locked; needed if the place needs a row.
        tell: is called for each step.

    Raises:
        FaceRefusedError: for a picture without exactly one face, a face of another student, or one unlike the face that
            is enrolled under its number; what this call made is removed, and what existed before is kept.
    """
    missing, face = place.missing, None
    if place.is_searched and not (caution.is_drawn_trusted and picture.is_drawn):
        _check_face(place, picture, storage.collection, caution)
    version = storage.bucket.put(place.key, picture.content, picture.marks) if "photo" in missing else None
    tell("stored")
    if "face" in missing:
        try:
            face = _index(place, storage, size=len(picture.content), read=lambda: picture.content)
        except FaceRefusedError as error:
            if "photo" in missing:
                storage.bucket.withdraw(place.key, version)
                raise
            kept = f"{error.message}; {place.key} was in the bucket before and stays"
            raise FaceRefusedError(kept, hint=error.hint) from error
    tell("indexed")
    if conn and place.needs_row:
        _write_row(conn, place, face or IndexedFace(face_id=place.face_id or "", quality=None))
    tell("inserted")


def index_stored(place: Place, *, size: int, storage: Storage) -> IndexedFace:
    """Make the missing face of a photo that is in the bucket; no face is searched for, and no row is written.

    It can be repeated: Rekognition does not index the same picture twice under one external image id (IndexFaces
    reference).

    Raises:
        FaceRefusedError: for a photo without exactly one face, or one that is damaged.
    """

    def read() -> bytes:
        found = storage.bucket.read(place.key)
        if found.is_damaged or not found.content:
            raise FaceRefusedError(
                f"{place.name}: {place.key} is damaged", hint="`inv photos check` names such photos."
            )
        return found.content

    return _index(place, storage, size=size, read=read)


def _index(place: Place, storage: Storage, *, size: int, read: Callable[[], bytes]) -> IndexedFace:
    if storage.by_reference and size <= LARGEST_OBJECT:
        return storage.collection.index_face(S3Object(bucket=storage.bucket.name, key=place.key), place.name)
    content = read()
    try:
        shown = fit_picture(content, limit=LARGEST_IMAGE)
    except EduguardError as error:  # the photo cannot be decoded
        raise FaceRefusedError(f"{place.name}: {place.key}: {error.message}", hint=error.hint) from error
    return storage.collection.index_face(shown, place.name)


def _check_face(place: Place, picture: Picture, collection: Collection, caution: Caution) -> None:
    shown = fit_picture(picture.content, limit=LARGEST_IMAGE)
    matches = collection.search_by_image(shown, threshold=caution.threshold)
    strange = find_strange(place.student_id, matches)
    if strange and not caution.is_twin:
        named = ", ".join(f"{each.external_image_id} ({each.similarity:.1f})" for each in strange)
        raise FaceRefusedError(
            f"{picture.file}: not enrolled for {place.student_id}: the face is like {named}",
            hint="Check whose photo it is. If they are two people, such as twins, pass --twin.",
        )
    if place.face_id and place.face_id not in {match.face_id for match in matches}:
        raise FaceRefusedError(
            f"{picture.file}: another face is enrolled as {place.name}",
            hint=f"Give the photo the student's next number: inv enrol {place.student_id} {picture.file}",
        )


def find_strange(student: str, matches: Iterable[Match]) -> list[Match]:
    """Return the best match of each other student; a pure function."""
    best: dict[str, Match] = {}
    for match in matches:
        parts = split_external_image_id(match.external_image_id or "")
        if parts and parts[0] != student and parts[0] not in best:
            best[parts[0]] = match
    return list(best.values())


def _write_row(conn: "Connection", place: Place, face: IndexedFace) -> None:
    query = "SELECT external_image_id FROM student_faces WHERE face_id = %s AND external_image_id <> %s"
    if other := conn.execute(query, [face.face_id, place.name]).fetchone():
        raise FaceRefusedError(f"{place.name}: the row of {other[0]} holds its FaceId", hint="Run `inv sync-faces`.")
    if place.row is None:
        conn.execute(
            "INSERT INTO student_faces"
            " (id, student_id, external_image_id, face_id, photo_url, quality_score, indexed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, now())",
            [place.name, place.student_id, place.name, face.face_id, place.key, face.quality],
        )
    else:
        conn.execute(
            "UPDATE student_faces SET face_id = %s, quality_score = coalesce(%s, quality_score), indexed_at = now()"
            " WHERE external_image_id = %s AND face_id <> %s",
            [face.face_id, face.quality, place.name, face.face_id],
        )
