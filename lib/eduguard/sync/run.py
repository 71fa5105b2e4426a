"""Sync one collection: list, plan, show, judge, apply exactly what was shown, and plan again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from eduguard.aws import Collection, begin_listing, read_listing
from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.progress import Progress
from eduguard.schools import Place, Scope
from eduguard.sync import apply
from eduguard.sync.comparison import compare, copy_faces, prepare
from eduguard.sync.plan import Plan, is_mass_share
from eduguard.synced import FORGETFUL, Trust, judge_trust, remember

if TYPE_CHECKING:
    from psycopg import Connection

Ask = Callable[[str], str | None]  # shows a question and returns the answer, or None without a terminal
PRUNABLE = {"duplicates": "duplicate", "orphans": "orphan", "temporary": "temporary"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a sync should do in addition to writing the FaceIds of the rows in its scope."""

    students: frozenset[str] | None = None
    """the only students whose rows are written; None: all"""
    dry_run: bool = False
    unlink_missing: bool = False
    in_full: bool = False
    """the plan also names unchanged rows"""
    adopt: bool = False
    prune: str = ""
    confirm: str = ""
    """names of collections, separated by commas"""
    trusts_memory: bool = False
    """do not read the tag of a collection that the database was synced with before"""

    def __post_init__(self) -> None:
        if self.prune and self.prune not in PRUNABLE:
            raise EduguardError(f"--prune {self.prune} is not known", hint=f"One of {', '.join(PRUNABLE)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The findings and the effect of syncing one collection."""

    place: Place
    plan: Plan
    applied: bool = False
    adopted: int = 0
    pruned: int = 0
    miscounted: int = 0
    """how many more faces were listed than the collection counts; negative: fewer"""
    notes: tuple[str, ...] = ()
    """what was trusted, and what could not be read or recorded"""

    def summary(self) -> str:
        """Return what was done as one line."""
        extras = [f"{count} {what}" for count, what in ((self.adopted, "adopted"), (self.pruned, "pruned")) if count]
        return ", ".join([self.plan.summary(applied=self.applied), *extras])

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "collection": self.place.collection,
            "school": self.place.school,
            "applied": self.applied,
            "counts": self.plan.counts() | {"adopted": self.adopted, "pruned": self.pruned},
            "items": [item._asdict() for item in self.plan.items()],
        }


def run(
    conn: "Connection",
    place: Place,
    collection: Collection,
    options: Options,
    *,
    ask: Ask,
    show: Callable[[Plan], None],
    progress: Progress,
    arn: str = "",
) -> Outcome:
    """Sync one collection with its rows; a second run changes nothing.

    `show` gets the plan before anything is written; `ask` asks for consent to a mass change and to deleting faces.
    If the ARN is given, DescribeCollection is not called: AWS's quota is 5 a second, so many collections take long.

    Raises:
        EduguardError: when the collection does not exist, the plan is implausible or stale, or consent is refused.
    """
    scope = Scope(place=place, students=options.students)
    pages = begin_listing(collection)  # the first page is fetched while the tables are made and the tag is read
    prepare(conn, scope)
    state = None if arn else collection.require()
    arn = state.arn if state else arn
    trust = judge_trust(conn, place, collection, arn, is_remembered_enough=options.trusts_memory)
    step = progress.begin(collection.name, state.face_count, "faces") if state else None
    listed = read_listing(collection, partial(copy_faces, conn, students=options.students), pages=pages, step=step)
    plan = compare(conn, scope, unlink_missing=options.unlink_missing, in_full=options.in_full)
    miscounted = listed - state.face_count if state else 0
    outcome = Outcome(place=place, plan=plan, miscounted=miscounted, notes=trust.notes)
    with progress.hidden():
        show(plan)
        if options.dry_run:
            return outcome
        _confirm_collection(plan, trust, options, collection.name, f"{arn} has {amount(listed, 'face')}", ask)
    apply.apply_plan(conn, plan)
    notes = trust.notes if remember(conn, place, arn) else (*trust.notes, FORGETFUL)
    adopted = apply.adopt_orphans(conn, plan) if options.adopt else []
    faces = apply.keep_unused(conn, list(getattr(plan, PRUNABLE[options.prune]))) if options.prune else []
    if faces:
        with progress.hidden():
            _confirm_prune(len(faces), listed, collection.name, options, ask)
    pruned = apply.delete_unused(conn, collection, faces)
    if plan.changed or adopted or pruned:
        left = compare(conn, scope, unlink_missing=options.unlink_missing).changed
        if left:
            raise EduguardError(f"{amount(left, 'row')} changed during the sync", hint="Run `inv sync-faces` again.")
    return replace(outcome, applied=True, adopted=len(adopted), pruned=pruned, notes=notes)


def _confirm_collection(plan: Plan, trust: Trust, options: Options, name: str, size: str, ask: Ask) -> None:
    doubts = list(trust.doubts)
    if plan.is_mass_change:
        doubts.append(f"{plan.lost} of {plan.linked} linked rows would be relinked or find no face: {size}")
    if doubts:
        problem = f"{'; '.join(doubts)}: is it the right collection, account and region?"
        hint = f"Nothing was written. If it is the right one, pass --confirm-collection {name}"
        _require_name(ask, name, options, problem, hint)


def _require_name(ask: Ask, name: str, options: Options, problem: str, hint: str) -> None:
    confirmed = name in options.confirm.split(",")
    if not confirmed and ask(f"{problem}\nType the collection's name to go on:") != name:
        raise EduguardError(problem, hint=hint)


def _confirm_prune(count: int, listed: int, name: str, options: Options, ask: Ask) -> None:
    """Ask before faces are deleted; for the collection's name if they are so many that rows are probably missing."""
    problem = f"{count} {options.prune} were not deleted from {name}: {count} of its {amount(listed, 'face')}"
    if is_mass_share(count, listed):
        hint = f"The FaceIds are written. If all rows are in this database, pass --confirm-collection {name}"
        _require_name(ask, name, options, problem, hint)
    elif ask(f"Delete {count} {options.prune} from collection {name}? [y/N]") != "y":
        raise EduguardError(problem, hint="The FaceIds are written; `--yes` deletes without asking.")
