"""The command that indexes the faces of collections again, from the photos that rows name."""

import math
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, WAIT, YES, settings_of
from eduguard.errors import LEFT, EduguardError
from eduguard.identifiers import PHOTOS
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import ask, print_note, print_step, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eduguard.portability import Estimate, Reindexed, Reindexing
    from eduguard.schools import Place


GROUP = "Portability"
EXAMPLES = {
    "reindex": "inv reindex --dry-run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The plan of each collection, and the data that the plans were made from."""

    plans: "Sequence[Reindexing]"
    stored: "Mapping[str, int]"
    """the size of each photo in the bucket by key"""
    old: "Place | None" = None
    """the place whose rows are switched to the plan's only collection, if that is a different one"""
    wanted: "Mapping[str, str]" = field(default_factory=dict)
    """the key of each photo of those rows by external image id"""


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
        "into": "index every face in this new collection, check them, and switch the rows and students to it",
        "dry-run": "only show how many photos would be indexed, how long it takes and what it costs",
        "json": JSON,
        "yes": YES,
        "wait": WAIT,
    }
)
def reindex(
    c: Context,
    collection: str = "",
    school: str = "",
    into: str = "",
    dry_run: bool = False,
    json: bool = False,
    yes: bool = False,
    wait: float = math.inf,
) -> None:
    """Index the missing faces of each collection again from the photos that rows name; shows time and cost first."""
    from eduguard.portability import at_pace

    settings = at_pace(settings_of(c, collection, school, wait=wait))
    if into and _is_switched(settings, into):
        return
    work = _plan_into(settings, into) if into else _plan(settings)
    estimated = _estimate(settings, work.plans)
    record({**estimated.as_json(), "collections": [each.as_json() for each in work.plans]})
    _print_plans(settings, work)
    if dry_run:
        return
    _require_consent(settings, estimated, yes=yes)
    done = _index(settings, work)
    _print_outcomes(done)
    found = any(each.findings for each in done)
    switched = _switch(settings, work) if work.old and not found else 0
    record({"collections": [each.as_json() for each in done], "switched": switched})
    _require_all(done, f"; nothing was switched to {into}" if into else "")
    if work.old:
        _print_switched(settings, work, switched)
    else:
        _print_next(settings, done)


def reindex_missing(settings: Settings, *, yes: bool) -> None:
    """Index the missing faces of each collection and print the result, but not what is left to do with the rows.

    Raises:
        EduguardError: without consent to index photos in AWS.
        EduguardError: with status 2, if photos have no face or several.
    """
    from eduguard.portability import at_pace

    settings = at_pace(settings)
    work = _plan(settings)
    _print_plans(settings, work)
    _require_consent(settings, _estimate(settings, work.plans), yes=yes)
    done = _index(settings, work)
    record({"collections": [each.as_json() for each in done]})
    _print_outcomes(done)
    _require_all(done)


def _require_all(done: "Sequence[Reindexed]", kept: str = "") -> None:
    if found := sum(len(each.findings) for each in done):
        raise EduguardError(
            f"{amount(found, 'photo has', 'photos have')} no face, or several; all others have one{kept}",
            code="left",
            status=LEFT,
        )


def _plan(settings: Settings) -> Work:
    """Return what is missing of each collection; read-only."""
    from eduguard.portability import plan_reindexing, read_wanted
    from eduguard.postgres import connect
    from eduguard.students import list_face_ids
    from eduguard.targets import target_bucket, target_collection, target_database, target_places

    stored = target_bucket(settings).sizes(PHOTOS)
    with connect(target_database(settings), purpose="reindex") as conn:
        places = target_places(settings, conn)
        wanted = {place: read_wanted(conn, place, stored, is_only=len(places) == 1) for place in places}
    listed = {place: list_face_ids(target_collection(settings, place.collection)) for place in places}
    plans = [plan_reindexing(place, wanted[place], stored, listed[place]) for place in places]
    return Work(plans=plans, stored=stored)


def _plan_into(settings: Settings, new: str) -> Work:
    """Return what is missing of a collection that is to replace another one; read-only."""
    from eduguard.portability import check_empty_but_for, check_unused, choose_old, plan_reindexing, read_keys
    from eduguard.postgres import connect
    from eduguard.schools import Scope
    from eduguard.students import list_face_ids
    from eduguard.targets import (
        all_places,
        check_writable,
        target_bucket,
        target_collection,
        target_database,
        target_places,
    )

    check_writable(settings, new)
    with connect(target_database(settings), purpose="reindex") as conn:
        places, every = target_places(settings, conn), all_places(settings).read(conn)
        check_unused(new, every, settings.target)
        old = choose_old(conn, places, new)
        wanted = read_keys(conn, Scope(place=old))
    opened = target_collection(settings, new)
    check_empty_but_for(opened, wanted)
    stored, beside = target_bucket(settings).sizes(PHOTOS), replace(old, collection=new)
    plan = plan_reindexing(beside, wanted, stored, list_face_ids(opened))
    return Work(plans=[plan], stored=stored, old=old, wanted=wanted)


def _is_switched(settings: Settings, new: str) -> bool:
    """Return whether the rows are switched to the new collection already, and tell the user if so; read-only."""
    from eduguard.portability import find_switched
    from eduguard.postgres import connect
    from eduguard.schools import Place
    from eduguard.targets import all_places, target_database

    chosen, target = settings.only_collection, settings.target
    with connect(target_database(settings), purpose="reindex") as conn:
        found = find_switched(conn, all_places(settings).read(conn), new, school=settings.school, collection=chosen)
    if not found:
        return False
    place, rows = found
    record({**_estimate(settings, []).as_json(), "collections": [], "switched": 0})
    belong = amount(rows, "row belongs", "rows belong")
    print_step("reindex", f"{new}: {belong} to it already; nothing is left to switch")
    for school in place.guests:
        if (old := chosen or target.collections.get(school, target.collection)) != new:
            _print_remains(settings, Place(collection=old, school=school), new)
    return True


def _estimate(settings: Settings, plans: "Sequence[Reindexing]") -> "Estimate":
    from eduguard.portability import estimate

    requests = sum(len(each.to_index) for each in plans)
    return estimate(settings, requests=requests, faces=sum(each.photos for each in plans))


def _print_plans(settings: Settings, work: Work) -> None:
    for each in work.plans:
        cost = str(_estimate(settings, [each]))
        counts = f"{amount(each.photos, 'photo')}, {len(each.to_index):,} to index"
        instead = f" in place of {work.old.collection}" if work.old else ""
        print_step("reindex", f"{each.place.collection}{instead}: {counts}" + (f": {cost}" if cost else ""))


def _require_consent(settings: Settings, estimated: "Estimate", *, yes: bool) -> None:
    """Ask before photos are sent to AWS, which costs money.

    Raises:
        EduguardError: without consent; nothing was indexed.
    """
    if yes or settings.target.has_local_cloud or not estimated.requests:
        return
    question = f"Index {amount(estimated.requests, 'photo')} of {settings.target} for ${estimated.once:,.2f}? [y/N]"
    if ask(question) != "y":
        raise EduguardError("No photo was indexed", hint="`inv reindex --yes` indexes without asking.")


def _index(settings: Settings, work: Work) -> "list[Reindexed]":
    from eduguard.portability import Reindexed, choose_threads, index_missing
    from eduguard.progress import Progress
    from eduguard.students import prepare_collection
    from eduguard.targets import check_writable, target_storage

    for plan in work.plans:
        if plan.to_index or not plan.photos:
            check_writable(settings, plan.place.collection)
    done, note = list[Reindexed](), cache(print_note)
    at_once = choose_threads(settings.target.requests_per_second)
    with Progress() as progress:
        for plan in work.plans:
            if plan.photos and not plan.to_index:
                done.append(Reindexed(plan=plan, refused={}))
                continue
            storage = target_storage(settings, plan.place)
            prepare_collection(storage, note)  # even for a school without photos: a sync needs the collection
            step = progress.begin(plan.place.collection, len(plan.to_index), "photos")
            done.append(index_missing(plan, storage, stored=work.stored, at_once=at_once, advance=step.advance))
    return done


def _print_outcomes(done: "Sequence[Reindexed]") -> None:
    for each in done:
        for finding in each.findings:
            print_step("reindex", f"! {finding}")
        print_step("reindex", each.summary())


def _print_next(settings: Settings, done: "Sequence[Reindexed]") -> None:
    """Name the command that writes the new FaceIds into the rows, which hold the placeholder or old FaceIds."""
    from eduguard.portability import has_linked_rows
    from eduguard.postgres import connect
    from eduguard.targets import target_database

    made = [each for each in done if each.indexed]
    if not made:
        return
    with connect(target_database(settings), purpose="reindex") as conn:
        has_rows = bool(conn.execute("SELECT FROM student_faces LIMIT 1").rowcount)
        linked = [
            each.plan.place.collection for each in made if has_linked_rows(conn, each.plan.place, each.plan.to_index)
        ]
    adopt = [] if has_rows else ["--adopt"]
    confirm = ["--confirm-collection", ",".join(linked)] if linked else []
    print_note(f"The rows do not hold the new FaceIds yet: {' '.join(['inv sync-faces', *adopt, *confirm])}")


def _switch(settings: Settings, work: Work) -> int:
    """Switch the rows and students to the collection that now has all faces; return how many students."""
    from eduguard.portability import switch
    from eduguard.postgres import connect
    from eduguard.targets import target_collection, target_database

    (plan,), old = work.plans, work.old
    if old is None:
        return 0
    with connect(target_database(settings), purpose="reindex") as conn:
        return switch(conn, old, target_collection(settings, plan.place.collection), work.wanted)


def _print_switched(settings: Settings, work: Work, students: int) -> None:
    """Print what was switched, and what remains to be done."""
    (plan,), old = work.plans, work.old
    if old is None:
        return
    what = f"{amount(plan.photos, 'row')} and {amount(students, 'student')} switched"
    print_step("reindex", f"{plan.place.collection}: {what} from {old.collection}, which is kept")
    _print_remains(settings, old, plan.place.collection)


def _print_remains(settings: Settings, old: "Place", new: str) -> None:
    """Print what invoke.yaml must name from now on, and how to delete the old collection when nobody needs it."""
    from eduguard.portability import name_setting

    target = settings.target
    if setting := name_setting(target, old, new):
        print_note(f"Put into invoke.yaml, before the next `inv full` or `inv enrol`: {setting}")
    local = 'eval "$(inv env --shell)"; ' if target.has_local_cloud else ""
    region = "" if local else f" --region {target.region}"
    print_note(
        f"To delete the old collection for good, later: {local}aws rekognition delete-collection "
        f"--collection-id {old.collection}{region}"
    )
