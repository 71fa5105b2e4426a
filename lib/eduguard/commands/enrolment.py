"""The command that enrols students' photos."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import (
    COLLECTION,
    CONFIRM,
    JSON,
    SCHOOL,
    USERS,
    WAIT,
    YES,
    chosen_database,
    place_students,
    settings_of,
)
from eduguard.commands.sync import sync_users
from eduguard.commands.words import Command
from eduguard.errors import LEFT, EduguardError, UsageError
from eduguard.identifiers import KEY_FORM
from eduguard.schools import Place
from eduguard.settings import Settings
from eduguard.terminal import ask, print_note, print_step, record

if TYPE_CHECKING:
    from eduguard.aws import CollectionState
    from eduguard.students import Caution, FolderPhoto, Request

Ask = Callable[[str], str | None]

EXAMPLES = {
    "enrol": "inv enrol student-001 front.jpg left.jpg",
}


@task(
    klass=Command,
    words="[STUDENT PHOTO…]",
    iterable=["photo"],
    help={
        "student": "the student in the photos",
        "photo": "a JPEG file",
        "from": f"enrol all photos of a folder laid out like the bucket: {KEY_FORM}",
        "collection": COLLECTION,
        "school": SCHOOL,
        "users": USERS,
        "if-empty": "enrol only into collections without a face",
        "twin": "enrol a face even if it is like another student's",
        "dry-run": "only count what would be done",
        "yes": YES,
        "confirm": CONFIRM,
        "wait": WAIT,
        "json": JSON,
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
    twin: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    wait: float = math.inf,
    json: bool = False,
) -> None:
    """Enrol photos of a student, of many with --from, or else the sample photos: upload, index, insert rows."""
    settings, consent = settings_of(c, collection, school, wait=wait), (lambda _: "y") if yes else ask
    if student and from_:
        raise UsageError("A student and a folder", hint="inv enrol STUDENT PHOTO…, or inv enrol --from FOLDER")
    if dry_run and not (student or from_):
        raise UsageError("--dry-run needs a student or a folder", hint="inv enrol --from FOLDER --dry-run")
    line, collections = None, set[str]()
    if student or from_:
        line, collections = _enrol(settings, _read_requests(student, photo or [], from_), twin=twin, dry_run=dry_run)
    else:
        line = _enrol_samples(settings, if_empty=if_empty, twin=twin, ask=consent)
    if line:
        print_step("enrol", line)
    if (student or from_) and not dry_run and settings.target.protection == "open":
        print_note("`inv full` forgets rows that are not saved: `inv fixtures save` writes them into seed_data")
    if users and not dry_run:
        print_step("users", _sync_users(settings, collections))


def _read_requests(student: str, files: Sequence[str], folder: str) -> "Sequence[Request]":
    from eduguard.students import Request, find_photos, requests_of

    if folder:
        return requests_of(find_photos(Path(folder)))
    return [Request(student_id=student, file=Path(file)) for file in files]


def _enrol(settings: Settings, requests: "Sequence[Request]", *, twin: bool, dry_run: bool) -> tuple[str, set[str]]:
    """Enrol photos; return the counts as one line, and the collections that hold the faces."""
    from eduguard import students
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.targets import check_writable, target_database, target_storage

    database = target_database(settings)
    with connect(database, purpose="enrol") as conn:
        places = place_students(conn, settings, [request.student_id for request in requests])
        used = {place.collection: place for place in places.values()}
        if not dry_run:
            for name in sorted(used):
                check_writable(settings, name)
        opened = {name: target_storage(settings, place) for name, place in used.items()}
        storages = {student: opened[place.collection] for student, place in places.items()}
        planned = students.plan_enrolments(conn, requests, storages=storages)
    work = students.summarise_work(each.place for each in planned if each.place)
    if dry_run:
        record({"photos": [each.as_json() for each in planned]})
        return work, set(used)
    print_note(f"plan: {work}")
    with Progress() as progress:
        enrolments = students.enrol_students(
            requests,
            connect=lambda: connect(database, purpose="enrol"),
            storages=storages,
            caution=students.Caution(threshold=settings.match_threshold, is_twin=twin),
            note=cache(print_note),
            advance=progress.begin("enrol", len(requests), "photos").advance,
        )
    record({"photos": [each.as_json() for each in enrolments]})
    return students.summarise(enrolments), set(used)


def _enrol_samples(settings: Settings, *, if_empty: bool, twin: bool, ask: Ask) -> str | None:
    from eduguard.targets import check_writable, target_collection, target_places

    target = settings.target
    names, empty = [place.collection for place in target_places(settings)], dict[str, "CollectionState | None"]()
    if if_empty:
        states = {name: target_collection(settings, name).describe() for name in names}
        empty = {name: state for name, state in states.items() if state is None or not state.face_count}
        names = list(empty)
    if not names:
        return None
    from eduguard.students import Caution

    photos = _sort_samples(settings, names)
    if not photos:
        return None if if_empty else "no sample photo is of a student in these collections"
    for place in photos:
        check_writable(settings, place.collection)
    count = sum(map(len, photos.values()))
    if not target.has_local_cloud and ask(f"Send {count} sample photos to {target}? [y/N]") != "y":
        if if_empty:
            raise _not_ready(settings, empty)
        raise EduguardError(
            "No photo was sent", hint="`inv enrol --yes` sends the sample photos without asking.", status=LEFT
        )
    caution = Caution(threshold=settings.match_threshold, is_twin=twin, is_drawn_trusted=True)
    line = _send_samples(settings, photos, caution)
    return line if count or not if_empty else None


def _send_samples(settings: Settings, photos: "Mapping[Place, Sequence[FolderPhoto]]", caution: "Caution") -> str:
    """Enrol the sample photos of each collection; if one refuses, the others go on."""
    from eduguard.progress import Progress
    from eduguard.students import SamplesReport, enrol_samples
    from eduguard.targets import target_storage

    report, failures = SamplesReport(photos=0, uploaded=0, indexed=0), list[EduguardError]()
    note = cache(print_note)  # all collections share one bucket: print its note once
    with Progress() as progress:
        step = progress.begin("enrol", sum(map(len, photos.values())), "photos")
        for place, files in photos.items():
            storage = target_storage(settings, place)
            try:
                report += enrol_samples(files, storage=storage, caution=caution, note=note, advance=step.advance)
            except EduguardError as error:
                failures.append(error)
    if failures:
        messages = dict.fromkeys(each.message for each in failures)  # of their bucket, all say the same
        raise EduguardError("\n".join(messages), hint=failures[0].hint)
    record({"samples": asdict(report)})
    return report.summary()


def _not_ready(settings: Settings, empty: "Mapping[str, CollectionState | None]") -> EduguardError:
    from eduguard.checks import find_missing

    missing = "\n  ".join(find_missing(settings, empty))
    return EduguardError(
        f"Nothing was built or published. Target {settings.target.name} lacks:", hint=missing, status=LEFT
    )


def _sort_samples(settings: Settings, collections: "Collection[str]") -> "dict[Place, list[FolderPhoto]]":
    """Return the sample photos of these collections by place; the fixtures say which school a student belongs to."""
    from eduguard.fixtures import has_fixture, read_students
    from eduguard.students import find_photos
    from eduguard.targets import all_places

    places = all_places(settings)
    folder = settings.photos_folder
    # Fixtures may have no photos; but if they have rows of photos, missing files are a mistake.
    is_expected = folder.exists() or has_fixture(settings.seed_folder, "student_faces")
    photos = find_photos(folder) if is_expected else ()
    of_student = places.of_rows(read_students(settings.seed_folder))
    # The local cloud gets the collection of a school without photos, too. Without students, it gets every collection.
    made = (of_student.values() or places.configured()) if settings.target.has_local_cloud else ()
    sorted_photos: dict[Place, list[FolderPhoto]] = {place: [] for place in made if place.collection in collections}
    for photo in photos:
        place = of_student.get(photo.student_id) or Place(collection=places.collection)
        if place.collection in collections:
            sorted_photos.setdefault(place, []).append(photo)
    return sorted_photos


def _sync_users(settings: Settings, collections: set[str]) -> str:
    from eduguard.postgres import connect
    from eduguard.targets import target_places

    with connect(chosen_database(settings), purpose="users") as conn:
        places = [each for each in target_places(settings, conn) if not collections or each.collection in collections]
    return sync_users(settings, places, next=False)
