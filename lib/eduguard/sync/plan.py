"""Pair rows with faces by external image id, and plan changes that make the rows agree with them; pure functions."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from eduguard.aws import Face
from eduguard.identifiers import PLACEHOLDER, TEMPORARY, split_external_image_id
from eduguard.sync.items import Item
from eduguard.sync.spool import Spool

# The state of a FaceId that another row holds:
SETTLED = "settled"  # that row keeps it: the row is outside the scope, or the face is listed for it too
MISSING = "missing"  # no face is listed for that row
MOVING = "moving"  # only other faces are listed for that row
_FEW = 10  # linked rows; fewer than these are never a mass change
_MASS_CHANGE = 30  # per cent of the linked rows, or of the listed faces when faces are deleted


class FaceRow(NamedTuple):
    """One row of student_faces, with the columns that sync needs."""

    external_image_id: str
    face_id: str


class Pair(NamedTuple):
    """A row and a face with the same external image id; or a row without a face, or a face without a row."""

    external_image_id: str
    """empty for a face without an external image id"""
    held: str
    """the row's FaceId or placeholder; empty without a row"""
    face_id: str
    """empty without a face"""
    confidence: float
    holder: str | None = None
    """the external image id of another row that holds this FaceId"""
    holder_state: str | None = None
    """SETTLED, MISSING or MOVING"""
    claimant: str | None = None
    """if the face is listed for several rows: the lowest of their external image ids"""

    @property
    def face(self) -> Face:
        """Return the face of a pair that has one."""
        return Face(self.face_id, self.external_image_id or None, self.confidence)


class Change(NamedTuple):
    """A row whose FaceId will be written: its present and its new value."""

    external_image_id: str
    before: str
    after: str


class Conflict(NamedTuple):
    """A row that cannot get its face's FaceId, because another row holds and keeps that FaceId."""

    external_image_id: str
    before: str
    face_id: str
    holder: str


@dataclass(slots=True, kw_only=True, eq=False)
class Plan:
    """The changes that sync would make and its findings; every spool is in the order of external image ids."""

    link: Spool[Change] = field(default_factory=lambda: Spool(Change._make))
    """rows that hold the placeholder and have a face"""
    relink: Spool[Change] = field(default_factory=lambda: Spool(Change._make))
    """rows that hold another FaceId than their face has"""
    unlink: Spool[Change] = field(default_factory=lambda: Spool(Change._make))
    """rows without a face that are reset to the placeholder, if that was asked for"""
    unchanged: int = 0
    unchanged_rows: Spool[FaceRow] = field(default_factory=lambda: Spool(FaceRow._make))
    """the rows that agree with their faces, if they were asked for"""
    missing: Spool[FaceRow] = field(default_factory=lambda: Spool(FaceRow._make))
    """rows without a face"""
    missing_linked: int = 0
    """the rows without a face that hold a FaceId"""
    conflict: Spool[Conflict] = field(default_factory=lambda: Spool(Conflict._make))
    orphan: Spool[Face] = field(default_factory=lambda: Spool(Face._make))
    """faces without a row whose external image id has our form"""
    duplicate: Spool[Face] = field(default_factory=lambda: Spool(Face._make))
    """faces for which another face with the same external image id was chosen"""
    foreign: Spool[Face] = field(default_factory=lambda: Spool(Face._make))
    """faces whose external image id is missing or does not have our form"""
    temporary: Spool[Face] = field(default_factory=lambda: Spool(Face._make))
    """faces that an attendance run left behind"""

    def changes(self) -> Iterator[Change]:
        """Yield every row to write, in the order of external image ids."""
        return heapq.merge(self.link, self.relink, self.unlink)

    @property
    def changed(self) -> int:
        """Return how many rows will be written."""
        return len(self.link) + len(self.relink) + len(self.unlink)

    @property
    def has_drift(self) -> bool:
        """Say whether rows and collection disagree; faces whose ids do not have our form are ignored."""
        found = (self.missing, self.conflict, self.orphan, self.duplicate, self.temporary)
        return bool(self.changed or any(found))

    @property
    def rows(self) -> int:
        """Return how many rows were compared."""
        return self.unchanged + len(self.link) + len(self.relink) + len(self.missing) + len(self.conflict)

    @property
    def lost(self) -> int:
        """Return how many rows that hold a FaceId would lose it, or hold one that is gone."""
        return len(self.relink) + self.missing_linked

    @property
    def linked(self) -> int:
        """Return how many rows hold a FaceId."""
        return self.unchanged + len(self.relink) + self.missing_linked

    @property
    def is_mass_change(self) -> bool:
        """Say whether so many rows would lose their FaceId that the collection is probably the wrong one."""
        return self.linked >= _FEW and is_mass_share(self.lost, self.linked)

    def counts(self) -> dict[str, int]:
        """Return the number of items by kind, in the order in which they are shown."""
        changes = {kind: len(getattr(self, kind)) for kind in ("link", "relink", "unlink")}
        found = ("missing", "conflict", "orphan", "duplicate", "foreign", "temporary")
        return changes | {"unchanged": self.unchanged} | {kind: len(getattr(self, kind)) for kind in found}

    @property
    def shown(self) -> int:
        """Return how many items there are to show."""
        counts = self.counts()  # unlinked rows are counted as missing too
        return sum(counts.values()) - counts["unchanged"] - counts["unlink"] + len(self.unchanged_rows)

    def summary(self, *, applied: bool) -> str:
        """Return the counts as one line."""
        in_collection_only = len(self.orphan) + len(self.duplicate) + len(self.foreign) + len(self.temporary)
        conflicts = f", {len(self.conflict)} in conflict" if self.conflict else ""
        return (
            f"{self.changed} {'synced' if applied else 'to sync'}, {self.unchanged} unchanged, "
            f"{len(self.missing)} not in collection, {in_collection_only} in collection only{conflicts}"
        )

    def items(self) -> Iterator[Item]:
        """Yield the result for each row and face, unchanged rows first, if they are known."""
        for row in self.unchanged_rows:
            yield Item("unchanged", row.external_image_id, row.face_id, row.face_id)
        for kind, changes in (("link", self.link), ("relink", self.relink)):
            for change in changes:
                yield Item(kind, *change)
        for row in self.missing:
            after = PLACEHOLDER if self.unlink else row.face_id
            yield Item("missing", row.external_image_id, row.face_id, after)
        for conflict in self.conflict:
            yield Item("conflict", *conflict)
        for kind in ("orphan", "duplicate", "temporary", "foreign"):
            for face in getattr(self, kind):
                yield Item(kind, face.external_image_id, None, face.face_id)


def is_mass_share(part: int, whole: int) -> bool:
    """Say whether a change is so large that it is probably made in the wrong place."""
    return 100 * part > _MASS_CHANGE * whole


def pair_up(
    rows: Iterable[FaceRow], faces: Iterable[Face], *, holders: Mapping[str, str] | None = None
) -> Iterator[Pair]:
    """Pair rows with faces by external image id, in the order of these ids; faces without an id come last.

    `holders` are the FaceIds that rows outside the scope hold, with the external image ids of these rows.
    """
    held, outside = {row.external_image_id: row.face_id for row in rows}, holders or {}
    listed: dict[str, list[Face]] = {}
    for face in faces:
        listed.setdefault(face.external_image_id or "", []).append(face)
    holding = {face_id: external for external, face_id in held.items()} | dict(outside)
    claims = ((face.face_id, external) for external in sorted(held, reverse=True) for face in listed.get(external, ()))
    claimants = dict(claims)  # the last claim, with the lowest external image id, is kept
    for external in sorted({*held, *listed}, key=lambda external: (not external, external)):
        row = held.get(external, "")
        for face_id, _, confidence, _ in listed.get(external, ()):
            holder = holding.get(face_id) if row else None
            if holder is None or holder == external:
                yield Pair(external, row, face_id, confidence, claimant=claimants.get(face_id))
                continue
            others = {face.face_id for face in listed.get(holder, ())}
            state = SETTLED if face_id in outside or face_id in others else MOVING if others else MISSING
            yield Pair(external, row, face_id, confidence, holder, state, claimants.get(face_id))
        if external not in listed:
            yield Pair(external, row, "", 0.0)


def plan_sync(
    pairs: Iterable[Pair], *, rows: int | None = None, unlink_missing: bool = False, in_full: bool = False
) -> Plan:
    """Make the plan from pairs; it does not depend on the order in which faces were listed.

    If several faces have the same external image id, the row keeps the face it already has. If it has none of them, the
    face with the highest confidence is taken, then the one with the lowest FaceId. The others are duplicates. A face
    that is listed twice, because the collection changed between two pages, counts once. A face that is listed under
    the external image ids of several rows stays with the row that has it; if none has it, the lowest id gets it.

    Args:
        pairs: in the order of external image ids; each is read once.
        rows: the number of rows, if the pairs omit some that agree with their faces.
        unlink_missing: reset rows without a face to the placeholder.
        in_full: the plan names unchanged rows; the pairs must then include all rows.
    """
    plan = Plan()
    for external, group in groupby(pairs, itemgetter(0)):
        same = list(group)
        if not same[0].held:
            _sort_out(plan, external, same)
        elif not same[0].face_id:
            _add_missing(plan, same[0], unlink_missing=unlink_missing)
        else:
            _add_row(plan, same, unlink_missing=unlink_missing, in_full=in_full)
    if rows is not None:
        plan.unchanged += rows - plan.rows
    _spread_conflicts(plan)
    return plan


def _sort_out(plan: Plan, external: str, pairs: list[Pair]) -> None:
    others = plan.temporary if external.startswith(TEMPORARY) else plan.foreign
    spool = plan.orphan if split_external_image_id(external) else others
    for pair in _distinct(pairs):
        spool.append(pair.face)


def _add_missing(plan: Plan, pair: Pair, *, unlink_missing: bool) -> None:
    row = FaceRow(pair.external_image_id, pair.held)
    plan.missing.append(row)
    if row.face_id != PLACEHOLDER:
        plan.missing_linked += 1
        if unlink_missing:
            plan.unlink.append(Change(*row, PLACEHOLDER))


def _add_row(plan: Plan, pairs: list[Pair], *, unlink_missing: bool, in_full: bool) -> None:
    pair = pairs[0]
    if len(pairs) > 1:
        pair, *rivals = sorted(_distinct(pairs), key=_preference)
        for rival in rivals:
            plan.duplicate.append(rival.face)
    external, before, after = pair[:3]
    if before == after:
        plan.unchanged += 1
        if in_full:
            plan.unchanged_rows.append(FaceRow(external, before))
    elif owner := _owner(pair, unlink_missing=unlink_missing):
        plan.conflict.append(Conflict(external, before, after, owner))
    elif before == PLACEHOLDER:
        plan.link.append(Change(external, before, after))
    else:
        plan.relink.append(Change(external, before, after))


def _owner(pair: Pair, *, unlink_missing: bool) -> str | None:
    """Return the other row that keeps the FaceId of this pair, or has a claim to it."""
    if pair.holder_state == SETTLED or (pair.holder_state == MISSING and not unlink_missing):
        return pair.holder
    return None if pair.claimant == pair.external_image_id else pair.claimant


def _spread_conflicts(plan: Plan) -> None:
    """Turn changes that wait for a row in conflict into conflicts, because that row keeps its FaceId too."""
    conflicts: Iterable[Conflict] = plan.conflict
    while kept := {each.before: each.external_image_id for each in conflicts if each.before != PLACEHOLDER}:
        changes = heapq.merge(plan.link, plan.relink)
        conflicts = [Conflict(*change, kept[change.after]) for change in changes if change.after in kept]
        if conflicts:
            plan.link = Spool(Change._make, (change for change in plan.link if change.after not in kept))
            plan.relink = Spool(Change._make, (change for change in plan.relink if change.after not in kept))
            plan.conflict = Spool(Conflict._make, heapq.merge(plan.conflict, conflicts))


def _distinct(pairs: list[Pair]) -> list[Pair]:
    ordered = sorted(pairs, key=lambda pair: (pair.face_id, pair.confidence))
    return list({pair.face_id: pair for pair in ordered}.values())


def _preference(pair: Pair) -> tuple[bool, float, str]:
    return (pair.face_id != pair.held, -pair.confidence, pair.face_id)
