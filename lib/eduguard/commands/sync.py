"""The command that writes the collection's FaceIds into the rows, and what gives each student a user."""

import math
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, CONFIRM, JSON, NEXT, USERS, WAIT, chosen_database, settings_of
from eduguard.errors import EduguardError
from eduguard.settings import Settings
from eduguard.terminal import ask, print_json, print_note, print_step

if TYPE_CHECKING:
    from eduguard.sync import Outcome, Plan

Show = Callable[[Settings, "Plan"], None]
Sync = Callable[[Settings], "Outcome"]
_MOST_ITEMS = 20  # of a plan, unless all are asked for
_COLLECTIONS_AT_ONCE = 4  # each sends one request at a time, all of them at the pace of the region

EXAMPLES = {
    "sync-faces": "inv sync-faces --dry-run --student student-001",
}


@task(
    help={
        "collection": COLLECTION,
        "all": "every collection that a student names, side by side",
        "student": "only this student's rows",
        "grade": "only the rows of this grade's students",
        "dry-run": "show what would be written, and write nothing",
        "check": "write nothing; exit with 0 when there is nothing to do, 2 on drift, 1 on an error",
        "unlink-missing": "rows without a face go back to the placeholder",
        "adopt": "make rows for faces without one whose external image id names a known student",
        "prune": "delete duplicates, orphans or temporary faces from the collection, after showing them",
        "confirm-collection": "the collection's name: consent to a change of many linked rows",
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
    all: bool = False,
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
    """Write the collection's FaceIds into student_faces, by external image id: show the plan, apply it, plan again."""
    from eduguard.progress import Progress
    from eduguard.sync import Options, run
    from eduguard.targets import target_collection

    options = Options(
        student=student,
        grade=grade,
        dry_run=dry_run or check,
        unlink_missing=unlink_missing,
        in_full=verbose,
        adopt=adopt,
        prune=prune,
        confirm=confirm_collection,
    )
    settings, consent = settings_of(c, collection, wait=wait), (lambda _: "y") if yes else ask
    show = _plan_printer(verbose=verbose, quiet=json or next)

    def sync(each: Settings) -> "Outcome":
        return run(
            chosen_database(each, next=next and not all),
            target_collection(each),
            options,
            ask=consent,
            show=lambda plan: show(each, plan),
            progress=progress,
        )

    with Progress() as progress:
        outcomes, failures = _sync_all(settings, sync) if all else ([sync(settings)], [])
    _print_outcomes(outcomes, failures, json=json)
    if users and not options.dry_run:
        print_step("users", sync_users(settings, next=next))
    if failures:
        raise Exit("\n".join(f"error: {failure}" for failure in failures), code=1)
    if check and any(outcome.plan.has_drift for outcome in outcomes):
        raise Exit(code=2)


def sync_users(settings: Settings, *, next: bool) -> str:
    """Give each student's user the faces of the student's rows; nothing is taken from a user. Return a line."""
    from eduguard.aws import read_faces
    from eduguard.postgres import connect
    from eduguard.students import apply_users, plan_users
    from eduguard.sync import Scope, read_rows
    from eduguard.targets import target_collection

    collection = target_collection(settings)
    listed = read_faces(collection)
    with connect(chosen_database(settings, next=next), purpose="users") as conn:
        plan = plan_users(read_rows(conn, Scope(collection=collection.name)), listed)
    return apply_users(collection, plan)


def _sync_all(settings: Settings, sync: Sync) -> "tuple[list[Outcome], list[EduguardError]]":
    """Sync every collection that a student names, side by side; the failure of one does not stop the others."""
    from concurrent.futures import ThreadPoolExecutor

    from eduguard.postgres import connect
    from eduguard.sync import read_collections

    with connect(chosen_database(settings), purpose="sync") as conn:
        names = read_collections(conn)
    outcomes: list[Outcome] = []
    failures: list[EduguardError] = []
    with ThreadPoolExecutor(_COLLECTIONS_AT_ONCE) as threads:
        for future in [threads.submit(sync, settings.with_collection(name)) for name in names]:
            try:
                outcomes.append(future.result())
            except EduguardError as error:
                failures.append(error)
    return outcomes, failures


def _plan_printer(*, verbose: bool, quiet: bool) -> Show:
    """Return what shows a plan before it is applied: its items, as many as fit."""

    def show(settings: Settings, plan: "Plan") -> None:
        limit = 0 if quiet else plan.shown if verbose else _MOST_ITEMS
        for item in islice(plan.items(), limit):
            print_step("plan", item)
        if plan.shown > limit and not quiet:
            print_step("plan", f"... and {plan.shown - limit} more of {settings.target.collection} (--verbose)")

    return show


def _print_outcomes(outcomes: "list[Outcome]", failures: list[EduguardError], *, json: bool) -> None:
    for outcome in outcomes:
        if outcome.miscounted:
            difference = f"{abs(outcome.miscounted)} faces {'more' if outcome.miscounted > 0 else 'fewer'}"
            print_note(f"{outcome.collection} listed {difference} than it counts; it is changing: run this again later")
    if json:
        print_json({"collections": [each.as_json() for each in outcomes], "errors": [str(each) for each in failures]})
        return
    for outcome in outcomes:
        print_step("sync", f"{outcome.collection}: {outcome.summary()}")
