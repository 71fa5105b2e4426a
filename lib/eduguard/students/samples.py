"""Enrol the sample photos: put each into the bucket and index its one face; their rows are in the fixtures."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from eduguard.aws import Bucket, FaceRefusedError
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM, PHOTOS, external_image_id, photo_key, split_photo_key
from eduguard.plurals import amount
from eduguard.students.completion import Caution, Place, choose_face, complete, list_face_ids
from eduguard.students.pictures import read_picture
from eduguard.students.storage import Note, Storage, prepare_storage

_AT_ONCE = 4  # below Rekognition's smallest quota for IndexFaces, 5 a second


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPhoto:
    """One photo of a student in a folder laid out like the bucket."""

    student_id: str
    number: int
    file: Path

    @property
    def key(self) -> str:
        """Return the photo's key in the bucket."""
        return photo_key(self.student_id, self.number)

    @property
    def external_image_id(self) -> str:
        """Return the external image id of the photo's face."""
        return external_image_id(self.student_id, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesReport:
    """How many photos were uploaded and faces indexed; the others existed already."""

    photos: int
    uploaded: int
    indexed: int
    changed: int = 0

    def __add__(self, other: "SamplesReport") -> "SamplesReport":
        return SamplesReport(
            photos=self.photos + other.photos,
            uploaded=self.uploaded + other.uploaded,
            indexed=self.indexed + other.indexed,
            changed=self.changed + other.changed,
        )

    def summary(self) -> str:
        """Return the counts as one line."""
        if not self.uploaded and not self.indexed and not self.changed:
            return f"{amount(self.photos, 'photo')}: all in the bucket and in the collection already"
        return f"{amount(self.photos, 'photo')}: {self.uploaded} uploaded, {amount(self.indexed, 'face')} indexed"


def find_photos(folder: Path) -> tuple[FolderPhoto, ...]:
    """Return the photos of the students in a folder, sorted by key; read-only.

    Raises:
        EduguardError: when there are no photos, or naming each file whose name does not have the form of a key.
    """
    files = sorted(path for path in folder.glob(f"{PHOTOS}**/*") if path.is_file() and not path.name.startswith("."))
    photos = [_photo(folder, file) for file in files]
    strangers = [str(file) for file, photo in zip(files, photos, strict=True) if photo is None]
    if strangers:
        raise EduguardError(
            f"Not a student's photo: {', '.join(strangers)}",
            hint=f"Photos are named {KEY_FORM}.",
        )
    if not photos:
        raise EduguardError(f"No photo in {folder / PHOTOS}", hint="`seed_folder` in invoke.yaml says where they are.")
    return tuple(photo for photo in photos if photo)


def _photo(folder: Path, file: Path) -> FolderPhoto | None:
    parts = split_photo_key(file.relative_to(folder).as_posix())
    return FolderPhoto(student_id=parts[0], number=parts[1], file=file) if parts else None


def enrol_samples(
    photos: Sequence[FolderPhoto],
    *,
    storage: Storage,
    caution: Caution,
    note: Note,
    advance: Callable[[], None] = lambda: None,
) -> SamplesReport:
    """Upload and index what is missing; a second run changes nothing.

    Args:
        photos: the photos that should be in the bucket and in the collection.
        storage: its bucket and its collection are created if they do not exist.
        caution: which faces are refused.
        note: prints what cannot be determined about the bucket.
        advance: is called after each photo.

    Raises:
        EduguardError: for a bucket that is not private. Also, after all other photos are enrolled: naming each refused
            photo, and each photo whose key has another photo in the bucket, which is kept.
    """
    prepare_storage(storage, note)
    stored, faces = storage.bucket.list_objects(PHOTOS), list_face_ids(storage.collection)

    def enrol(photo: FolderPhoto) -> Place | EduguardError | None:
        picture = read_picture(photo.file)
        kept = stored.get(photo.key)
        if kept and not storage.bucket.holds(photo.key, kept, picture.content):
            return None
        face_ids = faces.get(photo.student_id, {}).get(photo.number, ())
        place = Place(
            student_id=photo.student_id,
            number=photo.number,
            has_photo=kept is not None,
            face_id=choose_face(face_ids, None),
            needs_row=False,
        )
        try:
            complete(place, picture, storage=storage, caution=caution)
        except FaceRefusedError as error:
            return EduguardError(f"{photo.file}: {error.message}", hint=error.hint)
        return place

    done = []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for place in threads.map(enrol, photos):
            done.append(place)
            advance()
    missing = Counter(what for place in done if isinstance(place, Place) for what in place.missing)
    changed = [photo for photo, place in zip(photos, done, strict=True) if place is None]
    report = SamplesReport(photos=len(photos), uploaded=missing["photo"], indexed=missing["face"], changed=len(changed))
    if refused := [error for error in done if isinstance(error, EduguardError)]:
        named = "\n  ".join(map(str, refused))
        raise EduguardError(f"{report.summary()}; {len(refused)} refused:\n  {named}")
    if changed:
        raise _changed(report, changed, storage.bucket)
    return report


def _changed(report: SamplesReport, photos: Sequence[FolderPhoto], bucket: Bucket) -> EduguardError:
    named = "\n  ".join(str(photo.file) for photo in photos)
    student = photos[0].student_id
    return EduguardError(
        f"{report.summary()}; bucket {bucket.name} keeps another photo under the key of each of these:\n  {named}",
        hint="A photo keeps its number and its face: give a new picture the student's next number. To replace all of "
        f"a student's: `inv unenrol {student}`, `inv enrol`, `inv seed-full`.",
    )
