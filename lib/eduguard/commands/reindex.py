"""The command that makes the faces of collections again, from the photos that rows name."""

import math
from functools import cache
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, WAIT, YES, settings_of
from eduguard.errors import EduguardError
from eduguard.identifiers import PHOTOS
from eduguard.settings import Settings
from eduguard.terminal import ask, print_json, print_note, print_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eduguard.portability import Estimate, Reindexed, Reindexing

_LOOK = 2  # exit status: done, and some photos ask for a look

EXAMPLES = {
    "reindex": "inv reindex --dry-run",
}


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
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
    dry_run: bool = False,
    json: bool = False,
    yes: bool = False,
    wait: float = math.inf,
) -> None:
    """Make the missing faces of each collection again from the photos that rows name; shows time and cost first."""
    from eduguard.portability import at_pace

    settings = at_pace(settings_of(c, collection, school, wait=wait))
    stored, plans = _plan(settings)
    estimated = _estimate(settings, plans)
    if not json:
        _print_plans(settings, plans)
    if dry_run:
        print_json({**estimated.as_json(), "collections": [each.as_json() for each in plans]}) if json else None
        return
    _require_consent(settings, estimated, yes=yes)
    done = _index(settings, plans, stored)
    if json:
        print_json({**estimated.as_json(), "collections": [each.as_json() for each in done]})
    else:
        _print_outcomes(done)
    _print_next(settings, done)
    if found := [finding for each in done for finding in each.findings]:
        raise Exit(f"error: {len(found)} photos have no face, or several; all others have one", code=_LOOK)


def _plan(settings: Settings) -> "tuple[dict[str, int], list[Reindexing]]":
    """Return the sizes of the photos in the bucket, and what is missing of each collection; read-only."""
    from eduguard.portability import plan_reindexing, read_wanted
    from eduguard.postgres import connect
    from eduguard.students import list_face_ids
    from eduguard.targets import target_bucket, target_collection, target_database, target_places

    stored = target_bucket(settings).sizes(PHOTOS)
    with connect(target_database(settings), purpose="reindex") as conn:
        places = target_places(settings, conn)
        wanted = {place: read_wanted(conn, place, stored, is_only=len(places) == 1) for place in places}
    listed = {place: list_face_ids(target_collection(settings, place.collection)) for place in places}
    return stored, [plan_reindexing(place, wanted[place], stored, listed[place]) for place in places]


def _estimate(settings: Settings, plans: "Sequence[Reindexing]") -> "Estimate":
    from eduguard.portability import estimate

    requests = sum(len(each.to_index) for each in plans)
    return estimate(settings, requests=requests, faces=sum(each.photos for each in plans))


def _print_plans(settings: Settings, plans: "Sequence[Reindexing]") -> None:
    for each in plans:
        cost = str(_estimate(settings, [each]))
        work = f"{each.photos:,} photos, {len(each.to_index):,} to index"
        print_step("reindex", f"{each.place.collection}: {work}" + (f": {cost}" if cost else ""))


def _require_consent(settings: Settings, estimated: "Estimate", *, yes: bool) -> None:
    """Ask before photos are shown to AWS, which costs money.

    Raises:
        EduguardError: without consent; nothing was indexed.
    """
    if yes or settings.target.has_local_cloud or not estimated.requests:
        return
    question = f"Index {estimated.requests:,} photos of {settings.target} for ${estimated.once:,.2f}? [y/N]"
    if ask(question) != "y":
        raise EduguardError("No photo was indexed", hint="`inv reindex --yes` indexes without asking.")


def _index(settings: Settings, plans: "Sequence[Reindexing]", stored: dict[str, int]) -> "list[Reindexed]":
    from eduguard.portability import Reindexed, choose_threads, index_missing
    from eduguard.progress import Progress
    from eduguard.students import prepare_collection
    from eduguard.targets import check_writable, target_storage

    for plan in plans:
        if plan.to_index:
            check_writable(settings, plan.place.collection)
    done, note = list[Reindexed](), cache(print_note)
    at_once = choose_threads(settings.target.requests_per_second)
    with Progress() as progress:
        for plan in plans:
            if not plan.to_index:
                done.append(Reindexed(plan=plan, refused={}))
                continue
            storage = target_storage(settings, plan.place)
            prepare_collection(storage, note)
            step = progress.begin(plan.place.collection, len(plan.to_index), "photos")
            done.append(index_missing(plan, storage, stored=stored, at_once=at_once, advance=step.advance))
    return done


def _print_outcomes(done: "Sequence[Reindexed]") -> None:
    for each in done:
        for finding in each.findings:
            print_step("reindex", f"! {finding}")
        print_step("reindex", each.summary())


def _print_next(settings: Settings, done: "Sequence[Reindexed]") -> None:
    """Name the command that writes the new FaceIds into the rows; they hold the placeholder, or FaceIds of before."""
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
