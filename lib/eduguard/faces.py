"""External image ids, and the plan that makes rows agree with the faces of a collection: all of it pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

PLACEHOLDER = "placeholder"
TEMPORARY = "temp_attendance_"
# The last `-photo-{n}` is the suffix: a student's id may contain the word itself. Characters and length are those that
# the Rekognition API reference allows in an ExternalImageId.
_EXTERNAL_IMAGE_ID = re.compile(r"(?=.{1,255}\Z)(?P<student_id>[a-zA-Z0-9_.\-:]+)-photo-(?P<number>[1-9][0-9]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceRow:
    """One row of student_faces, as far as sync is concerned."""

    external_image_id: str
    face_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face of a collection; confidence from 0 to 100 that it is a face."""

    face_id: str
    external_image_id: str | None
    confidence: float
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """A row whose FaceId is to be written: from what it holds to what it is to hold."""

    external_image_id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Conflict:
    """A row that cannot get its face, because another row holds that FaceId and has no face of its own."""

    external_image_id: str
    face_id: str
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What sync would do and what it found; every tuple is sorted."""

    link: tuple[Change, ...]
    """rows that hold the placeholder and have a face"""
    relink: tuple[Change, ...]
    """rows whose face has another FaceId than they hold"""
    unlink: tuple[Change, ...]
    """rows without a face that go back to the placeholder, where that was asked for"""
    unchanged: int
    missing: tuple[FaceRow, ...]
    """rows without a face"""
    conflict: tuple[Conflict, ...]
    orphan: tuple[Face, ...]
    """faces of our form without a row"""
    duplicate: tuple[Face, ...]
    """faces that lost against another one of the same external image id"""
    foreign: tuple[Face, ...]
    """faces whose external image id is not of our form, or that have none"""
    temporary: tuple[Face, ...]
    """faces that an attendance run left behind"""

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return every row to be written, in the order of external image ids."""
        return tuple(sorted((*self.link, *self.relink, *self.unlink)))

    @property
    def has_drift(self) -> bool:
        """Say whether rows and collection disagree; faces that are not of our form are none of our business."""
        return bool(self.changes or self.missing or self.conflict or self.orphan or self.duplicate or self.temporary)

    @property
    def rows(self) -> int:
        """Return how many rows were compared."""
        return self.unchanged + len(self.link) + len(self.relink) + len(self.missing) + len(self.conflict)

    @property
    def lost(self) -> int:
        """Return how many rows that hold a FaceId would lose it, or find it gone."""
        return len(self.relink) + sum(row.face_id != PLACEHOLDER for row in self.missing)

    @property
    def linked(self) -> int:
        """Return how many rows hold a FaceId."""
        held = sum(row.face_id != PLACEHOLDER for row in self.missing)
        return self.unchanged + len(self.relink) + held

    def counts(self) -> dict[str, int]:
        """Return the number of items by kind, in the order in which they are shown."""
        return {
            "link": len(self.link),
            "relink": len(self.relink),
            "unlink": len(self.unlink),
            "unchanged": self.unchanged,
            "missing": len(self.missing),
            "conflict": len(self.conflict),
            "orphan": len(self.orphan),
            "duplicate": len(self.duplicate),
            "foreign": len(self.foreign),
            "temporary": len(self.temporary),
        }

    def summary(self, *, applied: bool) -> str:
        """Return the counts as one line."""
        in_collection_only = len(self.orphan) + len(self.duplicate) + len(self.foreign) + len(self.temporary)
        parts = [
            f"{len(self.changes)} {'synced' if applied else 'to sync'}",
            f"{self.unchanged} unchanged",
            f"{len(self.missing)} not in collection",
            f"{in_collection_only} in collection only",
        ]
        return ", ".join([*parts, *([f"{len(self.conflict)} in conflict"] if self.conflict else [])])

    def items(self) -> Iterator[str]:
        """Yield a line for each item: + link, * relink, - missing or unlink, ! what somebody should look at."""
        for change in self.link:
            yield f"+ {change.external_image_id}: {change.after}"
        for change in self.relink:
            yield f"* {change.external_image_id}: {change.before} → {change.after}"
        unlinked = {change.external_image_id for change in self.unlink}
        for row in self.missing:
            what = "back to the placeholder" if row.external_image_id in unlinked else "no face in the collection"
            yield f"- {row.external_image_id}: {what}"
        for conflict in self.conflict:
            yield f"! {conflict.external_image_id}: its face {conflict.face_id} is held by {conflict.holder}"
        for kind in ("orphan", "duplicate", "temporary", "foreign"):
            for face in getattr(self, kind):
                yield f"! {kind} {face.face_id}: {face.external_image_id or 'no external image id'}"


def external_image_id(student_id: str, number: int) -> str:
    """Return the external image id of a student's photo; number starts at 1."""
    return f"{student_id}-photo-{number}"


def split_external_image_id(text: str) -> tuple[str, int] | None:
    """Return student id and photo number, or None where the text is not an external image id of ours."""
    match = _EXTERNAL_IMAGE_ID.match(text)
    return (match["student_id"], int(match["number"])) if match else None


def is_student_id(text: str) -> bool:
    """Say whether external image ids can be made of the text."""
    return split_external_image_id(external_image_id(text, 1)) == (text, 1)


def plan_sync(rows: Iterable[FaceRow], faces: Iterable[Face], *, unlink_missing: bool = False) -> Plan:
    """Compare rows with faces; a pure function, whose result does not depend on the order of its arguments.

    Where several faces carry one external image id, the one the row already has stays; without it the face with the
    highest confidence is taken, then the one with the lowest FaceId; the others are duplicates. A face that is listed
    twice, because the collection changed between two pages, counts once.
    """
    by_row = {row.external_image_id: row for row in rows}
    candidates: defaultdict[str | None, list[Face]] = defaultdict(list)
    for face in {face.face_id: face for face in sorted(faces, key=_identity)}.values():
        candidates[face.external_image_id].append(face)
    chosen: dict[str, Face] = {}
    duplicates: list[Face] = []
    for external, row in by_row.items():
        rivals = sorted(candidates.pop(external, []), key=lambda face: _preference(face, row))
        if rivals:
            chosen[external] = rivals[0]
            duplicates += rivals[1:]
    return _arrange(by_row, chosen, duplicates, candidates, unlink_missing=unlink_missing)


def _arrange(
    rows: Mapping[str, FaceRow],
    chosen: Mapping[str, Face],
    duplicates: list[Face],
    unclaimed: Mapping[str | None, list[Face]],
    *,
    unlink_missing: bool,
) -> Plan:
    missing = [row for external, row in rows.items() if external not in chosen]
    stuck = {} if unlink_missing else {row.face_id: row.external_image_id for row in missing}
    link: list[Change] = []
    relink: list[Change] = []
    conflicts: list[Conflict] = []
    unchanged = 0
    for external, face in chosen.items():
        change = Change(external_image_id=external, before=rows[external].face_id, after=face.face_id)
        if change.before == change.after:
            unchanged += 1
        elif face.face_id in stuck:
            conflicts.append(Conflict(external_image_id=external, face_id=face.face_id, holder=stuck[face.face_id]))
        else:
            (link if change.before == PLACEHOLDER else relink).append(change)
    kinds = _sort_out(unclaimed, duplicates)
    return Plan(
        link=tuple(sorted(link)),
        relink=tuple(sorted(relink)),
        unlink=tuple(
            Change(external_image_id=row.external_image_id, before=row.face_id, after=PLACEHOLDER)
            for row in sorted(missing, key=_external)
            if unlink_missing and row.face_id != PLACEHOLDER
        ),
        unchanged=unchanged,
        missing=tuple(sorted(missing, key=_external)),
        conflict=tuple(sorted(conflicts)),
        **{kind: tuple(sorted(found, key=_identity)) for kind, found in kinds.items()},
    )


def _sort_out(unclaimed: Mapping[str | None, list[Face]], duplicates: list[Face]) -> dict[str, list[Face]]:
    kinds: dict[str, list[Face]] = {"orphan": [], "duplicate": list(duplicates), "foreign": [], "temporary": []}
    for external, found in unclaimed.items():
        if external is None or split_external_image_id(external) is None:
            is_temporary = external is not None and external.startswith(TEMPORARY)
            kinds["temporary" if is_temporary else "foreign"] += found
        else:
            kinds["orphan"] += found
    return kinds


def _preference(face: Face, row: FaceRow) -> tuple[bool, float, str]:
    return (face.face_id != row.face_id, -face.confidence, face.face_id)


def _identity(face: Face) -> tuple[str, str, float]:
    return (face.face_id, face.external_image_id or "", face.confidence)


def _external(row: FaceRow) -> str:
    return row.external_image_id
