"""Prove that attendance works: a search for a photo must find the row of its student."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws import LARGEST_IMAGE, Bucket, Collection
from eduguard.errors import EduguardError
from eduguard.identifiers import PHOTOS, PLACEHOLDER
from eduguard.jpeg import encode, fit_picture, open_upright
from eduguard.plurals import amount
from eduguard.students import Likeness, Stranger, judge_matches, read_held

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 4  # below Rekognition's smallest quota for SearchFacesByImage, 5 a second
_COMPLETE = "`inv enrol --from FOLDER` makes again what is lost of a photo (`inv enrol`: of a sample photo)."
_INDEX = "Run `inv sync-faces`; where the face is lost, first `inv reindex`."
_SYNC = "Run `inv sync-faces`."
_ADOPT = (
    "A face without a row: `inv sync-faces --adopt` makes its row, `inv sync-faces --prune orphans` deletes the face."
)
_LOOK = "Look whose photo it is: `inv unenrol STUDENT`, then enrol the right photos; twins stay as they are."
_MARGIN = 0.06  # cut off each side, so that the search does not use the picture that was indexed


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledPhoto:
    """A row of student_faces whose photo to search for."""

    student_id: str
    external_image_id: str
    photo_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """The student whom a photo was recognised as, or why it was not searched for."""

    photo: EnrolledPhoto
    found: Likeness | Stranger | None = None
    problem: str | None = None
    remedy: str | None = None

    @property
    def is_right(self) -> bool:
        """Say whether the photo was recognised as its own student."""
        return isinstance(self.found, Likeness) and self.found.student_id == self.photo.student_id

    def __str__(self) -> str:
        return f"{self.photo.photo_url} of {self.photo.student_id}: {self.problem or _describe(self.found)}"

    @property
    def way_out(self) -> str:
        """Return the command that fixes it."""
        if self.remedy:
            return self.remedy
        if isinstance(self.found, Stranger):
            return _SYNC if self.found.has_row else _ADOPT
        return _LOOK if self.found else _COMPLETE


def read_enrolled_photos(conn: "Connection", *, one_each: bool) -> list[EnrolledPhoto]:
    """Return every enrolled photo, or only each student's first one; read-only."""
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
    conn: "Connection",
    photos: Sequence[EnrolledPhoto],
    *,
    collection: Collection,
    bucket: Bucket,
    threshold: float,
    advance: Callable[[], None] = lambda: None,
) -> list[Recognition]:
    """Search the collection for each photo, re-encoded and cropped, and judge the matches as attendance does."""
    held, stored = read_held(conn), bucket.sizes(PHOTOS)

    def recognise(photo: EnrolledPhoto) -> Recognition:
        if photo.photo_url not in stored:
            problem = f"it is not in bucket {bucket.name}"
            return Recognition(photo=photo, problem=problem, remedy=_COMPLETE)
        content = bucket.download(photo.photo_url)
        try:
            shown = fit_picture(disguise(content, photo.photo_url), limit=LARGEST_IMAGE)
        except EduguardError as error:
            return Recognition(photo=photo, problem=error.message, remedy="`inv photos check` names damaged photos.")
        matches = collection.search_by_image(shown, threshold=threshold)
        return Recognition(photo=photo, found=judge_matches(matches, held, threshold=threshold))

    recognitions = []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for recognition in threads.map(recognise, photos):
            recognitions.append(recognition)
            advance()
    return recognitions


def find_incomplete(conn: "Connection", bucket: Bucket) -> list[Recognition]:
    """Return every row that holds no FaceId or whose photo is not in the bucket; read-only."""
    stored = bucket.sizes(PHOTOS)
    incomplete = []
    query = "SELECT student_id, external_image_id, photo_url, face_id FROM student_faces ORDER BY 1, 2"
    for student, external, url, face_id in conn.execute(query):
        photo = EnrolledPhoto(student_id=student, external_image_id=external, photo_url=url)
        if url not in stored:
            problem = f"it is not in bucket {bucket.name}"
            incomplete.append(Recognition(photo=photo, problem=problem, remedy=_COMPLETE))
        elif face_id == PLACEHOLDER:
            incomplete.append(Recognition(photo=photo, problem="its row holds no FaceId", remedy=_INDEX))
    return incomplete


def disguise(jpeg: bytes, name: str = "The picture") -> bytes:
    """Return the picture, cropped on each side and encoded again, so that it cannot match by the bytes of the file.

    Raises:
        EduguardError: if the picture is not a JPEG; names it.
    """
    upright = open_upright(jpeg, name)
    margin_x, margin_y = round(upright.width * _MARGIN), round(upright.height * _MARGIN)
    return encode(upright.crop((margin_x, margin_y, upright.width - margin_x, upright.height - margin_y)))


def require_right(recognitions: Sequence[Recognition], incomplete: Sequence[Recognition] = ()) -> str:
    """Return the counts as one line, if every photo was recognised.

    Args:
        recognitions: the results for the photos that were searched for.
        incomplete: rows to name, whether their photo was searched for or not.

    Raises:
        EduguardError: if photos were not recognised as their own student (names each), or there was nothing to verify.
    """
    if not recognitions:
        raise EduguardError("There is no enrolled photo to verify", hint="Run `inv seed-full` first.")
    known = {each.photo for each in incomplete}
    wrong = [*incomplete, *(each for each in recognitions if not each.is_right and each.photo not in known)]
    if wrong:
        bad = sum(not each.is_right for each in recognitions)
        raise EduguardError(
            f"{bad} of {amount(len(recognitions), 'photo')} not recognised: {'; '.join(map(str, wrong))}",
            hint=" ".join(dict.fromkeys(each.way_out for each in wrong)),
        )
    lowest = min(each.found.similarity for each in recognitions if each.found)
    return f"{len(recognitions)} of {amount(len(recognitions), 'photo')} recognised, lowest similarity {lowest:.1f}"


def _describe(found: Likeness | Stranger | None) -> str:
    if found is None:
        return "recognised as no student"
    if isinstance(found, Likeness):
        return f"taken for {found.student_id}"
    if found.holder:
        return f"taken for {found.holder}, whose row holds the face of {found.name}"
    return f"its face is most like {found.name}, which no row of its student holds"
