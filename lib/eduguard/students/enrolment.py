"""Enrol a student's own photos: bucket, then face, then row; after a crash, a new run continues where it stopped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eduguard.aws import Bucket, FaceRefusedError
from eduguard.errors import EduguardError
from eduguard.identifiers import photo_key, photos_prefix, split_external_image_id, split_photo_key
from eduguard.plurals import amount
from eduguard.students.completion import Caution, Faces, Place, Tell, choose_face, complete, list_face_ids
from eduguard.students.photos import check_keys
from eduguard.students.pictures import Picture, read_picture
from eduguard.students.samples import FolderPhoto
from eduguard.students.storage import Note, Storage, prepare_storage

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 4  # below Rekognition's smallest quota for IndexFaces, 5 a second
_SHOWN = 10  # names in a summary line


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A photo to enrol; without a number it gets the student's next one."""

    student_id: str
    file: Path
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The result for one photo: its place and what was missing there, or why it was refused."""

    request: Request
    place: Place | None = None
    refusal: EduguardError | None = None

    @property
    def outcome(self) -> str:
        """Return refused, known, enrolled (it has a row now) or completed (lost parts were made again)."""
        if self.place is None:
            return "refused"
        if not self.place.missing:
            return "known"
        return "enrolled" if "row" in self.place.missing else "completed"

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "student_id": self.request.student_id,
            "file": str(self.request.file),
            "outcome": self.outcome,
            "external_image_id": self.place and self.place.name,
            "key": self.place and self.place.key,
            "missing": list(self.place.missing) if self.place else [],
            "refusal": self.refusal and self.refusal.as_json(),
        }


def requests_of(photos: Iterable[FolderPhoto]) -> list[Request]:
    """Return the photos of a folder, each with the number in its name."""
    return [Request(student_id=photo.student_id, file=photo.file, number=photo.number) for photo in photos]


def find_number(
    wanted: int | None, *, rows: Iterable[int], stored: Mapping[int, bool], faces: Iterable[int]
) -> int | None:
    """Choose the number of a photo; a pure function.

    Args:
        wanted: the number it must have, if any.
        rows: the numbers of the student's rows.
        stored: the numbers of the student's photos in the bucket, and whether each is this very photo.
        faces: the numbers of the student's faces in the collection.

    Returns:
        None if the bucket has another photo under the wanted number.
    """
    with_row = set(rows)
    if same := sorted((number not in with_row, number) for number, is_same in stored.items() if is_same):
        return same[0][1]
    if wanted is not None:
        return None if wanted in stored else wanted
    return 1 + max(with_row | stored.keys() | set(faces), default=0)


def plan_enrolments(
    conn: "Connection", requests: Sequence[Request], *, storages: Mapping[str, Storage]
) -> list[Enrolment]:
    """Say what is missing for each photo, as far as it is known now; read-only.

    Args:
        conn: to the database.
        requests: the photos.
        storages: of each student.

    Raises:
        EduguardError: for a file that is not a photo, or a student's id that cannot be part of a key.
    """
    check_keys(photo_key(request.student_id, 1) for request in requests)
    listed = _list_faces(storages)
    has_bucket = any(storage.bucket.exists() for storage in list(storages.values())[:1])  # all students share one

    def plan(request: Request) -> Enrolment:
        picture, storage = read_picture(request.file), storages[request.student_id]
        bucket, faces = storage.bucket if has_bucket else None, listed[storage.collection.name]
        try:
            place = _find_place(conn, request, picture, bucket=bucket, faces=faces)
        except FaceRefusedError as error:
            return Enrolment(request=request, refusal=error)
        return Enrolment(request=request, place=place)

    return [plan(request) for request in requests]


def _list_faces(storages: Mapping[str, Storage]) -> dict[str, Faces]:
    """Return the FaceIds of each collection, by its name."""
    collections = {storage.collection.name: storage.collection for storage in storages.values()}
    return {name: list_face_ids(collection) for name, collection in collections.items()}


def enrol_students(
    requests: Sequence[Request],
    *,
    connect: Callable[[], AbstractContextManager["Connection"]],
    storages: Mapping[str, Storage],
    caution: Caution,
    note: Note,
    advance: Callable[[], None],
) -> list[Enrolment]:
    """Enrol photos of many students in parallel, the photos of one student in order.

    A refused photo does not stop the others. After a crash, a new run continues where this one stopped.

    Args:
        requests: the photos, which `plan_enrolments` has checked.
        connect: opens a connection to the database, one for each student.
        storages: of each student; bucket and collections are created if they do not exist.
        caution: which faces are refused.
        note: prints what cannot be determined about the bucket.
        advance: is called after each photo.

    Raises:
        EduguardError: for a bucket that is not private; then nothing was sent.
    """
    for storage in {storage.collection.name: storage for storage in storages.values()}.values():
        prepare_storage(storage, note)
    listed = _list_faces(storages)
    students: dict[str, list[Request]] = {}
    for request in requests:
        students.setdefault(request.student_id, []).append(request)

    def enrol_all(of_one: list[Request]) -> list[Enrolment]:
        enrolments, storage = [], storages[of_one[0].student_id]
        faces = listed[storage.collection.name]
        with connect() as conn:
            for request in of_one:
                enrolments.append(enrol_or_refuse(conn, request, storage=storage, faces=faces, caution=caution))
                advance()
        return enrolments

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return [enrolment for enrolments in threads.map(enrol_all, students.values()) for enrolment in enrolments]


def enrol_or_refuse(
    conn: "Connection", request: Request, *, storage: Storage, faces: Faces, caution: Caution
) -> Enrolment:
    """Enrol one photo; a refusal of the picture becomes part of the enrolment."""
    try:
        return enrol_photo(conn, request, storage=storage, faces=faces, caution=caution)
    except FaceRefusedError as error:
        return Enrolment(request=request, refusal=error)


def enrol_photo(
    conn: "Connection",
    request: Request,
    *,
    storage: Storage,
    faces: Faces,
    caution: Caution,
    tell: Tell = lambda _: None,
) -> Enrolment:
    """Make what is missing for one photo and commit, with the student's row locked so that numbers are unique.

    Raises:
        FaceRefusedError: as `complete` does; or when the bucket has another photo under the wanted number.
    """
    picture = read_picture(request.file)
    with conn.transaction():
        lock_student(conn, request.student_id)
        place = _find_place(conn, request, picture, bucket=storage.bucket, faces=faces)
        tell("reserved")
        complete(place, picture, storage=storage, caution=caution, conn=conn, tell=tell)
    tell("committed")
    return Enrolment(request=request, place=place)


def _find_place(
    conn: "Connection", request: Request, picture: Picture, *, bucket: Bucket | None, faces: Faces
) -> Place:
    student, listed = request.student_id, faces.get(request.student_id, {})
    query = "SELECT external_image_id, face_id FROM student_faces WHERE student_id = %s"
    found = ((split_external_image_id(external), face_id) for external, face_id in conn.execute(query, [student]))
    rows = {parts[1]: face_id for parts, face_id in found if parts}
    stored = _find_stored(bucket, student, picture) if bucket else {}
    number = find_number(request.number, rows=rows, stored=stored, faces=listed)
    if number is None:
        raise FaceRefusedError(
            f"{request.file}: {student} has another photo {request.number}",
            hint="`inv enrol STUDENT PHOTO…` gives a photo the next number; `inv photos check` finds lost ones.",
        )
    row = rows.get(number)
    face_id = choose_face(listed.get(number, ()), row)
    return Place(student_id=student, number=number, has_photo=number in stored, face_id=face_id, row=row)


def _find_stored(bucket: Bucket, student: str, picture: Picture) -> dict[int, bool]:
    found = ((key, stored, split_photo_key(key)) for key, stored in bucket.list_objects(photos_prefix(student)).items())
    return {parts[1]: bucket.holds(key, stored, picture.content) for key, stored, parts in found if parts}


def lock_student(conn: "Connection", student: str) -> None:
    """Lock the student's row until the transaction ends; attendance can still be written."""
    if not conn.execute("SELECT FROM students WHERE id = %s FOR NO KEY UPDATE", [student]).rowcount:
        raise EduguardError(f"No such student: {student}", hint="The table students has a row for each.")


def summarise(enrolments: Sequence[Enrolment]) -> str:
    """Return the counts as one line.

    Raises:
        EduguardError: naming each photo that was refused.
    """
    by: dict[str, list[Enrolment]] = {}
    for each in enrolments:
        by.setdefault(each.outcome, []).append(each)
    made, known = len(by.get("enrolled", [])), len(by.get("known", []))
    line = f"{amount(len(enrolments), 'photo')}: {made} enrolled, {known} enrolled already"
    if completed := by.get("completed", []):
        line += f", {len(completed)} completed"
    if refused := by.get("refused", []):
        named = "\n  ".join(f"{each.request.file}: {each.refusal}" for each in refused)
        raise EduguardError(f"{line}, {len(refused)} refused:\n  {named}")
    names = sorted(each.place.name for each in by.get("enrolled", []) if each.place)
    return f"{line} ({', '.join(names)})" if 0 < len(names) <= _SHOWN else line
