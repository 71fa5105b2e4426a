"""The command that writes the collections' FaceIds into the rows, and the sync of Rekognition users."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import (
    COLLECTION,
    CONFIRM,
    CONFIRM_COLLECTION,
    JSON,
    NEXT,
    SCHOOL,
    USERS,
    WAIT,
    chosen_database,
    settings_of,
)
from eduguard.errors import LEFT, EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import ask, is_answering, one_at_a_time, print_note, print_step, record

if TYPE_CHECKING:
    from psycopg import Connection

    from eduguard.aws import Collection
    from eduguard.postgres import Database
    from eduguard.progress import Progress
    from eduguard.schools import Place
    from eduguard.sync import Outcome, Plan

Show = Callable[["Place", "Plan"], None]
Sync = Callable[["Connection", "Place", str], "Outcome"]
_MOST_ITEMS = 20  # of a plan, without --verbose
_TAGS_A_SECOND = 10  # AWS's quota of ListTagsForResource, in every region
_COLLECTIONS_AT_ONCE = 12  # each sends one request at a time; together they keep to the region's pace

EXAMPLES = {
    "sync-faces": "inv sync-faces --dry-run --student student-001",
}


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
        "student": "only this student's rows",
        "grade": "only the rows of this grade's students",
        "dry-run": "show what would be written, and write nothing",
        "check": "write nothing; exit with 0 when there is nothing to do, 2 on drift, 1 on an error",
        "unlink-missing": "rows without a face go back to the placeholder",
        "adopt": "make rows for faces without one whose external image id names a known student",
        "prune": "delete duplicates, orphans or temporary faces from the collection, after showing them",
        "confirm-collection": CONFIRM_COLLECTION,
        "verbose": "show every item, and each row that stays as it is",
        "json": JSON,
        "yes": "delete without asking",
        "next": NEXT,
        "users": USERS,
        "confirm": CONFIRM,
        "wait": WAIT,
    }
)
def sync_faces(
    c: Context,
    collection: str = "",
    school: str = "",
    student: str = "",
    grade: str = "",
    dry_run: bool = False,
    check: bool = False,
    unlink_missing: bool = False,
    adopt: bool = False,
    prune: str = "",
    confirm_collection: str = "",
    verbose: bool = False,
    json: bool = False,
    yes: bool = False,
    next: bool = False,
    users: bool = False,
    confirm: str = "",
    wait: float = math.inf,
) -> None:
    """Write each collection's FaceIds into student_faces, by external image id: show the plan, apply it, plan again."""
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.sync import Options, run

    options = Options(
        dry_run=dry_run or check,
        unlink_missing=unlink_missing,
        in_full=verbose,
        adopt=adopt,
        prune=prune,
        confirm=confirm_collection,
    )
    settings = settings_of(c, collection, school, wait=wait)
    consent = one_at_a_time((lambda _: "y") if yes else ask)
    database, show = chosen_database(settings, next=next), _plan_printer(verbose=verbose, quiet=next)
    with connect(database, purpose="sync") as conn:
        places, students = _find_places(conn, settings, student, grade)
        options = replace(options, students=students, trusts_memory=len(places) > _TAGS_A_SECOND)
        opened = _open_collections(settings, places, writes=bool(prune or users) and not options.dry_run)

        def sync(conn: "Connection", place: "Place", arn: str) -> "Outcome":
            return run(
                conn,
                place,
                opened[place.collection],
                options,
                ask=consent,
                show=lambda plan: show(place, plan),
                progress=progress,
                arn=arn,
            )

        with Progress() as progress:
            if len(places) == 1:
                outcomes, failures = [sync(conn, places[0], "")], list[EduguardError]()
            else:
                outcomes, failures = _sync_all(settings, database, places, sync, progress)
    _print_outcomes(outcomes, failures)
    if users and not options.dry_run:
        print_step("users", sync_users(settings, places, next=next))
    if failures:
        raise EduguardError("\nerror: ".join(map(str, failures)), code="sync")
    if check and any(outcome.plan.has_drift for outcome in outcomes):
        raise Exit(code=LEFT)


def sync_users(settings: Settings, places: "Sequence[Place]", *, next: bool) -> str:
    """Add the faces of each student's rows to the student's user, and remove none; return the counts as one line."""
    from eduguard.aws import read_faces
    from eduguard.postgres import connect
    from eduguard.schools import Scope
    from eduguard.students import apply_users, plan_users
    from eduguard.sync import read_rows

    lines, users = [], []
    for name, collection in _open_collections(settings, places, writes=True).items():
        listed = read_faces(collection)
        with connect(chosen_database(settings, next=next), purpose="users") as conn:
            rows = [row for place in places if place.collection == name for row in read_rows(conn, Scope(place=place))]
        plan = plan_users(rows, listed)
        users.append({"collection": name, **plan.counts()})
        record({"users": users})
        line = apply_users(collection, plan)
        lines.append(f"{name}: {line}" if len(places) > 1 else line)
    return "; ".join(lines)


def _find_places(
    conn: "Connection", settings: Settings, student: str, grade: str
) -> "tuple[list[Place], frozenset[str] | None]":
    """Return the collections to sync and the chosen students; with students, only the collections of their faces."""
    from eduguard.schools import find_students
    from eduguard.targets import all_places, target_places

    places, students = target_places(settings, conn), find_students(conn, student, grade)
    if students is None:
        return places, None
    wanted = {place.collection for place in all_places(settings).of_students(conn, students).values()}
    if found := [place for place in places if place.collection in wanted]:
        return found, students
    named = ", ".join(place.collection for place in places)
    raise EduguardError(f"Their faces are in {', '.join(sorted(wanted))}, not in {named}")


def _open_collections(settings: Settings, places: "Sequence[Place]", *, writes: bool) -> "dict[str, Collection]":
    """Open the places' collections with one client; with `writes`, refuse those that another target names."""
    from eduguard.targets import check_writable, target_collection

    if writes:
        for place in places:
            check_writable(settings, place.collection)
    first = target_collection(settings, places[0].collection)
    return {place.collection: first.named(place.collection) for place in places}


def _sync_all(
    settings: Settings, database: "Database", places: "Sequence[Place]", sync: Sync, progress: "Progress"
) -> "tuple[list[Outcome], list[EduguardError]]":
    """Sync the collections in parallel; if one fails, the others go on."""
    from concurrent.futures import ThreadPoolExecutor

    from eduguard.postgres import connect
    from eduguard.targets import target_identity

    identity = target_identity(settings)  # one request gives all ARNs; DescribeCollection has the smallest quota
    step = progress.begin("sync", len(places), "collections")
    done, waiting = dict[str, "Outcome | EduguardError"](), deque(places)

    def sync_next(conn: "Connection", place: "Place") -> None:
        arn = identity.collection_arn(settings.target.region, place.collection)
        done[place.collection] = sync(conn, place, arn)
        step.advance()

    def work(_: int) -> None:
        while place := _take(waiting):  # a new connection after a failure, so that it is certainly usable
            try:
                with connect(database, purpose="sync") as conn:
                    sync_next(conn, place)
                    while following := _take(waiting):
                        place = following
                        sync_next(conn, place)
            except EduguardError as error:
                done[place.collection] = error
                step.advance()

    with ThreadPoolExecutor(_COLLECTIONS_AT_ONCE) as threads:
        list(threads.map(work, range(_COLLECTIONS_AT_ONCE)))
    ended = [done[place.collection] for place in places]
    return [each for each in ended if not isinstance(each, EduguardError)], [
        each for each in ended if isinstance(each, EduguardError)
    ]


def _take(waiting: "deque[Place]") -> "Place | None":
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _plan_printer(*, verbose: bool, quiet: bool) -> Show:
    """Return the function that shows a plan before it is applied: as many of its items as fit."""

    def show(place: "Place", plan: "Plan") -> None:
        limit = 0 if quiet else plan.shown if verbose else _MOST_ITEMS
        for item in islice(plan.items(), limit):
            print_step("plan", str(item))
        if plan.shown > limit and not quiet:
            print_step("plan", f"... and {plan.shown - limit} more of {place.collection} (--verbose)")

    return show


def _print_outcomes(outcomes: "list[Outcome]", failures: list[EduguardError]) -> None:
    notes = dict.fromkeys(note for outcome in outcomes for note in outcome.notes)
    for note in islice(notes, _MOST_ITEMS):
        print_note(note)
    if len(notes) > _MOST_ITEMS:
        print_note(f"... and {amount(len(notes) - _MOST_ITEMS, 'more note')} of this kind")
    for outcome in outcomes:
        if outcome.miscounted:
            difference = f"{amount(abs(outcome.miscounted), 'face')} {'more' if outcome.miscounted > 0 else 'fewer'}"
            print_note(
                f"{outcome.place.collection} listed {difference} than it counts; it is changing: run this again later"
            )
    errors = [each.as_json() for each in failures]
    record({"collections": [each.as_json() for each in outcomes] if is_answering() else [], "errors": errors})
    for outcome in outcomes:
        print_step("sync", f"{outcome.place.collection}: {outcome.summary()}")
