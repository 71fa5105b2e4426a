"""Enrol the sample photos: put each into the bucket and index its one face; their rows are in the fixtures."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from eduguard.aws import Bucket, S3Object, StoredObject, read_faces
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM, PHOTOS, external_image_id, photo_key, split_photo_key
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
    """How many photos were uploaded and faces indexed; the others were there."""

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
            return f"{self.photos} photos: all in the bucket and in the collection already"
        return f"{self.photos} photos: {self.uploaded} uploaded, {self.indexed} faces indexed"


def find_photos(folder: Path) -> tuple[FolderPhoto, ...]:
    """Return the photos of the students in a folder, sorted by key; read-only.

    Raises:
        EduguardError: when there are none, or naming each file that is not named like a key of the bucket.
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


def enrol_samples(photos: Sequence[FolderPhoto], *, storage: Storage, note: Note) -> SamplesReport:
    """Upload and index what is missing; a second run changes nothing.

    Args:
        photos: what should be in the bucket and in the collection.
        storage: its bucket and its collection are created if they do not exist.
        note: prints what cannot be known of the bucket.

    Raises:
        EduguardError: for a bucket that is not private. For a picture without exactly one face; those before it stay
            enrolled, and the next run goes on. After all others are enrolled: naming each photo under whose key the
            bucket has another one, which stays.
    """
    prepare_storage(storage, note)
    bucket, collection = storage.bucket, storage.collection
    stored = bucket.list_objects(PHOTOS)
    known = {face.external_image_id for face in read_faces(collection)}
    changed = [each for each in photos if each.key in stored and not _is_stored(each, stored[each.key], bucket)]
    upload = [photo for photo in photos if photo.key not in stored]
    index = [photo for photo in photos if photo.external_image_id not in known and photo not in changed]

    def index_photo(photo: FolderPhoto) -> None:
        reference = S3Object(bucket=bucket.name, key=photo.key)
        collection.index_face(reference if storage.by_reference else photo.file.read_bytes(), photo.external_image_id)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda photo: bucket.upload(photo.key, photo.file), upload))
        list(threads.map(index_photo, index))
    report = SamplesReport(photos=len(photos), uploaded=len(upload), indexed=len(index), changed=len(changed))
    if changed:
        raise _changed(report, changed, bucket)
    return report


def _is_stored(photo: FolderPhoto, stored: StoredObject, bucket: Bucket) -> bool:
    return bucket.holds(photo.key, stored, photo.file.read_bytes())


def _changed(report: SamplesReport, photos: Sequence[FolderPhoto], bucket: Bucket) -> EduguardError:
    named = "\n  ".join(str(photo.file) for photo in photos)
    student = photos[0].student_id
    return EduguardError(
        f"{report.summary()}; bucket {bucket.name} keeps another photo under the key of each of these:\n  {named}",
        hint="A photo keeps its number and its face: give a new picture the student's next number. To replace all of "
        f"a student's: `inv unenrol {student}`, `inv enrol`, `inv seed-full`.",
    )
