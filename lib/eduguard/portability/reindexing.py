"""Index the faces of a collection again from the photos that rows name; the faces it lists are the checkpoint."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eduguard import schools
from eduguard.aws import AnswerLostError, FaceRefusedError
from eduguard.errors import EduguardError
from eduguard.identifiers import PLACEHOLDER, external_image_id, split_external_image_id, split_photo_key
from eduguard.plurals import amount
from eduguard.schools import OF_SCOPE, Scope
from eduguard.students import Faces, Place, Storage, index_stored, list_face_ids
from eduguard.sync import read_rows

if TYPE_CHECKING:
    from psycopg import Connection

_KEYS = f"""
SELECT f.external_image_id, f.photo_url FROM student_faces f JOIN students s ON s.id = f.student_id WHERE {OF_SCOPE}
""".encode()  # noqa: S608 -- contains no value from a user
_STUDENTS = f"SELECT s.id FROM students s WHERE {OF_SCOPE}".encode()  # noqa: S608
_TRIES = 4  # of one photo, if the answer cannot be read
_LOOKS = 3  # at the collection, which is only eventually consistent, until it lists what was indexed
_BETWEEN_LOOKS = 1.0  # seconds
_SHOWN = 10  # names in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Reindexing:
    """What is missing in one collection, compared with the photos that rows name."""

    place: schools.Place
    photos: int
    """the number of all photos"""
    to_index: tuple[Place, ...]
    """photos without a face"""
    lost: tuple[Place, ...]
    """photos of rows that are neither in the bucket nor in the collection"""
    repeated: tuple[str, ...]
    """our external image ids that several faces have"""
    strange: tuple[str, ...] = ()
    """external image ids of faces that belong to none of the photos"""

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "collection": self.place.collection,
            "school": self.place.school,
            "photos": self.photos,
            "to_index": len(self.to_index),
            "lost": [place.key for place in self.lost],
            "repeated": list(self.repeated),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reindexed:
    """The result of a plan: which photos were refused, and why; all others have a face now."""

    plan: Reindexing
    refused: Mapping[str, str]
    """the reason for each refused photo, by external image id"""

    @property
    def indexed(self) -> int:
        """Return how many faces were indexed."""
        return len(self.plan.to_index) - len(self.refused)

    @property
    def findings(self) -> list[str]:
        """Return a line for each problem that indexing could not solve."""
        repeated = [f"{name}: several faces have this external image id" for name in self.plan.repeated]
        lost = [
            f"{place.name}: bucket and collection have nothing; its row names {place.key}" for place in self.plan.lost
        ]
        return [*self.refused.values(), *lost, *repeated]

    def summary(self) -> str:
        """Return the counts as one line."""
        there = self.plan.photos - len(self.plan.to_index) - len(self.plan.lost)
        more = f", {len(self.findings)} to look at" if self.findings else ""
        return f"{self.plan.place.collection}: {amount(self.indexed, 'face')} indexed, {there} were there{more}"

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.plan.as_json(), "indexed": self.indexed, "refused": dict(self.refused)}


def read_students(conn: "Connection", scope: Scope) -> set[str]:
    """Return the ids of the students in the scope; read-only."""
    found = conn.execute(_STUDENTS, scope.parameters())
    return {student for (student,) in found}


def read_keys(conn: "Connection", scope: Scope) -> dict[str, str]:
    """Return the key of each photo that the rows of the scope name, by external image id; read-only."""
    return dict(conn.execute(_KEYS, scope.parameters()).fetchall())


def read_wanted(conn: "Connection", place: schools.Place, stored: Iterable[str], *, is_only: bool) -> dict[str, str]:
    """Return the key of each photo whose face belongs in a collection, by external image id; read-only.

    These are the keys that rows name. If the table of faces is empty, its rows are lost; then these are the keys of our
    form in the bucket that belong to the students, or to anybody if the database has no students.

    Args:
        conn: a connection to the database.
        place: the collection.
        stored: the keys in the bucket.
        is_only: whether this is the target's only collection.

    Raises:
        EduguardError: if there are several collections and nothing says to which of them a photo belongs.
    """
    if conn.execute("SELECT FROM student_faces LIMIT 1").rowcount:
        return read_keys(conn, Scope(place=place))
    students = read_students(conn, Scope(place=place))
    has_students = bool(students) or bool(conn.execute("SELECT FROM students LIMIT 1").rowcount)
    if not has_students and not is_only:
        raise EduguardError(
            f"The database has no student: nothing says which photos belong in {place.collection}",
            hint="Load the students first: `inv seed`.",
        )
    parts = ((key, split_photo_key(key)) for key in stored)
    found = ((key, each) for key, each in parts if each and (not has_students or each[0] in students))
    return {external_image_id(*each): key for key, each in found}


def plan_reindexing(
    place: schools.Place, wanted: Mapping[str, str], stored: Mapping[str, int], listed: Faces
) -> Reindexing:
    """Find the faces that are missing; a pure function.

    Args:
        place: the collection.
        wanted: the key of each photo by external image id.
        stored: the size of each photo in the bucket by key.
        listed: the FaceIds in the collection.
    """
    places = [_find_place(name, wanted[name], stored, listed) for name in sorted(wanted)]
    without_face = [each for each in places if each.face_id is None]
    names = dict(_names(listed))
    return Reindexing(
        place=place,
        photos=len(places),
        to_index=tuple(each for each in without_face if each.has_photo),
        lost=tuple(each for each in without_face if not each.has_photo),
        repeated=tuple(sorted(name for name in names.keys() & wanted.keys() if names[name] > 1)),
        strange=tuple(sorted(names.keys() - wanted.keys())),
    )


def _find_place(name: str, key: str, stored: Mapping[str, int], listed: Faces) -> Place:
    student, number = split_external_image_id(name) or ("", 0)  # a constraint of the table excludes all other names
    face_id = next(iter(listed.get(student, {}).get(number, ())), None)
    return Place(
        student_id=student, number=number, has_photo=key in stored, face_id=face_id, needs_row=False, named_key=key
    )


def _names(listed: Faces) -> Iterator[tuple[str, int]]:
    for student, numbers in listed.items():
        for number, face_ids in numbers.items():
            yield external_image_id(student, number), len(face_ids)


def index_missing(
    plan: Reindexing,
    storage: Storage,
    *,
    stored: Mapping[str, int],
    at_once: int,
    advance: Callable[[], None] = lambda: None,
) -> Reindexed:
    """Index every photo whose face is missing, without searching, and check that the collection lists all of them.

    If a photo is refused, the others are indexed all the same. An interrupted run is continued by running it again,
    because each run asks the collection for its faces.

    Args:
        plan: what is missing.
        storage: the collection, which must exist, and the bucket.
        stored: the size of each photo in the bucket by key.
        at_once: how many requests run at the same time.
        advance: called after each photo.

    Raises:
        EduguardError: if AWS reports an error that is not about one photo, or does not list what it has indexed.
    """
    made, refused = list[Place](), dict[str, str]()

    def index(place: Place) -> None:
        try:
            _index_again(place, storage, stored[place.key])
            made.append(place)
        except FaceRefusedError as error:
            refused[place.name] = f"{error.message}; its photo is {place.key}"
        advance()

    try:
        with ThreadPoolExecutor(at_once) as threads:
            for _ in threads.map(index, plan.to_index):  # after an error, the remaining photos are not started
                pass
    except EduguardError as error:
        raise EduguardError(
            f"{len(made)} of {amount(len(plan.to_index), 'face')} indexed, then this stopped: {error.message}",
            hint=" ".join(filter(None, [error.hint, "`inv reindex` goes on where it stopped."])),
        ) from error
    _check_listed(made, storage)
    return Reindexed(plan=plan, refused=dict(sorted(refused.items())))


def _index_again(place: Place, storage: Storage, size: int) -> None:
    """Index one photo, and try again if the answer cannot be read: the same picture is not stored twice."""
    for _ in range(_TRIES - 1):
        try:
            index_stored(place, size=size, storage=storage)
        except AnswerLostError:
            continue
        return
    index_stored(place, size=size, storage=storage)


def _check_listed(made: Iterable[Place], storage: Storage) -> None:
    waiting = list(made)
    for look in range(_LOOKS):
        if not waiting:
            return
        time.sleep(_BETWEEN_LOOKS if look else 0)
        listed = list_face_ids(storage.collection)
        waiting = [each for each in waiting if not listed.get(each.student_id, {}).get(each.number)]
    if waiting:
        named = ", ".join(each.name for each in waiting[:_SHOWN])
        raise EduguardError(
            f"Collection {storage.collection.name} does not list {amount(len(waiting), 'indexed face')}: {named}",
            hint="Run `inv reindex` again: it makes what is missing then.",
        )


def has_linked_rows(conn: "Connection", place: schools.Place, made: Iterable[Place]) -> bool:
    """Say whether rows of these photos hold FaceIds, which belong to faces that no longer exist; read-only."""
    names = {each.name for each in made}
    return any(
        row.external_image_id in names and row.face_id != PLACEHOLDER for row in read_rows(conn, Scope(place=place))
    )
