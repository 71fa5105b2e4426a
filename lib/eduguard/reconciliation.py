"""Sync one collection: list, plan, show, judge, apply exactly what was shown, and plan again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eduguard import sync
from eduguard.errors import EduguardError
from eduguard.faces import Face, Plan, plan_sync
from eduguard.rekognition import Collection, PageExpiredError
from eduguard.sync import Scope

if TYPE_CHECKING:
    from psycopg import Connection

Ask = Callable[[str], str | None]
PRUNABLE = {"duplicates": "duplicate", "orphans": "orphan", "temporary": "temporary"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a sync is asked to do, beside writing the FaceIds of the rows in its scope."""

    student: str = ""
    grade: str = ""
    dry_run: bool = False
    unlink_missing: bool = False
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
    conn: "Connection",
    collection: Collection,
    options: Options,
    *,
    ask: Ask,
    show: Callable[[Plan], None],
    note: Callable[[str], None],
) -> Outcome:
    """Sync one collection with its rows; a second run changes nothing.

    Args:
        conn: to the database of the rows.
        collection: what is listed.
        options: the scope, and what else to do.
        ask: for consent to a mass change and to deleting faces.
        show: is given the plan before anything is written.
        note: is given a line of progress for each page after the first.

    Raises:
        EduguardError: when the collection does not exist, the plan is implausible or stale, or consent is refused.
    """
    scope = Scope(collection=collection.name, student=options.student, grade=options.grade)
    state = collection.require()
    listed = read_faces(collection, note)
    faces = sync.keep_in_scope(conn, listed, scope)
    plan = plan_sync(sync.read_rows(conn, scope), faces, unlink_missing=options.unlink_missing)
    show(plan)
    miscounted = len(listed) - state.face_count
    if options.dry_run:
        return Outcome(collection=collection.name, plan=plan, applied=False, miscounted=miscounted)
    sync.check_plausible(
        plan, place=state.arn, face_count=state.face_count, name=collection.name, confirm=options.confirm, ask=ask
    )
    sync.apply_plan(conn, plan)
    adopted = sync.adopt_orphans(conn, plan) if options.adopt else []
    pruned = _prune(conn, collection, options, plan, ask=ask)
    left = plan_sync(sync.read_rows(conn, scope), faces, unlink_missing=options.unlink_missing).changes
    if left:
        raise EduguardError(f"{len(left)} rows changed while they were synced", hint="Run `inv sync-faces` again.")
    return Outcome(
        collection=collection.name,
        plan=plan,
        applied=True,
        adopted=len(adopted),
        pruned=pruned,
        miscounted=miscounted,
    )


def read_faces(collection: Collection, note: Callable[[str], None]) -> list[Face]:
    """Return every face of a collection; a listing whose token expires is started again once."""
    try:
        return _list(collection, note)
    except PageExpiredError:
        note(f"{collection.name}: the listing expired and is started again")
        return _list(collection, note)


def _list(collection: Collection, note: Callable[[str], None]) -> list[Face]:
    faces: list[Face] = []
    for page in collection.list_faces():
        if faces:
            note(f"{collection.name}: {len(faces):,} faces read")
        faces += page
    return faces


def _prune(conn: "Connection", collection: Collection, options: Options, plan: Plan, *, ask: Ask) -> int:
    if not options.prune:
        return 0
    used = {row.face_id for row in sync.read_rows(conn, Scope(collection=collection.name))}
    found: tuple[Face, ...] = getattr(plan, PRUNABLE[options.prune])
    face_ids = [face.face_id for face in found if face.face_id not in used]
    if not face_ids:
        return 0
    if ask(f"Delete {len(face_ids)} {options.prune} from collection {collection.name}? [y/N]") != "y":
        raise EduguardError(
            f"{len(face_ids)} {options.prune} were not deleted from {collection.name}",
            hint="The FaceIds are written; `--yes` deletes without asking.",
        )
    collection.delete_faces(face_ids)
    return len(face_ids)
