"""The command that removes a student's faces, photos and rows."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, WAIT, places_of, settings_of
from eduguard.commands.words import Command
from eduguard.errors import EduguardError, UsageError
from eduguard.identifiers import is_student_id
from eduguard.plurals import amount
from eduguard.schools import check_students
from eduguard.terminal import ask, print_note, print_step, record

if TYPE_CHECKING:
    from eduguard.postgres import Database
    from eduguard.students import Storage, Traces

GROUP = "Enrolment"
EXAMPLES = {"unenrol": "inv unenrol student-001"}


@task(
    klass=Command,
    words="STUDENT",
    help={
        "student": "the student's id",
        "collection": COLLECTION,
        "copies": "also delete the student's rows in the databases kept aside: previous, discarded, snapshots",
        "yes": "do not ask",
        "wait": WAIT,
        "json": JSON,
    },
)
def unenrol(
    c: Context,
    student: str,
    collection: str = "",
    copies: bool = False,
    yes: bool = False,
    wait: float = math.inf,
    json: bool = False,
) -> None:
    """Remove a student's faces, photos and rows; shows them and asks first."""
    from eduguard import students
    from eduguard.postgres import connect
    from eduguard.targets import check_writable, target_database, target_storage

    settings, consent = settings_of(c, collection, wait=wait), (lambda _: student) if yes else ask
    if not is_student_id(student):
        raise UsageError(f"{student!r} is not a student's id", hint="inv unenrol STUDENT")
    database = target_database(settings)
    kept = _list_copies(database)
    record({"student_id": student, "removed": [], "copies": [], "kept": kept})
    with connect(database, purpose="unenrol") as conn:
        places = places_of(conn, settings, student)
        for place in places:
            check_writable(settings, place.collection)
        storages = [target_storage(settings, place) for place in places]
        found = [(each, students.find_traces(conn, student, each)) for each in storages]
        # Rows and photos are found again for each collection; name and remove them with the first one.
        found = [each for each in found if each[1].faces or each[1].user] or found[:1]
        if found[0][1].is_empty and not (copies and kept):
            check_students(conn, [student])
            print_step("unenrol", f"{student}: no face, no photo and no row; nothing to remove")
            print_note(_name_rest(kept))
            return
        also = f", and its rows in {', '.join(kept)}" if copies and kept else ""
        counts = " and ".join(traces.counts() for _, traces in found)
        for storage, traces in found:
            where = f"{student} is in {storage.collection.name}, bucket {storage.bucket.name}"
            print_note(f"{settings.target}; {where}\n{traces}")
        if consent(f"Remove {counts} of {student}{also} for good? Type the student's id:") != student:
            raise EduguardError(f"{student}: nothing was removed ({counts}{also})", hint="Type the id, or pass --yes.")
        removed = [(storage, students.remove_traces(conn, student, storage)) for storage, _ in found]
    for _, traces in removed:
        print_step("unenrol", f"{student}: {traces.counts()} removed")
    record({"removed": [_plain(storage, traces) for storage, traces in removed]})
    if copies:
        rows = _remove_from_copies(database, kept, student)
        record({"copies": [{"database": name, "rows": count} for name, count in rows.items()], "kept": []})
    print_note(_name_rest([] if copies else kept))


def _list_copies(database: "Database") -> list[str]:
    from eduguard.rebuild import publication
    from eduguard.students import choose_copies

    return choose_copies(publication.list_beside(database))


def _plain(storage: "Storage", traces: "Traces") -> dict[str, Any]:
    return {"collection": storage.collection.name, "bucket": storage.bucket.name, **asdict(traces)}


def _remove_from_copies(database: "Database", names: Sequence[str], student: str) -> dict[str, int]:
    """Remove a student's rows from databases that are kept aside; return how many by database."""
    from eduguard.rebuild import lock
    from eduguard.students import remove_from_copy

    with lock.hold_lock(database):
        removed = {name: remove_from_copy(database.aside(name), student) for name in names}
    for name, rows in removed.items():
        print_step("unenrol", f"{student}: {amount(rows, 'row')} removed in {name}")
    return removed


def _name_rest(kept: Sequence[str]) -> str:
    copies = f"rows in {', '.join(kept)} (--copies deletes them), " if kept else ""
    return (
        f"not reached: {copies}fixtures in seed_data, dead rows and the write-ahead log of PostgreSQL, backups, pulled "
        "and annotated pictures (docs/privacy.md)"
    )
