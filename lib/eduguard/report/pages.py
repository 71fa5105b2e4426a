"""The report page: its content as plain values, and its HTML."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any

from eduguard.aws import Face
from eduguard.checks import OK, Finding, PlaceEvidence, worst
from eduguard.errors import EduguardError
from eduguard.evaluation import Pair
from eduguard.plurals import amount
from eduguard.report.drift import Group, find_apart, find_commands, find_unsynced, plan_syncs
from eduguard.report.facts import Facts, shown_places
from eduguard.report.plots import plot_similarities
from eduguard.report.similarities import Similarities
from eduguard.sync import Plan

MOST_PAIRS = 100  # of each kind, to show side by side
_FOLDER = Path(__file__).parent / "page"
_BY_ID = {"sync", "photos"}  # the steps whose findings are shown as groups of ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two photos to show side by side."""

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Couple:
    """Two photos, or two faces of one photo, to show side by side."""

    title: str
    sides: tuple[Side, Side]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything to show; nothing of it is HTML yet."""

    target: str
    made_at: datetime
    verdict: str
    findings: tuple[Finding, ...]
    """the findings of the checks, except those that the groups show"""
    counts: tuple[tuple[str, str], ...]
    schools: tuple[Mapping[str, Any], ...]
    unsynced: tuple[Group, ...]
    apart: tuple[Group, ...]
    unread: tuple[str, ...]
    """what is missing from the page because it could not be read"""
    look_alikes: tuple[Couple, ...]
    more_look_alikes: int
    duplicates: tuple[Couple, ...]
    more_duplicates: int
    similarities: Similarities | None
    unsearched: str
    """why no face was searched for; an empty text if all were"""
    migrations: Mapping[str, Any] | None
    names: Mapping[str, str]
    has_names: bool
    has_thumbnails: bool

    def disagreeing(self) -> int:
        """Return how many rows, photos and faces disagree."""
        return sum(len(group.items) for group in (*self.unsynced, *self.apart))

    def summary(self) -> str:
        """Return the content of the page as one line."""
        shown = [what for what, is_shown in (("names", self.has_names), ("pictures", self.has_thumbnails)) if is_shown]
        unread = f"; {amount(len(self.unread), 'thing')} could not be read" if self.unread else ""
        private = " and ".join(shown) or "neither names nor pictures"
        return f"{self.verdict}, {amount(self.disagreeing(), 'id')} with drift{unread}; with {private}"

    @property
    def pictured(self) -> set[str]:
        """Return the photos to show side by side."""
        return {side.name for couple in (*self.look_alikes, *self.duplicates) for side in couple.sides}


def make_page(
    facts: Facts,
    similarities: Similarities | None,
    *,
    unsearched: str,
    made_at: datetime,
    names: bool,
    thumbnails: bool,
) -> Page:
    """Assemble a page without reading anything more.

    Args:
        facts: what was read.
        similarities: what the searches have found.
        unsearched: why there were no searches.
        made_at: the time at which the facts were read.
        names: whether the page shows the students' names.
        thumbnails: whether the page shows small pictures.
    """
    status = {} if isinstance(facts.status, EduguardError) else facts.status
    look_alikes = similarities.look_alikes if similarities else ()
    plans = list(plan_syncs(facts))
    duplicates = [couple for place, plan in plans for couple in _find_duplicates(place, plan)]
    return Page(
        target=facts.settings.target.name,
        made_at=made_at,
        verdict=worst(facts.findings),
        findings=tuple(each for each in facts.findings if each.verdict == OK or each.step not in _BY_ID),
        counts=tuple(_count(facts, status)),
        schools=tuple({"school": name, **school} for name, school in status.get("schools", {}).items()),
        unsynced=tuple(group for place, plan in plans for group in find_unsynced(place.place.school, plan)),
        apart=tuple(find_apart(facts)),
        unread=tuple(_find_unread(facts)),
        look_alikes=tuple(_pair_up(each) for each in look_alikes[:MOST_PAIRS]),
        more_look_alikes=max(0, len(look_alikes) - MOST_PAIRS),
        duplicates=tuple(duplicates[:MOST_PAIRS]),
        more_duplicates=max(0, len(duplicates) - MOST_PAIRS),
        similarities=similarities,
        unsearched=unsearched,
        migrations=status.get("migrations"),
        names=facts.names,
        has_names=names,
        has_thumbnails=thumbnails,
    )


def render(page: Page, pictures: Mapping[str, str]) -> str:
    """Return the HTML of a page; the HTML does not load any other file.

    Args:
        page: what to show.
        pictures: the data URLs of photos by external image id.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["commands"] = lambda commands: join_commands(commands, page.target)
    environment.filters["remedies"] = find_commands
    style, script = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    found = page.similarities
    return environment.get_template("page.html").render(
        page=page,
        pictures=pictures,
        # Safe: the files are ours, and the plot contains only our own text.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=_hash(script),
        style_hash=_hash(style),
        plot=Markup(plot_similarities(found.scores, found.threshold)) if found else "",  # noqa: S704
    )


def join_commands(commands: Sequence[str], target: str) -> str:
    """Return the commands as one shell line in which every command names the target."""
    return " && ".join(f"INVOKE_TARGET={quote(target)} {command}" for command in commands)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"


def _count(facts: Facts, status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows, evidence = status.get("rows", {}), facts.evidence
    yield "students", _number(rows.get("students"))
    yield "rows of faces", _number(rows.get("student_faces"))
    yield "rows that wait for their FaceId", _number(status.get("faces", {}).get("placeholders"))
    yield "faces in the collections", _number(status.get("faces", {}).get("in_collection"))
    yield "photos in the bucket", _number(None if isinstance(evidence.photos, EduguardError) else len(evidence.photos))
    yield "rows in all tables", _number(sum(rows.values()) if rows else None)


def _number(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"


def _find_unread(facts: Facts) -> Iterator[str]:
    evidence = facts.evidence
    if isinstance(evidence.places, EduguardError):
        yield "the schools and their collections"
    if isinstance(facts.status, EduguardError):
        yield "the database's counts and migrations"
    if isinstance(evidence.database, EduguardError) or not evidence.database.has_rows:
        yield "the rows of faces: photos and faces are compared with each other only"
    for place in shown_places(facts):
        if not isinstance(place.faces, list):
            yield f"the faces of collection {place.place.collection}"
        if isinstance(place.rows, EduguardError):
            yield f"the rows of collection {place.place.collection}"
    if isinstance(evidence.photos, EduguardError):
        yield "the photos in the bucket"


def _pair_up(pair: Pair) -> Couple:
    return Couple(title=f"similarity {pair.similarity:.2f}", sides=(Side(name=pair.one), Side(name=pair.other)))


def _find_duplicates(place: PlaceEvidence, plan: Plan) -> Iterator[Couple]:
    """Yield each duplicate face next to the face that was chosen for the same external image id."""
    lost = list(plan.duplicate)
    losers = {face.face_id for face in lost}
    listed = place.faces if isinstance(place.faces, list) else []
    kept: dict[str | None, Face] = {face.external_image_id: face for face in listed if face.face_id not in losers}
    for face in lost:
        if winner := kept.get(face.external_image_id):
            sides = (_side(winner, "stays"), _side(face, "duplicate"))
            yield Couple(title="two faces with one external image id", sides=sides)


def _side(face: Face, what: str) -> Side:
    return Side(name=face.external_image_id or "", note=f"{what}: {face.face_id}")
