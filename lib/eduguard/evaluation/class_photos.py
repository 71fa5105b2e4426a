"""Class photos whose students are known: which students are recognised, rightly or wrongly."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eduguard.errors import EduguardError
from eduguard.evaluation.scores import Tally
from eduguard.students import Likeness, Sighting

LABELS = "labels.csv"
_COLUMNS = ["photo", "student"]
_FORM = (
    f"{LABELS} has the columns photo,student and a line for each student in each photo; without a student, nobody who "
    "is enrolled is in it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """The similarities between the faces in class photos and the enrolled photos."""

    photos: int
    faces: int
    own: Tally
    """for each student in each photo, the similarity of the best face"""
    strangers: Tally
    """for each face, the similarity with the student whom it resembles most, if that student is not in the photo"""

    def as_json(self) -> dict[str, int]:
        """Return the numbers of photos, faces and students."""
        return {"photos": self.photos, "faces": self.faces, "students": self.own.total}


def read_labels(folder: Path) -> dict[Path, frozenset[str]]:
    """Return the students in each photo of a folder, according to its labels.csv; read-only.

    Raises:
        EduguardError: if a line has the wrong form, or a photo does not exist; names it.
    """
    file = folder / LABELS
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.reader(lines, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise EduguardError(f"Cannot read {file}: {reason}", hint=_FORM) from error
    if not rows or rows[0] != _COLUMNS:
        raise EduguardError(f"{file}:1: the columns are {','.join(rows[0]) if rows else 'missing'}", hint=_FORM)
    labels = dict[Path, set[str]]()
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(_COLUMNS) or not row[0]:
            raise EduguardError(f"{file}:{number}: a photo and a student are expected", hint=_FORM)
        photo = folder / row[0]
        if not photo.is_file():
            raise EduguardError(f"{file}:{number}: there is no photo {photo}", hint=_FORM)
        labels.setdefault(photo, set()).update(filter(None, [row[1].strip()]))
    if not labels:
        raise EduguardError(f"{file} names no photo", hint=_FORM)
    return {photo: frozenset(students) for photo, students in labels.items()}


def score_sightings(labels: Sequence[frozenset[str]], sightings: Iterable[Sighting]) -> ClassScores:
    """Compare the students in each photo with those whom its faces resemble most; a pure function.

    Args:
        labels: the students in each photo, in the order of the photos.
        sightings: every face in the photos.
    """
    found, faces = [dict[str, float]() for _ in labels], 0
    for each in sightings:
        faces += 1
        if isinstance(each.likeness, Likeness):
            student, best = each.likeness.student_id, found[each.photo]
            best[student] = max(each.likeness.similarity, best.get(student, 0.0))
    return ClassScores(
        photos=len(labels),
        faces=faces,
        own=Tally.of(_of(found, labels, inside=True), sum(map(len, labels))),
        strangers=Tally.of(_of(found, labels, inside=False), faces),
    )


def _of(found: Sequence[Mapping[str, float]], labels: Sequence[frozenset[str]], *, inside: bool) -> list[float]:
    return [
        similarity
        for best, students in zip(found, labels, strict=True)
        for student, similarity in best.items()
        if (student in students) is inside
    ]
