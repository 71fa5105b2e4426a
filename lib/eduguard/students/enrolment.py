"""Enrol a student's own photos: bucket, then face, then row; and again after a crash, from wherever it stopped."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.aws import LARGEST_IMAGE, Bucket, Collection, FaceRefusedError, S3Object, read_faces
from eduguard.errors import EduguardError
from eduguard.identifiers import (
    external_image_id,
    photo_key,
    photos_prefix,
    split_external_image_id,
    split_photo_key,
)
from eduguard.jpeg import fit_picture
from eduguard.students.pictures import LARGEST_OBJECT, Picture, read_picture
from eduguard.students.samples import FolderPhoto
from eduguard.students.storage import Note, Storage, prepare_storage

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 4  # below Rekognition's smallest quota for IndexFaces, 5 a second
_SHOWN = 10  # names in a summary line

Tell = Callable[[str], None]
Numbers = Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A photo to be enrolled; without a number it gets the student's next one."""

    student_id: str
    file: Path
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a photo belongs, and how far an earlier run has come with it."""

    number: int
    is_stored: bool
    is_enrolled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What became of one photo: its external image id, or why it was refused."""

    request: Request
    external_image_id: str | None = None
    is_new: bool = False
    refusal: EduguardError | None = None


def requests_of(photos: Iterable[FolderPhoto]) -> list[Request]:
    """Return the photos of a folder, each with the number in its name."""
    return [Request(student_id=photo.student_id, file=photo.file, number=photo.number) for photo in photos]


def find_place(
    sha256: str, wanted: int | None, *, rows: frozenset[int], stored: Mapping[int, str], faces: frozenset[int]
) -> Place | None:
    """Choose the number of a photo; a pure function.

    Args:
        sha256: of the photo.
        wanted: the number it must have, if any.
        rows: the numbers that rows of the student have.
        stored: the hash of each photo of the student in the bucket, by number.
        faces: the numbers that faces of the student have in the collection.

    Returns:
        None where another photo has the wanted number.
    """
    same = sorted((number not in rows, number) for number, known in stored.items() if known == sha256)
    if same:
        is_free, number = same[0]
        return Place(number=number, is_stored=True, is_enrolled=not is_free)
    taken = rows | stored.keys()
    if wanted is not None:
        return None if wanted in taken else Place(number=wanted, is_stored=False, is_enrolled=False)
    return Place(number=1 + max(taken | faces, default=0), is_stored=False, is_enrolled=False)


def face_numbers(collection: Collection) -> Numbers:
    """Return the photo numbers of every student's faces in the collection; read-only."""
    numbers: dict[str, set[int]] = {}
    for face in read_faces(collection):
        if parts := split_external_image_id(face.external_image_id or ""):
            numbers.setdefault(parts[0], set()).add(parts[1])
    return {student: frozenset(found) for student, found in numbers.items()}


def enrol_students(
    requests: Sequence[Request],
    *,
    connect: Callable[[], AbstractContextManager["Connection"]],
    storages: Mapping[str, Storage],
    note: Note,
    advance: Callable[[], None],
) -> list[Enrolment]:
    """Enrol photos of many students side by side, the photos of one student in order.

    A photo that is refused stops no other. Run again after a crash, this goes on where it stopped.

    Args:
        requests: the photos.
        connect: opens a connection to the database, one for each student.
        storages: of each student; bucket and collections are created if they do not exist.
        note: prints what cannot be known of the bucket.
        advance: is called after each photo.

    Raises:
        EduguardError: for a bucket that is not private, or a file that is not a photo: nothing was sent.
    """
    for request in requests:
        read_picture(request.file)  # all are checked before one is sent; bytes are read again when their turn comes
    faces: dict[str, Numbers] = {}
    for storage in storages.values():
        if storage.collection.name not in faces:
            prepare_storage(storage, note)
            faces[storage.collection.name] = face_numbers(storage.collection)
    students: dict[str, list[Request]] = {}
    for request in requests:
        students.setdefault(request.student_id, []).append(request)

    def enrol_all(of_one: list[Request]) -> list[Enrolment]:
        enrolments, storage = [], storages[of_one[0].student_id]
        numbers = faces[storage.collection.name]
        with connect() as conn:
            for request in of_one:
                enrolments.append(enrol_or_refuse(conn, request, storage=storage, faces=numbers))
                advance()
        return enrolments

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return [enrolment for enrolments in threads.map(enrol_all, students.values()) for enrolment in enrolments]


def enrol_or_refuse(conn: "Connection", request: Request, *, storage: Storage, faces: Numbers) -> Enrolment:
    """Enrol one photo; a refusal of the picture becomes part of the enrolment."""
    try:
        return enrol_photo(conn, request, storage=storage, faces=faces)
    except FaceRefusedError as error:
        return Enrolment(request=request, refusal=error)


def enrol_photo(
    conn: "Connection", request: Request, *, storage: Storage, faces: Numbers, tell: Tell = lambda _: None
) -> Enrolment:
    """Put one photo into the bucket, index its face, insert its row and commit, in this order.

    The student's row is locked meanwhile, so that two at once never take the same number. Whatever a crash leaves is
    found again by the photo's hash: the object is used, and the face, for Rekognition does not index the same picture
    twice under one external image id (IndexFaces reference).

    Raises:
        FaceRefusedError: for a picture without exactly one face; nothing of it stays anywhere.
    """
    student, picture = request.student_id, read_picture(request.file)
    with conn.transaction():
        place = _reserve(conn, request, picture, bucket=storage.bucket, faces=faces.get(student, frozenset()))
        name = external_image_id(student, place.number)
        tell("reserved")
        if place.is_enrolled:
            return Enrolment(request=request, external_image_id=name)
        key = photo_key(student, place.number)
        if not place.is_stored:
            storage.bucket.put(key, picture.content)
        tell("stored")
        try:
            face = storage.collection.index_face(_shown(picture, key, storage), name)
        except FaceRefusedError:
            storage.bucket.delete([key])
            raise
        tell("indexed")
        conn.execute(
            "INSERT INTO student_faces"
            " (id, student_id, external_image_id, face_id, photo_url, quality_score, indexed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, now())",
            [name, student, name, face.face_id, key, face.quality],
        )
        tell("inserted")
    tell("committed")
    return Enrolment(request=request, external_image_id=name, is_new=True)


def _reserve(conn: "Connection", request: Request, picture: Picture, *, bucket: Bucket, faces: frozenset[int]) -> Place:
    student = request.student_id
    lock_student(conn, student)
    query = "SELECT external_image_id FROM student_faces WHERE student_id = %s"
    found = [split_external_image_id(row[0]) for row in conn.execute(query, [student])]
    rows = frozenset(parts[1] for parts in found if parts)
    stored = {number: bucket.read_sha256(key) for number, key in find_keys(bucket, student).items()}
    place = find_place(picture.sha256, request.number, rows=rows, stored=stored, faces=faces)
    if place is None:
        raise FaceRefusedError(
            f"{request.file}: {student} has another photo {request.number}",
            hint="`inv enrol STUDENT PHOTO…` gives a photo the next number; `inv photos check` finds lost ones.",
        )
    return place


def lock_student(conn: "Connection", student: str) -> None:
    """Lock the student's row until the transaction ends; attendance can be written meanwhile."""
    if not conn.execute("SELECT FROM students WHERE id = %s FOR NO KEY UPDATE", [student]).rowcount:
        raise EduguardError(f"No such student: {student}", hint="The table students has a row for each.")


def find_keys(bucket: Bucket, student: str) -> dict[int, str]:
    """Return the key of each photo of a student in the bucket, by number; read-only."""
    found = ((key, split_photo_key(key)) for key in bucket.sizes(photos_prefix(student)))
    return {parts[1]: key for key, parts in found if parts}


def _shown(picture: Picture, key: str, storage: Storage) -> bytes | S3Object:
    if storage.by_reference and len(picture.content) <= LARGEST_OBJECT:
        return S3Object(bucket=storage.bucket.name, key=key)
    return fit_picture(picture.content, limit=LARGEST_IMAGE)


def summarise(enrolments: Sequence[Enrolment]) -> str:
    """Return the counts as one line.

    Raises:
        EduguardError: naming each photo that was refused.
    """
    counts = Counter("refused" if each.refusal else "enrolled" if each.is_new else "known" for each in enrolments)
    line = f"{len(enrolments)} photos: {counts['enrolled']} enrolled, {counts['known']} enrolled already"
    refused = [each for each in enrolments if each.refusal]
    if refused:
        named = "\n  ".join(f"{each.request.file}: {each.refusal}" for each in refused)
        raise EduguardError(f"{line}, {len(refused)} refused:\n  {named}")
    names = ", ".join(sorted(each.external_image_id or "" for each in enrolments if each.is_new))
    return f"{line}" + (f" ({names})" if names and counts["enrolled"] <= _SHOWN else "")
