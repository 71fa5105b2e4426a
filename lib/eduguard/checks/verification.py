"""Prove that attendance works: a photo goes in, and the row of its student comes out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws import Bucket, Collection
from eduguard.errors import EduguardError
from eduguard.jpeg import encode, open_upright

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 4  # below Rekognition's smallest quota for SearchFacesByImage, 5 a second
_MARGIN = 0.06  # cut off each side, so that what is searched is not the picture that was indexed


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledPhoto:
    """A row of student_faces whose photo is searched for."""

    student_id: str
    external_image_id: str
    photo_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Which student a photo was recognised as (of the best match's row, or None), and how similar the faces are."""

    photo: EnrolledPhoto
    student_id: str | None
    similarity: float | None

    @property
    def is_right(self) -> bool:
        """Say whether the photo was taken for its own student."""
        return self.student_id == self.photo.student_id

    def __str__(self) -> str:
        found = f"taken for {self.student_id}" if self.student_id else "recognised as no student"
        return f"{self.photo.photo_url} of {self.photo.student_id}: {found}"


def read_enrolled_photos(conn: "Connection", *, one_each: bool) -> list[EnrolledPhoto]:
    """Return every enrolled photo, or only the first of each student; read-only."""
    query = (
        "SELECT DISTINCT ON (student_id) student_id, external_image_id, photo_url FROM student_faces "
        "ORDER BY student_id, external_image_id"
        if one_each
        else "SELECT student_id, external_image_id, photo_url FROM student_faces ORDER BY student_id, external_image_id"
    )
    return [
        EnrolledPhoto(student_id=student, external_image_id=external, photo_url=url)
        for student, external, url in conn.execute(query)
    ]


def recognise_photos(
    conn: "Connection", photos: Sequence[EnrolledPhoto], *, collection: Collection, bucket: Bucket, threshold: float
) -> list[Recognition]:
    """Search the collection for each photo, re-encoded and cropped, and look the best FaceId up in student_faces."""

    def best_match(photo: EnrolledPhoto) -> tuple[str, float] | None:
        matches = collection.search_by_image(
            disguise(bucket.download(photo.photo_url), photo.photo_url), threshold=threshold
        )
        return (matches[0].face_id, matches[0].similarity) if matches else None

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = list(threads.map(best_match, photos))
    face_ids = [match[0] for match in found if match]
    students: dict[str, str] = dict(
        conn.execute("SELECT face_id, student_id FROM student_faces WHERE face_id = ANY (%s)", [face_ids]).fetchall()
    )
    return [
        Recognition(photo=photo, student_id=students.get(match[0]) if match else None, similarity=match and match[1])
        for photo, match in zip(photos, found, strict=True)
    ]


def disguise(jpeg: bytes, name: str = "The picture") -> bytes:
    """Return the picture cropped on each side and encoded again, so that no byte of the file is recognised.

    Raises:
        EduguardError: naming a picture that is not a JPEG.
    """
    upright = open_upright(jpeg, name)
    margin_x, margin_y = round(upright.width * _MARGIN), round(upright.height * _MARGIN)
    return encode(upright.crop((margin_x, margin_y, upright.width - margin_x, upright.height - margin_y)))


def require_right(recognitions: Sequence[Recognition]) -> str:
    """Return the counts as one line.

    Raises:
        EduguardError: naming each photo that was not taken for its own student, or when there was nothing to verify.
    """
    if not recognitions:
        raise EduguardError("There is no enrolled photo to verify", hint="Run `inv seed-full` first.")
    wrong = [recognition for recognition in recognitions if not recognition.is_right]
    if wrong:
        raise EduguardError(
            f"{len(wrong)} of {len(recognitions)} photos not recognised: {'; '.join(map(str, wrong))}",
            hint="Run `inv sync-faces`, then `inv verify` again; `inv status` counts rows, placeholders and faces.",
        )
    lowest = min(recognition.similarity or 0 for recognition in recognitions)
    return f"{len(recognitions)} of {len(recognitions)} photos recognised, lowest similarity {lowest:.1f}"
