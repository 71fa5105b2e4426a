"""Draw portraits under the keys that rows name: classmates do not look alike, and each student has one face."""

import io
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, groupby
from typing import TYPE_CHECKING

from eduguard.aws import Bucket
from eduguard.identifiers import PHOTOS, split_external_image_id
from eduguard.plurals import amount
from eduguard.portability.generation.drawing.face import Colour, Light, Pose
from eduguard.portability.generation.portraits import read_groups
from eduguard.portability.reindexing import read_keys
from eduguard.schools import Place, Scope
from eduguard.students import DRAWN, DRAWN_COMMENT

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 8
_FACE = "face"  # the metadata key that holds the number of the drawn face
_SIZE, _QUALITY = (200, 250), 88
# Pose, light and backdrop of a student's first, second and third photo; further photos repeat them. They differ little:
# with heads turned by 7 degrees, the face of one photo in 750 was lost when `inv verify` cropped it.
_SHOTS: tuple[tuple[Pose, Light, Colour], ...] = (
    (Pose(), Light(side=0.4, shadow=0.2), (170, 190, 205)),
    (Pose(yaw=4.0, roll=-2.0, smile=0.2), Light(side=-0.6, shadow=0.25, warmth=0.6), (205, 196, 170)),
    (Pose(yaw=-4.0, roll=2.0), Light(side=0.6, shadow=0.2, warmth=-0.5), (120, 150, 130)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """A photo that a row names, and its student's class: the section, or the grade of a student without a section."""

    student_id: str
    number: int
    key: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingPlan:
    """What to draw, and what is in the bucket already."""

    faces: Mapping[Portrait, int]
    """the number of the face to draw, by photo"""
    drawn: int = 0
    """photos that have been drawn already"""
    others: tuple[str, ...] = ()
    """keys of photos that we did not draw and that will be replaced"""

    def summary(self, *, done: str) -> str:
        """Return the counts as one line."""
        replacing = f", {len(self.others):,} in place of photos that were not drawn" if self.others else ""
        return f"{amount(len(self.faces), 'portrait')} {done}, {self.drawn:,} were there{replacing}"


def read_portraits(conn: "Connection", places: Iterable[Place]) -> list[Portrait]:
    """Return every photo that the rows of some collections name, sorted by class; read-only."""
    query = "SELECT id, coalesce(grade_section_id, grade_id, '') FROM students"
    groups: dict[str, str] = dict(conn.execute(query).fetchall())
    keys = {name: key for place in places for name, key in read_keys(conn, Scope(place=place)).items()}
    named = ((split_external_image_id(name), key) for name, key in keys.items())
    portraits = [
        Portrait(student_id=parts[0], number=parts[1], key=key, group=groups[parts[0]]) for parts, key in named if parts
    ]
    return sorted(portraits, key=lambda each: (each.group, each.student_id, each.number))


def plan_drawing(portraits: Iterable[Portrait], bucket: Bucket) -> DrawingPlan:
    """Plan the missing portraits; a photo that we drew stays as it is; read-only."""
    wanted, stored = list(portraits), bucket.sizes(PHOTOS) if bucket.exists() else {}
    there = [each for each in wanted if each.key in stored]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        marks = dict(zip(there, threads.map(lambda each: bucket.read_metadata(each.key), there), strict=True))
    drawn = {each: found for each, found in marks.items() if DRAWN.items() <= found.items()}
    known = {each.student_id: int(found[_FACE]) for each, found in drawn.items() if found.get(_FACE, "").isdecimal()}
    faces = choose_faces(wanted, known)
    return DrawingPlan(
        faces={each: faces[each.student_id] for each in wanted if each not in drawn},
        drawn=len(drawn),
        others=tuple(each.key for each in there if each not in drawn),
    )


def choose_faces(portraits: Iterable[Portrait], known: Mapping[str, int]) -> dict[str, int]:
    """Return the number of each student's face; a pure function.

    A student keeps a face that is drawn already. The others in a class get faces of one group, in which no two faces
    look alike; a class larger than its group also gets faces of the next group. If there are more classes than
    groups, students of different classes share a face.

    Args:
        portraits: the portraits, sorted by class.
        known: the faces that are drawn already, by student.
    """
    groups, chosen = read_groups(), dict[str, int]()
    for number, (_, members) in enumerate(groupby(portraits, key=lambda each: each.group)):
        students = list(dict.fromkeys(each.student_id for each in members))
        taken = {known[student] for student in students if student in known}
        once = [face for face in _faces_from(groups, number) if face not in taken]
        faces = cycle(once or _faces_from(groups, number))
        chosen |= {student: known[student] if student in known else next(faces) for student in students}
    return chosen


def _faces_from(groups: tuple[tuple[int, ...], ...], number: int) -> list[int]:
    """Return the faces of a group, then those of the groups after it, then those of the groups before it."""
    start = number % len(groups)
    return [face for group in (*groups[start:], *groups[:start]) for face in group]


def draw_photos(plan: DrawingPlan, bucket: Bucket, *, advance: Callable[[], None] = lambda: None) -> None:
    """Draw the portraits of a plan and upload each, marked as drawn; an interrupted run can be continued."""

    def draw(portrait: Portrait, face: int) -> None:
        bucket.put(portrait.key, draw_shot(face, portrait.number), {**DRAWN, _FACE: str(face)})
        advance()

    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        list(threads.map(draw, plan.faces.keys(), plan.faces.values()))


def draw_shot(face: int, number: int) -> bytes:
    """Return a student's photo with this number as a JPEG file; drawing it again gives the same file."""
    from eduguard.portability.generation.drawing.anybody import make_face
    from eduguard.portability.generation.drawing.scene import draw_portrait

    picture, content = draw_portrait(make_face(face), *_SHOTS[(number - 1) % len(_SHOTS)], _SIZE), io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, comment=DRAWN_COMMENT)
    return content.getvalue()
