"""Draw a portrait of each student, so that classmates do not look alike."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from time import monotonic

from eduguard.identifiers import photo_key
from eduguard.plurals import amount
from eduguard.portability.generation.dice import below, stream
from eduguard.portability.generation.school import School

# Each line has as many faces (numbers for `draw_anybody`) as the largest section has students. In the local cloud's
# engine, any two faces of a line have a cosine below 0.6; a test measures all of them. No face is in two lines.
_CLASSMATES = Path(__file__).parent / "drawing" / "classmates.csv"


@cache
def read_groups() -> tuple[tuple[int, ...], ...]:
    """Return the groups of faces; the faces of one group can be in one section."""
    lines = _CLASSMATES.read_text().splitlines()
    return tuple(tuple(map(int, line.split(","))) for line in lines)


def choose_faces(school: School) -> Iterator[tuple[str, int]]:
    """Yield the id of each student with the number of their face; a pure function.

    Each section has its own group until all groups are used; after that, students of different sections share faces.
    """
    groups = read_groups()
    start = below(stream(school.seed, "faces", school.number), len(groups))
    for section in school.sections:
        group = groups[(start + section.number) % len(groups)]
        for student, face in zip(section.students, group, strict=False):  # a section is never larger than a group
            yield f"student-{student.key}", face


def draw_portraits(
    folder: Path, schools: Iterable[School], *, begin: Callable[[int], Callable[[], None]], note: Callable[[str], None]
) -> Iterator[tuple[str, str]]:
    """Draw each face once and write it for each of its students; yield the name and SHA-256 of each file.

    Args:
        folder: the folder for the photos, which is laid out like the bucket.
        schools: the schools of the students.
        begin: a function that takes the number of faces, and returns the function to call after each one.
        note: prints how long it will take, estimated from the first few.
    """
    from eduguard.portability.generation.drawing.anybody import draw_anybody

    students: dict[int, list[str]] = {}
    for school in schools:
        for student, face in choose_faces(school):
            students.setdefault(face, []).append(student)
    faces, workers = list(students), os.cpu_count() or 1
    threads = ThreadPoolExecutor(workers)
    try:
        began, trial = monotonic(), faces[: 2 * workers]
        drawn = list(threads.map(draw_anybody, trial))
        seconds = (monotonic() - began) / len(trial) * len(faces)
        note(f"photos: {amount(len(faces), 'face')} to draw, about {max(1, round(seconds)):,} s")
        advance = begin(len(faces))
        for face, content in zip(faces, chain(drawn, threads.map(draw_anybody, faces[len(trial) :])), strict=True):
            yield from _write(folder, students[face], content)
            advance()
    finally:
        threads.shutdown(cancel_futures=True)  # so that an interrupted command does not wait for the rest


def _write(folder: Path, students: Iterable[str], content: bytes) -> Iterator[tuple[str, str]]:
    for student in students:
        name = photo_key(student, 1)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
        yield name, sha256(content).hexdigest()
