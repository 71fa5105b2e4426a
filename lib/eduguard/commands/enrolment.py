"""The commands that enrol students' photos, and that remove all that bears a student's face."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, SCHOOL, USERS, YES, chosen_database, place_students, settings_of
from eduguard.commands.sync import sync_users
from eduguard.commands.words import Command
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM, is_student_id
from eduguard.settings import Settings
from eduguard.terminal import ask, print_note, print_step

if TYPE_CHECKING:
    from eduguard.students import FolderPhoto, Request

Ask = Callable[[str], str | None]


@task(
    klass=Command,
    words="[STUDENT PHOTO…]",
    iterable=["photo"],
    help={
        "student": "whose photos they are",
        "photo": "a JPEG file",
        "from": f"enrol all photos of a folder laid out like the bucket: {KEY_FORM}",
        "collection": COLLECTION,
        "school": SCHOOL,
        "users": USERS,
        "if-empty": "only into collections that have no face",
        "yes": YES,
    },
)
def enrol(
    c: Context,
    student: str = "",
    photo: Sequence[str] | None = None,
    from_: str = "",
    collection: str = "",
    school: str = "",
    users: bool = False,
    if_empty: bool = False,
    yes: bool = False,
) -> None:
    """Enrol photos of a student or, by --from, of many: bucket, face, row; without either the sample photos."""
    settings, consent = settings_of(c, collection, school), (lambda _: "y") if yes else ask
    if student and from_:
        raise EduguardError("A student and a folder", hint="inv enrol STUDENT PHOTO…, or inv enrol --from FOLDER")
    line: str | None
    collections: set[str] = set()
    if student or from_:
        line, collections = _enrol(settings, _read_requests(student, photo or [], from_))
    else:
        line = _enrol_samples(settings, if_empty=if_empty, ask=consent)
    if line:
        print_step("enrol", line)
    if users:
        print_step("users", _sync_users(settings, collections))


@task(klass=Command, words="STUDENT", help={"student": "whose", "collection": COLLECTION, "yes": "do not ask"})
def unenrol(c: Context, student: str, collection: str = "", yes: bool = False) -> None:
    """Remove all that bears a student's face: faces, photos, rows; shows them and asks first."""
    from eduguard import students
    from eduguard.postgres import connect
    from eduguard.targets import check_writable, target_database, target_storage

    settings, consent = settings_of(c, collection), (lambda _: student) if yes else ask
    if not is_student_id(student):
        raise EduguardError(f"{student!r} is not a student's id", hint="inv unenrol STUDENT")
    with connect(target_database(settings), purpose="unenrol") as conn:
        name = place_students(conn, settings, [student])[student].collection
        check_writable(settings, name)
        storage = target_storage(settings, name)
        traces = students.find_traces(conn, student, storage)
        if traces.is_empty:
            print_step("unenrol", f"{student}: no face, no photo and no row; nothing to remove")
            return
        print_note(f"{settings.target}; {student} is in {name}, bucket {settings.target.bucket}\n{traces}")
        if consent(f"Remove {traces.counts()} of {student} for good? Type the student's id:") != student:
            raise EduguardError(
                f"{student}: nothing was removed ({traces.counts()})", hint="Type the id, or pass --yes."
            )
        removed = students.remove_traces(conn, student, storage)
    print_step("unenrol", f"{student}: {removed.counts()} removed")


def _read_requests(student: str, files: Sequence[str], folder: str) -> "Sequence[Request]":
    from eduguard.students import Request, find_photos, requests_of

    if folder:
        return requests_of(find_photos(Path(folder)))
    return [Request(student_id=student, file=Path(file)) for file in files]


def _enrol(settings: Settings, requests: "Sequence[Request]") -> tuple[str, set[str]]:
    """Enrol photos; return the counts as one line and the collections that the faces are in."""
    from eduguard import students
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.targets import check_writable, target_database, target_storage

    database = target_database(settings)
    with connect(database, purpose="enrol") as conn:
        places = place_students(conn, settings, [request.student_id for request in requests])
    names = {place.collection for place in places.values()}
    for name in sorted(names):
        check_writable(settings, name)
    opened = {name: target_storage(settings, name) for name in names}
    with Progress() as progress:
        enrolments = students.enrol_students(
            requests,
            connect=lambda: connect(database, purpose="enrol"),
            storages={student: opened[place.collection] for student, place in places.items()},
            note=cache(print_note),
            advance=progress.begin("enrol", len(requests), "photos").advance,
        )
    return students.summarise(enrolments), names


def _enrol_samples(settings: Settings, *, if_empty: bool, ask: Ask) -> str | None:
    from eduguard.targets import check_writable, target_places, target_storage

    target = settings.target
    places = target_places(settings)
    if if_empty:
        places = [place for place in places if _is_empty(settings, place.collection)]
    if not places:
        return None
    from eduguard.students import SamplesReport, enrol_samples

    photos = _sort_samples(settings, {place.collection for place in places})
    if not photos:
        return None if if_empty else "no sample photo is of a student in these collections"
    for name in photos:
        check_writable(settings, name)
    count = sum(map(len, photos.values()))
    if not target.has_local_cloud and ask(f"Send {count} sample photos to {target}? [y/N]") != "y":
        return "no photo was sent; `inv enrol --yes` sends the sample photos without asking"
    report, failures = SamplesReport(photos=0, uploaded=0, indexed=0), list[EduguardError]()
    note = cache(print_note)  # all have one bucket: it is told of once
    for name, files in photos.items():
        try:
            report += enrol_samples(files, storage=target_storage(settings, name), note=note)
        except EduguardError as error:
            failures.append(error)
    if failures:
        raise EduguardError("\n".join(each.message for each in failures), hint=failures[0].hint)
    return report.summary()


def _is_empty(settings: Settings, collection: str) -> bool:
    from eduguard.targets import target_collection

    state = target_collection(settings, collection).describe()
    return state is None or not state.face_count


def _sort_samples(settings: Settings, collections: set[str]) -> "dict[str, list[FolderPhoto]]":
    """Return the sample photos of these collections by collection: the fixtures say which school a student is of."""
    from eduguard.fixtures import read_students
    from eduguard.students import find_photos
    from eduguard.targets import all_places

    places = all_places(settings)
    photos, of_student = find_photos(settings.photos_folder), places.of_rows(read_students(settings.seed_folder))
    sorted_photos: dict[str, list[FolderPhoto]] = {}
    for photo in photos:
        name = of_student.get(photo.student_id, places.collection)
        if name in collections:
            sorted_photos.setdefault(name, []).append(photo)
    return sorted_photos


def _sync_users(settings: Settings, collections: set[str]) -> str:
    from eduguard.postgres import connect
    from eduguard.targets import target_places

    with connect(chosen_database(settings), purpose="users") as conn:
        places = [each for each in target_places(settings, conn) if not collections or each.collection in collections]
    return sync_users(settings, places, next=False)
