"""The commands for attendance: take it from class photos, show it."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, WAIT, place_students, settings_of
from eduguard.commands.words import Command
from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import print_note, print_rows, print_step, record

if TYPE_CHECKING:
    from eduguard.aws import Collection
    from eduguard.students.attendance import Roster
    from eduguard.students.class_photos import Search

_MOST_PHOTOS = 10

EXAMPLES = {
    "attendance take": "inv attendance take class-1b-lenguaje monday.jpg --at 2026-03-09T08:30",
    "attendance show": "inv attendance show SESSION --json",
}


@task(
    name="take",
    klass=Command,
    words="CLASS PHOTO…",
    iterable=["photo"],
    help={
        "class": "its id, such as class-1b-lenguaje",
        "photo": "a JPEG file of the class; ten at most",
        "at": "when the class began, such as 2026-03-09T08:30; without it, the photos name the session",
        "annotate": "write the photos there, with a frame and a name on each face",
        "users": "search by all faces of a student together (see enrol --users)",
        "collection": COLLECTION,
        "school": SCHOOL,
        "json": JSON,
        "wait": WAIT,
    },
)
def attendance_take(
    c: Context,
    class_: str,
    photo: Sequence[str],
    at: str = "",
    annotate: str = "",
    users: bool = False,
    collection: str = "",
    school: str = "",
    json: bool = False,
    wait: float = math.inf,
) -> None:
    """Recognise the faces of class photos and record who is present; the same photos again change nothing."""
    from eduguard import students
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.targets import target_collection, target_database

    settings, files = settings_of(c, collection, school, wait=wait), [Path(each) for each in photo]
    _check_number(files)
    pictures, starts_at = list(map(students.read_picture, files)), _read_time(at)
    outputs = students.name_outputs(annotate, files)
    database = target_database(settings)
    with connect(database, purpose="attendance") as conn:
        roster = students.read_roster(conn, class_)
        places = place_students(conn, settings, roster.names)
    # A class of students of several schools is looked for in the collection of each.
    faces = [target_collection(settings, name) for name in sorted({each.collection for each in places.values()})]
    with Progress() as progress:
        sightings = students.find_sightings(
            pictures,
            collection=faces[0],
            search=students.search_all([_search(settings, each, roster, users=users) for each in faces]),
            threshold=settings.match_threshold,
            advance=progress.begin("attendance", len(pictures), "photos").advance,
        )
    for file in students.name_empty(pictures, sightings):
        print_note(f"no face in {file}")
    with connect(database, purpose="attendance") as conn:
        students.check_strangers(conn, sightings)
    students.annotate_photos(outputs, pictures, sightings, roster)
    with connect(database, purpose="attendance") as conn:
        _print(students.take(conn, roster, pictures, sightings, at=starts_at))


@task(
    name="show",
    klass=Command,
    words="SESSION",
    help={"session": "its id, as `inv attendance take` printed it", "json": JSON},
)
def attendance_show(c: Context, session: str, json: bool = False) -> None:
    """Show the attendance of a session; read-only."""
    from eduguard.postgres import connect
    from eduguard.students import report_session
    from eduguard.targets import target_database

    with connect(target_database(settings_of(c)), purpose="attendance") as conn:
        _print(report_session(conn, session))


def _search(settings: Settings, collection: "Collection", roster: "Roster", *, users: bool) -> "Search":
    from eduguard import students
    from eduguard.aws import read_faces

    listed = read_faces(collection) if users else []
    mixed = students.find_mixed(listed)
    if mixed:
        print_note(f"{students.name_mixed(mixed)}: users are not believed, each face is searched for by itself")
    if mixed or not users:
        return students.search_by_faces(collection, roster.held, threshold=settings.match_threshold)
    students.check_users(roster.names, roster.held, listed)
    return students.search_by_users(collection, roster.held, listed, threshold=settings.match_threshold)


def _check_number(files: Sequence[Path]) -> None:
    if len(files) > _MOST_PHOTOS:
        raise EduguardError(
            f"{amount(len(files), 'photo')}; at most {_MOST_PHOTOS} are taken",
            hint="Take the others with the same --at: they add to the session.",
        )


def _read_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone() if text else None
    except ValueError as error:
        raise EduguardError(
            f"--at {text!r} is not a time", hint="2026-03-09T08:30 or 2026-03-09T08:30-03:00"
        ) from error


def _print(report: Mapping[str, Any]) -> None:
    """Print a report of attendance: its students, the faces that count for nobody, and one line of counts."""
    from eduguard.students import summarise_attendance

    record(report)
    columns = ("student_id", "name", "status", "confidence", "method")
    print_rows(columns, [[student[column] for column in columns] for student in report["students"]])
    if rest := report.get("not_counted"):
        print_rows(rest[0], [list(face.values()) for face in rest])
    print_step("attendance", summarise_attendance(report))
