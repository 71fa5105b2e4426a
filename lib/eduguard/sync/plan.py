"""Rows, faces, and the plan that makes the rows of a scope agree with the faces of a collection: all of it pure."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from eduguard.aws.types import Face
from eduguard.identifiers import PLACEHOLDER, TEMPORARY, split_external_image_id
from eduguard.sync.spool import Spool


class FaceRow(NamedTuple):
    """One row of student_faces, as far as sync is concerned."""

    external_image_id: str
    face_id: str


class Group(NamedTuple):
    """What bears one external image id: a row, faces, or both."""

    external_image_id: str | None
    row: FaceRow | None
    faces: list[Face]


class Change(NamedTuple):
    """A row whose FaceId is to be written: from what it holds to what it is to hold."""

    external_image_id: str
    before: str
    after: str


class Conflict(NamedTuple):
    """A row that cannot get its face, because a row that keeps its FaceId holds that very one."""

    external_image_id: str
    before: str
    face_id: str
    holder: str


def _changes() -> Spool[Change]:
    return Spool(Change._make)


def _rows() -> Spool[FaceRow]:
    return Spool(FaceRow._make)


def _faces() -> Spool[Face]:
    return Spool(Face._make)


@dataclass(slots=True, kw_only=True, eq=False)
class Plan:
    """What sync would do and what it found; every spool is in the order of external image ids."""

    link: Spool[Change] = field(default_factory=_changes)
    """rows that hold the placeholder and have a face"""
    relink: Spool[Change] = field(default_factory=_changes)
    """rows whose face has another FaceId than they hold"""
    unlink: Spool[Change] = field(default_factory=_changes)
    """rows without a face that go back to the placeholder, where that was asked for"""
    unchanged: int = 0
    unchanged_rows: Spool[FaceRow] = field(default_factory=_rows)
    """which these are, where that was asked for"""
    missing: Spool[FaceRow] = field(default_factory=_rows)
    """rows without a face"""
    missing_linked: int = 0
    """those of them that hold a FaceId"""
    conflict: Spool[Conflict] = field(default_factory=lambda: Spool(Conflict._make))
    orphan: Spool[Face] = field(default_factory=_faces)
    """faces of our form without a row"""
    duplicate: Spool[Face] = field(default_factory=_faces)
    """faces that lost against another one of the same external image id"""
    foreign: Spool[Face] = field(default_factory=_faces)
    """faces whose external image id is not of our form, or that have none"""
    temporary: Spool[Face] = field(default_factory=_faces)
    """faces that an attendance run left behind"""

    def changes(self) -> Iterator[Change]:
        """Yield every row to be written, in the order of external image ids."""
        return heapq.merge(self.link, self.relink, self.unlink)

    @property
    def changed(self) -> int:
        """Return how many rows are to be written."""
        return len(self.link) + len(self.relink) + len(self.unlink)

    @property
    def has_drift(self) -> bool:
        """Say whether rows and collection disagree; faces that are not of our form are none of our business."""
        found = (self.missing, self.conflict, self.orphan, self.duplicate, self.temporary)
        return bool(self.changed or any(found))

    @property
    def rows(self) -> int:
        """Return how many rows were compared."""
        return self.unchanged + len(self.link) + len(self.relink) + len(self.missing) + len(self.conflict)

    @property
    def lost(self) -> int:
        """Return how many rows that hold a FaceId would lose it, or find it gone."""
        return len(self.relink) + self.missing_linked

    @property
    def linked(self) -> int:
        """Return how many rows hold a FaceId."""
        return self.unchanged + len(self.relink) + self.missing_linked

    def counts(self) -> dict[str, int]:
        """Return the number of items by kind, in the order in which they are shown."""
        changes = {kind: len(getattr(self, kind)) for kind in ("link", "relink", "unlink")}
        found = ("missing", "conflict", "orphan", "duplicate", "foreign", "temporary")
        return changes | {"unchanged": self.unchanged} | {kind: len(getattr(self, kind)) for kind in found}

    @property
    def shown(self) -> int:
        """Return how many items there are to show."""
        counts = self.counts()  # unlinked rows are missing ones
        return sum(counts.values()) - counts["unchanged"] - counts["unlink"] + len(self.unchanged_rows)

    def summary(self, *, applied: bool) -> str:
        """Return the counts as one line."""
        in_collection_only = len(self.orphan) + len(self.duplicate) + len(self.foreign) + len(self.temporary)
        parts = [
            f"{self.changed} {'synced' if applied else 'to sync'}",
            f"{self.unchanged} unchanged",
            f"{len(self.missing)} not in collection",
            f"{in_collection_only} in collection only",
        ]
        return ", ".join([*parts, *([f"{len(self.conflict)} in conflict"] if self.conflict else [])])

    def items(self) -> Iterator[str]:
        """Yield a line for each item: = unchanged, + link, * relink, - missing or unlink, ! what asks for a look."""
        for row in self.unchanged_rows:
            yield f"= {row.external_image_id}: {row.face_id}"
        for change in self.link:
            yield f"+ {change.external_image_id}: {change.after}"
        for change in self.relink:
            yield f"* {change.external_image_id}: {change.before} → {change.after}"
        for row in self.missing:
            unlinked = self.unlink and row.face_id != PLACEHOLDER
            yield f"- {row.external_image_id}: {'back to the placeholder' if unlinked else 'no face in the collection'}"
        for conflict in self.conflict:
            yield f"! {conflict.external_image_id}: its face {conflict.face_id} is held by {conflict.holder}"
        for kind in ("orphan", "duplicate", "temporary", "foreign"):
            for face in getattr(self, kind):
                yield f"! {kind} {face.face_id}: {face.external_image_id or 'no external image id'}"


def plan_sync(
    rows: Iterable[FaceRow],
    faces: Iterable[Face],
    *,
    holders: Mapping[str, str] | None = None,
    unlink_missing: bool = False,
    in_full: bool = False,
) -> Plan:
    """Compare rows with faces; a pure function, whose result does not depend on the order of its arguments.

    Where several faces carry one external image id, the one the row already has stays; without it the face with the
    highest confidence is taken, then the one with the lowest FaceId; the others are duplicates. A face that is listed
    twice, because the collection changed between two pages, counts once. One that is listed under the external image
    ids of several rows stays with the row that has it; without it the lowest of these ids has a claim to it.

    Args:
        rows: those to be compared.
        faces: as they were listed.
        holders: the FaceIds that other rows hold, and these rows' external image ids.
        unlink_missing: rows without a face go back to the placeholder.
        in_full: the plan names the rows that stay as they are.
    """
    by_id: dict[str | None, FaceRow] = {row.external_image_id: row for row in rows}
    listed: dict[str | None, list[Face]] = {}
    for face in faces:
        listed.setdefault(face.external_image_id, []).append(face)
    groups = [
        Group(external, row, same)
        for external, same in listed.items()
        if (row := by_id.get(external)) is None or in_full or len(same) > 1 or same[0].face_id != row.face_id
    ]
    alone = [row for external, row in by_id.items() if external not in listed]
    groups = sorted([*groups, *(Group(row.external_image_id, row, []) for row in alone)], key=_external)
    kept = _owners(listed, by_id) | dict(holders or {})
    if not unlink_missing:
        kept |= {row.face_id: row.external_image_id for row in alone if row.face_id != PLACEHOLDER}
    return plan_groups(lambda: groups, rows=len(by_id), kept=kept, unlink_missing=unlink_missing, in_full=in_full)


def plan_groups(
    read: Callable[[], Iterable[Group]], *, rows: int, kept: Mapping[str, str], unlink_missing: bool, in_full: bool
) -> Plan:
    """Make the plan of the groups that may not agree; pure.

    Args:
        read: returns the groups in the order of external image ids, the one without an id last; called more than
            once where rows stand in each other's way.
        rows: how many there are in all: those that stand in no group agree with their faces.
        kept: the FaceIds that only one row may hold, and the external image ids of these rows.
        unlink_missing: rows without a face go back to the placeholder.
        in_full: the plan names the rows that stay as they are; then all of them stand in a group.
    """
    kept = dict(kept)
    while True:
        plan = _Draft(kept, unlink_missing=unlink_missing, in_full=in_full).finish(read(), rows)
        # A row in conflict keeps its FaceId too, which another row may be waiting for.
        more = {each.before: each.external_image_id for each in plan.conflict if each.before != PLACEHOLDER}
        if more.items() <= kept.items():
            return plan
        kept |= more


def _owners(listed: Mapping[str | None, list[Face]], rows: Mapping[str | None, FaceRow]) -> dict[str, str]:
    claims = {(face.face_id, row) for external, same in listed.items() if (row := rows.get(external)) for face in same}
    if len(claims) == len({face_id for face_id, _ in claims}):
        return {}
    owners = {face_id: row.external_image_id for face_id, row in sorted(claims, reverse=True)}
    return owners | {face_id: row.external_image_id for face_id, row in claims if row.face_id == face_id}


class _Draft:
    def __init__(self, kept: Mapping[str, str], *, unlink_missing: bool, in_full: bool) -> None:
        self._kept, self._unlink_missing, self._in_full = kept, unlink_missing, in_full
        self._plan = Plan()

    def finish(self, groups: Iterable[Group], rows: int) -> Plan:
        add_row, sort_out, grouped = self._add_row, self._sort_out, 0
        for _, row, faces in groups:
            if row is None:
                sort_out(faces)
            else:
                grouped += 1
                add_row(row, faces)
        self._plan.unchanged += rows - grouped
        return self._plan

    def _add_row(self, row: FaceRow, faces: list[Face]) -> None:
        if not faces:
            self._add_missing(row)
            return
        face = faces[0]
        if len(faces) > 1:
            face, *rivals = sorted(_distinct(faces), key=lambda face: _preference(face, row))
            for rival in rivals:
                self._plan.duplicate.append(rival)
        external, before, after = row.external_image_id, row.face_id, face.face_id
        if before == after:
            self._plan.unchanged += 1
            if self._in_full:
                self._plan.unchanged_rows.append(row)
        elif self._kept.get(after, external) != external:
            self._plan.conflict.append(Conflict(external, before, after, self._kept[after]))
        elif before == PLACEHOLDER:
            self._plan.link.append(Change(external, before, after))
        else:
            self._plan.relink.append(Change(external, before, after))

    def _add_missing(self, row: FaceRow) -> None:
        self._plan.missing.append(row)
        if row.face_id != PLACEHOLDER:
            self._plan.missing_linked += 1
            if self._unlink_missing:
                self._plan.unlink.append(Change(row.external_image_id, row.face_id, PLACEHOLDER))

    def _sort_out(self, faces: list[Face]) -> None:
        external = faces[0].external_image_id
        if external is not None and split_external_image_id(external):
            spool = self._plan.orphan
        else:
            spool = self._plan.temporary if external and external.startswith(TEMPORARY) else self._plan.foreign
        for face in _distinct(faces):
            spool.append(face)


def _distinct(faces: list[Face]) -> list[Face]:
    ordered = sorted(faces, key=lambda face: (face.face_id, face.confidence))
    return list({face.face_id: face for face in ordered}.values())


def _preference(face: Face, row: FaceRow) -> tuple[bool, float, str]:
    return (face.face_id != row.face_id, -face.confidence, face.face_id)


def _external(item: Group) -> tuple[bool, str]:
    return (item.external_image_id is None, item.external_image_id or "")
