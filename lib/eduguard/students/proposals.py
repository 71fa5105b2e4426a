"""Propose a row for each photo in the bucket that no row names: a row whose photo is missing, or a new row."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws import Bucket
from eduguard.identifiers import PHOTOS, external_image_id, split_external_image_id, split_photo_key
from eduguard.students.photos import is_safe_key, judge_photos

if TYPE_CHECKING:
    from psycopg import Connection

_NUMBER = re.compile(r"0*([1-9][0-9]{0,8})\.jpe?g\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A photo in the bucket and the row that should name it; `replaces` is the key that the row names now."""

    student_id: str
    external_image_id: str
    key: str
    replaces: str | None = None

    @property
    def change(self) -> str:
        """Return the change of the row in words."""
        return f"in place of {self.replaces}, which is missing" if self.replaces else "a new row"


def read_proposals(conn: "Connection", bucket: Bucket, note: Callable[[str], None]) -> list[Proposal]:
    """Compare the rows with the photos in the bucket; read-only.

    Args:
        conn: a connection to the database.
        bucket: where the photos are.
        note: prints each object that is not proposed because `inv photos check` would name it.
    """
    rows: dict[str, str] = dict(conn.execute("SELECT external_image_id, photo_url FROM student_faces").fetchall())
    students = {student for (student,) in conn.execute("SELECT id FROM students")}
    keys = bucket.sizes(PHOTOS)
    verdicts = judge_photos(bucket, [each.key for each in propose(rows, keys, students)])
    wrong = {key: verdict for key, verdict in verdicts.items() if verdict}
    for key, verdict in wrong.items():
        note(f"{key} is not proposed: {verdict}; put a good JPEG in its place, or delete it")
    return propose(rows, keys.keys() - wrong.keys(), students)


def propose(rows: Mapping[str, str], keys: Collection[str], students: Collection[str]) -> list[Proposal]:
    """Return a row for each photo that no row names; a pure function.

    A key of the usual form gets the row of its own number. Any other JPEG below the student's prefix gets a row of the
    student whose photo is missing, if possible the row of the number in the key's name. If there is no such row, it
    gets a new one.

    Args:
        rows: the key that each row names, by external image id.
        keys: the keys in the bucket.
        students: the ids in the table of students.
    """
    named, free = set(rows.values()), dict[str, list[str]]()
    for key in sorted(keys):
        student = key.removeprefix(PHOTOS).partition("/")[0]
        if key not in named and student in students and is_safe_key(key):
            free.setdefault(student, []).append(key)
    return [each for student, found in free.items() for each in _propose_for(student, found, rows, keys)]


def _propose_for(
    student: str, free: Iterable[str], rows: Mapping[str, str], keys: Collection[str]
) -> Iterable[Proposal]:
    parts = ((split_external_image_id(external), url) for external, url in rows.items())
    known = {found[1]: url for found, url in parts if found and found[0] == student}
    lost, taken = {number for number, url in known.items() if url not in keys}, set(known)
    # Photos with only one possible number come first.
    for key in sorted(free, key=lambda key: (split_photo_key(key) is None, _number_in(key) not in lost, key)):
        own, number = split_photo_key(key), _number_in(key)
        if own and own[1] not in known:
            chosen = own[1]
        elif number in lost:
            chosen = number
        else:
            chosen = min(lost, default=1 + max(taken, default=0))
        lost.discard(chosen)
        taken.add(chosen)
        yield Proposal(
            student_id=student,
            external_image_id=external_image_id(student, chosen),
            key=key,
            replaces=known.get(chosen),
        )


def accept_proposals(conn: "Connection", proposals: Iterable[Proposal]) -> int:
    """Write the rows in one transaction; return how many were written; skip rows that have changed in the meantime."""
    written = 0
    with conn.transaction():
        for each in proposals:
            if each.replaces:
                query = "UPDATE student_faces SET photo_url = %s WHERE external_image_id = %s AND photo_url = %s"
                written += conn.execute(query, [each.key, each.external_image_id, each.replaces]).rowcount
            else:
                query = (
                    "INSERT INTO student_faces (id, student_id, external_image_id, photo_url) VALUES (%s, %s, %s, %s) "
                    "ON CONFLICT DO NOTHING"
                )
                values = [each.external_image_id, each.student_id, each.external_image_id, each.key]
                written += conn.execute(query, values).rowcount
    return written


def _number_in(key: str) -> int | None:
    found = _NUMBER.search(key)
    return int(found[1]) if found else None
