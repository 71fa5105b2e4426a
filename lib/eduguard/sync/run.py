"""Sync one collection: list, plan, show, judge, apply exactly what was shown, and plan again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eduguard.aws import ahead
from eduguard.aws.listing import Take, begin_listing, read_listing
from eduguard.aws.rekognition import Collection
from eduguard.aws.types import CollectionState, Face
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect
from eduguard.progress import Progress, Step
from eduguard.sync import apply
from eduguard.sync.comparison import Comparison
from eduguard.sync.plan import Plan
from eduguard.sync.scope import Scope, keep_students, read_students

if TYPE_CHECKING:
    from psycopg import Connection

    from eduguard.sync.spool import Spool

Ask = Callable[[str], str | None]
PRUNABLE = {"duplicates": "duplicate", "orphans": "orphan", "temporary": "temporary"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a sync is asked to do, beside writing the FaceIds of the rows in its scope."""

    student: str = ""
    grade: str = ""
    dry_run: bool = False
    unlink_missing: bool = False
    in_full: bool = False
    """the plan names the rows that stay as they are, too"""
    adopt: bool = False
    prune: str = ""
    confirm: str = ""

    def __post_init__(self) -> None:
        if self.prune and self.prune not in PRUNABLE:
            raise EduguardError(
                f"--prune {self.prune}: there is nothing of that name", hint=f"One of {', '.join(PRUNABLE)}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a sync of one collection found and did."""

    collection: str
    plan: Plan
    applied: bool
    adopted: int = 0
    pruned: int = 0
    miscounted: int = 0
    """faces listed more (or fewer, if negative) than the collection counts"""

    def summary(self) -> str:
        """Return what was done as one line."""
        extras = [(self.adopted, "adopted"), (self.pruned, "pruned")]
        return ", ".join(
            [self.plan.summary(applied=self.applied), *(f"{count} {what}" for count, what in extras if count)]
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "collection": self.collection,
            "applied": self.applied,
            "counts": self.plan.counts() | {"adopted": self.adopted, "pruned": self.pruned},
            "items": list(self.plan.items()),
        }


def reconcile(
    database: Database,
    collection: Collection,
    options: Options,
    *,
    ask: Ask,
    show: Callable[[Plan], None],
    progress: Progress,
) -> Outcome:
    """Sync one collection with its rows; a second run changes nothing.

    Args:
        database: of the rows.
        collection: what is listed.
        options: the scope, and what else to do.
        ask: for consent to a mass change and to deleting faces.
        show: is given the plan before anything is written.
        progress: is told of each page.

    Raises:
        EduguardError: when the collection does not exist, the plan is implausible or stale, or consent is refused.
    """
    pages = begin_listing(collection)
    with connect(database, purpose="sync") as conn:
        describing = ahead.begin(collection.require)  # not before: it would only hold up the listing
        return _reconcile(conn, collection, options, describing, pages, ask=ask, show=show, progress=progress)


def _reconcile(
    conn: "Connection",
    collection: Collection,
    options: Options,
    describing: Callable[[], CollectionState],
    pages: Iterator[list[Face]],
    *,
    ask: Ask,
    show: Callable[[Plan], None],
    progress: Progress,
) -> Outcome:
    scope = Scope(collection=collection.name, student=options.student, grade=options.grade)
    apply.prepare(conn, scope)
    state = describing()
    students = read_students(conn, scope) if scope.is_narrow else None
    step = progress.begin(collection.name, state.face_count, "faces")
    comparison = Comparison(conn, scope)
    listed = _take_listing(comparison, collection, students, pages=pages, step=step)
    plan = comparison.plan(unlink_missing=options.unlink_missing, in_full=options.in_full)
    with progress.hidden():
        show(plan)
    outcome = Outcome(collection=collection.name, plan=plan, applied=False, miscounted=listed - state.face_count)
    if options.dry_run:
        return outcome

    def ask_alone(question: str) -> str | None:
        with progress.hidden():
            return ask(question)

    apply.check_plausible(
        plan, place=state.arn, face_count=state.face_count, name=collection.name, confirm=options.confirm, ask=ask_alone
    )
    apply.apply_plan(conn, plan)
    adopted = apply.adopt_orphans(conn, plan) if options.adopt else []
    pruned = _prune(conn, collection, options, plan, ask=ask_alone)
    is_touched = plan.changed or adopted or pruned  # where nothing was done, there is nothing to find again
    if is_touched and (left := comparison.plan(unlink_missing=options.unlink_missing).changed):
        raise EduguardError(f"{left} rows changed while they were synced", hint="Run `inv sync-faces` again.")
    return replace(outcome, applied=True, adopted=len(adopted), pruned=pruned)


def _take_listing(
    comparison: Comparison,
    collection: Collection,
    students: set[str] | None,
    *,
    pages: Iterator[list[Face]],
    step: Step,
) -> int:
    """Take the faces, all or those of some students, for the comparison; return how many were listed."""
    listed = 0

    @contextmanager
    def begin() -> Iterator[Take]:
        nonlocal listed
        listed = 0
        with comparison.taking_faces() as add:

            def take(page: list[Face]) -> None:
                nonlocal listed
                listed += len(page)
                add(page if students is None else keep_students(page, students))

            yield take

    read_listing(collection, begin, pages=pages, step=step)
    return listed


def _prune(conn: "Connection", collection: Collection, options: Options, plan: Plan, *, ask: Ask) -> int:
    if not options.prune:
        return 0
    found: Spool[Face] = getattr(plan, PRUNABLE[options.prune])
    face_ids = apply.keep_unused(conn, [face.face_id for face in found])
    if not face_ids:
        return 0
    if ask(f"Delete {len(face_ids)} {options.prune} from collection {collection.name}? [y/N]") != "y":
        raise EduguardError(
            f"{len(face_ids)} {options.prune} were not deleted from {collection.name}",
            hint="The FaceIds are written; `--yes` deletes without asking.",
        )
    collection.delete_faces(face_ids)
    return len(face_ids)
