"""Drift by kind: the id of everything that disagrees, and the command that fixes it; uses facts already read."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from eduguard.checks import OK, Finding, PlaceEvidence, compare_places, find_states, judge_places, judge_plan
from eduguard.errors import EduguardError
from eduguard.identifiers import split_external_image_id
from eduguard.report.facts import Facts, shown_places
from eduguard.sync import Plan, pair_up, plan_sync

_COMMAND = re.compile(r"\binv [^,;`]+")
_TITLES = {
    "link": "rows that hold the placeholder and have a face",
    "relink": "rows that hold an old FaceId",
    "conflict": "rows whose face another row holds",
    "duplicate": "faces beside the one that a row holds",
    "temporary": "faces that an attendance run left behind",
    "photo": "photos without a face and a row",
    "row + photo": "photos without a face",
    "face": "faces without a photo and a row",
    "row + face": "faces without a photo",
    "photo + face": "photos and faces without a row",
    "row": "rows without a photo and a face",
}
_ALONE = ("photo", "face")
_LOOSE = "The rows could not be read: only bucket and collections were compared."


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that disagrees."""

    name: str
    """an external image id or another name"""
    note: str = ""

    @property
    def student(self) -> str:
        """Return the student whom it belongs to; an empty text if the name does not say."""
        parts = split_external_image_id(self.name)
        return parts[0] if parts else ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """One kind of drift."""

    kind: str
    title: str
    remedy: str
    items: tuple[Item, ...]

    @cached_property
    def commands(self) -> tuple[str, ...]:
        """Return the commands of the remedy."""
        return find_commands(self.remedy)


def find_commands(remedy: str) -> tuple[str, ...]:
    """Return the commands that a remedy names, in order, up to a semicolon: after that comes an alternative."""
    return tuple(each.strip() for each in _COMMAND.findall(remedy.partition(";")[0]))


def plan_syncs(facts: Facts) -> Iterator[tuple[PlaceEvidence, Plan]]:
    """Yield each collection whose rows and faces are known, with the plan of a sync."""
    for place in shown_places(facts):
        if isinstance(place.rows, list) and isinstance(place.faces, list):
            yield place, plan_sync(pair_up(place.rows, place.faces))


def find_unsynced(school: str | None, plan: Plan) -> Iterator[Group]:
    """Yield a group for each kind of drift between the rows of a collection and its faces."""
    items: dict[str, Iterable[Item]] = {
        "link": (Item(each.external_image_id, f"→ {each.after}") for each in plan.link),
        "relink": (Item(each.external_image_id, f"{each.before} → {each.after}") for each in plan.relink),
        "conflict": (
            Item(each.external_image_id, f"{each.face_id} is held by {each.holder}") for each in plan.conflict
        ),
        "duplicate": (Item(each.external_image_id or "", each.face_id) for each in plan.duplicate),
        "temporary": (Item(each.external_image_id or "", each.face_id) for each in plan.temporary),
    }
    for kind, found in items.items():
        told = [each for each in judge_plan(Plan(**{kind: getattr(plan, kind)}), school) if each.verdict != OK]
        if told:
            title = f"{school}: {_TITLES[kind]}" if school else _TITLES[kind]
            yield Group(kind=kind, title=title, remedy=told[0].remedy or "", items=tuple(found))


def find_apart(facts: Facts) -> Iterator[Group]:
    """Yield a group for each state in which a photo, a face or a row is missing."""
    states, remedy = find_states(facts.evidence), None
    if not states:
        states, remedy = _compare_without_rows(facts), _LOOSE
    strange = list[Item]()
    for state, ids in states.items():
        if state not in _TITLES or (remedy and state not in _ALONE):
            continue
        items = [Item(each) for each in ids]
        ours = items if remedy else [each for each in items if each.student in facts.known]
        strange += [] if remedy else [Item(each.name, state) for each in items if each.student not in facts.known]
        if ours:
            told = remedy or _remedy(judge_places({state: [each.name for each in ours]}, set(facts.known)))
            title = _TITLES[state].partition(" and ")[0] if remedy else _TITLES[state]
            yield Group(kind=state, title=title, remedy=told, items=tuple(ours))
    if strange:
        told = _remedy(judge_places({"photo": [each.name for each in strange]}, set()))
        title = "photos and faces of students who are not in the database"
        yield Group(kind="unknown", title=title, remedy=told, items=tuple(strange))


def _compare_without_rows(facts: Facts) -> dict[str, list[str]]:
    photos, names = facts.evidence.photos, set[str]()
    places = list(shown_places(facts))
    if isinstance(photos, EduguardError) or not places:
        return {}
    for place in places:
        if not isinstance(place.faces, list):
            return {}
        names |= {face.external_image_id or "" for face in place.faces}
    return compare_places(set(), photos, {name for name in names if split_external_image_id(name)})


def _remedy(findings: Sequence[Finding]) -> str:
    return next((each.remedy for each in findings if each.remedy), "")
