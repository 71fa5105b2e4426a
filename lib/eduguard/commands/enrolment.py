"""The commands that enrol students' photos, and that remove all that bears a student's face."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, CONFIRM, USERS, WAIT, YES, settings_of
from eduguard.commands.sync import sync_users
from eduguard.commands.words import Command
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM, is_student_id
from eduguard.settings import Settings
from eduguard.terminal import ask, print_note, print_step

if TYPE_CHECKING:
    from eduguard.aws import CollectionState
    from eduguard.postgres import Database
    from eduguard.students import Request

Ask = Callable[[str], str | None]

EXAMPLES = {
    "enrol": "inv enrol student-001 front.jpg left.jpg",
    "unenrol": "inv unenrol student-001",
}


@task(
    klass=Command,
    words="[STUDENT PHOTO…]",
    iterable=["photo"],
    help={
        "student": "whose photos they are",
        "photo": "a JPEG file",
        "from": f"enrol all photos of a folder laid out like the bucket: {KEY_FORM}",
        "collection": COLLECTION,
        "users": USERS,
        "if-empty": "only while the collection has no face",
        "twin": "enrol a face even if it is like another student's",
        "dry-run": "only count what would be done",
        "yes": YES,
        "confirm": CONFIRM,
        "wait": WAIT,
    },
)
def enrol(
    c: Context,
    student: str = "",
    photo: Sequence[str] | None = None,
    from_: str = "",
    collection: str = "",
    users: bool = False,
    if_empty: bool = False,
    twin: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    wait: float = math.inf,
) -> None:
    """Enrol photos of a student or, by --from, of many: bucket, face, row; without either the sample photos."""
    settings, consent = settings_of(c, collection, wait=wait), (lambda _: "y") if yes else ask
    if student and from_:
        raise EduguardError("A student and a folder", hint="inv enrol STUDENT PHOTO…, or inv enrol --from FOLDER")
    if dry_run and not (student or from_):
        raise EduguardError("--dry-run needs a student or a folder", hint="inv enrol --from FOLDER --dry-run")
    if student or from_:
        line: str | None = _enrol(settings, _read_requests(student, photo or [], from_), twin=twin, dry_run=dry_run)
    else:
        line = _enrol_samples(settings, if_empty=if_empty, twin=twin, ask=consent)
    if line:
        print_step("enrol", line)
    if users and not dry_run:
        print_step("users", sync_users(settings, next=False))


@task(
    klass=Command,
    words="STUDENT",
    help={
        "student": "whose",
        "collection": COLLECTION,
        "copies": "delete the student's rows inside the databases kept aside too: previous, discarded, snapshots",
        "yes": "do not ask",
        "wait": WAIT,
    },
)
def unenrol(
    c: Context,
    student: str,
    collection: str = "",
    copies: bool = False,
    yes: bool = False,
    wait: float = math.inf,
) -> None:
    """Remove all that bears a student's face: faces, photos, rows; shows them and asks first."""
    from eduguard import students
    from eduguard.postgres import connect
    from eduguard.targets import target_database, target_storage

    settings, consent = settings_of(c, collection, wait=wait), (lambda _: student) if yes else ask
    if not is_student_id(student):
        raise EduguardError(f"{student!r} is not a student's id", hint="inv unenrol STUDENT")
    storage, database = target_storage(settings), target_database(settings)
    kept = _list_copies(database)
    with connect(database, purpose="unenrol") as conn:
        students.check_collection(conn, [student], settings.target.collection)
        traces = students.find_traces(conn, student, storage)
        if traces.is_empty and not (copies and kept):
            students.check_students(conn, [student])
            print_step("unenrol", f"{student}: no face, no photo and no row; nothing to remove")
            print_note(_name_rest(kept))
            return
        also = f", and its rows in {', '.join(kept)}" if copies and kept else ""
        print_note(f"{settings.target}, bucket {settings.target.bucket}\n{traces}")
        if consent(f"Remove {traces.counts()} of {student}{also} for good? Type the student's id:") != student:
            raise EduguardError(
                f"{student}: nothing was removed ({traces.counts()}{also})", hint="Type the id, or pass --yes."
            )
        removed = students.remove_traces(conn, student, storage)
    print_step("unenrol", f"{student}: {removed.counts()} removed")
    if copies:
        _remove_from_copies(database, kept, student)
    print_note(_name_rest([] if copies else kept))


def _list_copies(database: "Database") -> list[str]:
    from eduguard.rebuild import publication
    from eduguard.students import choose_copies

    return choose_copies(publication.list_beside(database))


def _remove_from_copies(database: "Database", names: Sequence[str], student: str) -> None:
    from eduguard.rebuild import lock
    from eduguard.students import remove_from_copy

    with lock.hold_lock(database):
        for name in names:
            print_step(
                "unenrol", f"{student}: {remove_from_copy(database.aside(name), student)} rows removed in {name}"
            )


def _name_rest(kept: Sequence[str]) -> str:
    copies = f"rows in {', '.join(kept)} (--copies deletes them), " if kept else ""
    return (
        f"not reached: {copies}fixtures in seed_data, dead rows and the write-ahead log of PostgreSQL, backups, pulled "
        "and annotated pictures (docs/privacy.md)"
    )


def _read_requests(student: str, files: Sequence[str], folder: str) -> "Sequence[Request]":
    from eduguard.students import Request, find_photos, requests_of

    if folder:
        return requests_of(find_photos(Path(folder)))
    return [Request(student_id=student, file=Path(file)) for file in files]


def _enrol(settings: Settings, requests: "Sequence[Request]", *, twin: bool, dry_run: bool) -> str:
    from eduguard import students
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.targets import target_database, target_storage

    database, storage = target_database(settings), target_storage(settings)
    with connect(database, purpose="enrol") as conn:
        ids = [request.student_id for request in requests]
        students.check_students(conn, ids)
        students.check_collection(conn, ids, settings.target.collection)
        planned = students.plan_enrolments(conn, requests, storage=storage)
    work = students.summarise_work(each.place for each in planned if each.place)
    if dry_run:
        return work
    print_note(f"plan: {work}")
    with Progress() as progress:
        enrolments = students.enrol_students(
            requests,
            connect=lambda: connect(database, purpose="enrol"),
            storage=storage,
            caution=students.Caution(threshold=settings.match_threshold, is_twin=twin),
            note=print_note,
            advance=progress.begin("enrol", len(requests), "photos").advance,
        )
    return students.summarise(enrolments)


def _enrol_samples(settings: Settings, *, if_empty: bool, twin: bool, ask: Ask) -> str | None:
    from eduguard.targets import target_collection, target_storage

    target = settings.target
    if if_empty:
        state = target_collection(settings).describe()
        if state and state.face_count:
            return None
    from eduguard.students import Caution, enrol_samples, find_photos

    photos = find_photos(settings.photos_folder)
    if not target.has_local_cloud and ask(f"Send {len(photos)} sample photos to {target}? [y/N]") != "y":
        if if_empty:
            raise _not_ready(settings, state)
        return "no photo was sent; `inv enrol --yes` sends the sample photos without asking"
    caution = Caution(threshold=settings.match_threshold, is_twin=twin, is_drawn_trusted=True)
    return enrol_samples(photos, storage=target_storage(settings), caution=caution, note=print_note).summary()


def _not_ready(settings: Settings, state: "CollectionState | None") -> Exit:
    from eduguard.checks import find_missing

    missing = "\n  ".join(find_missing(settings, state))
    return Exit(f"error: Nothing was built or published. Target {settings.target.name} lacks:\n  {missing}", code=2)
