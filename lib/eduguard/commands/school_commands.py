"""The commands for students' photos and faces: enrolment, the bucket, attendance; tasks.py lists them all."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, USERS, YES, recognition, settings_of, workflow
from eduguard.commands.words import Command
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM
from eduguard.terminal import ask, print_json, print_rows, print_step

DRY_RUN = "only count what would be copied"
FOLDER = f"laid out like the bucket: {KEY_FORM}"


@task(
    klass=Command,
    words="[STUDENT PHOTO…]",
    iterable=["photo"],
    help={
        "student": "whose photos they are",
        "photo": "a JPEG file",
        "from": f"enrol all photos of a folder {FOLDER}",
        "collection": COLLECTION,
        "users": USERS,
        "if-empty": "only while the collection has no face",
        "yes": YES,
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
    yes: bool = False,
) -> None:
    """Enrol photos of a student or, by --from, of many: bucket, face, row; without either the sample photos."""
    settings, consent = settings_of(c, collection), (lambda _: "y") if yes else ask
    if student and from_:
        raise EduguardError("A student and a folder", hint="inv enrol STUDENT PHOTO…, or inv enrol --from FOLDER")
    if student:
        line: str | None = recognition().enrol_photos(settings, student=student, files=photo or [])
    elif from_:
        line = recognition().enrol_folder(settings, from_)
    else:
        line = workflow().enrol_samples(settings, if_empty=if_empty, ask=consent)
    if line:
        print_step("enrol", line)
    if users:
        print_step("users", recognition().sync_users(settings, in_next=False))


@task(klass=Command, words="STUDENT", help={"student": "whose", "collection": COLLECTION, "yes": "do not ask"})
def unenrol(c: Context, student: str, collection: str = "", yes: bool = False) -> None:
    """Remove all that bears a student's face: faces, photos, rows; shows them and asks first."""
    consent = (lambda _: student) if yes else ask
    print_step("unenrol", recognition().unenrol(settings_of(c, collection), student=student, ask=consent))


@task(name="photos check", help={"json": JSON})
def photos_check(c: Context, json: bool = False) -> None:
    """Compare the rows with the bucket: photos missing, extra, of the wrong type, too small; read-only."""
    report = recognition().check_photos(settings_of(c))
    if json:
        print_json(asdict(report))
    else:
        print_step("photos", report.summary())
        print_rows(("problem", "photo"), report.findings()) if report.findings() else None
    if report.findings():
        raise EduguardError(
            f"{len(report.findings())} problems with photos",
            hint="`inv photos push FOLDER` puts missing ones back; `inv enrol` enrols the ones without a row.",
        )


@task(name="photos pull", klass=Command, words="FOLDER", help={"folder": FOLDER, "dry-run": DRY_RUN})
def photos_pull(c: Context, folder: str, dry_run: bool = False) -> None:
    """Copy photos from the bucket into a folder: those it lacks or has otherwise."""
    print_step("pull", recognition().pull_photos(settings_of(c), folder=Path(folder), dry_run=dry_run))


@task(name="photos push", klass=Command, words="FOLDER", help={"folder": FOLDER, "dry-run": DRY_RUN})
def photos_push(c: Context, folder: str, dry_run: bool = False) -> None:
    """Copy photos from a folder into the bucket: those it lacks or has otherwise."""
    print_step("push", recognition().push_photos(settings_of(c), folder=Path(folder), dry_run=dry_run))


@task(
    name="attendance take",
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
        "json": JSON,
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
    json: bool = False,
) -> None:
    """Recognise the faces of class photos and record who is present; the same photos again change nothing."""
    report = attendance().take(
        settings_of(c, collection), class_id=class_, files=photo, at=at, annotate=annotate, with_users=users
    )
    print_attendance(report, json=json)


@task(
    name="attendance show",
    klass=Command,
    words="SESSION",
    help={"session": "its id, as `inv attendance take` printed it", "json": JSON},
)
def attendance_show(c: Context, session: str, json: bool = False) -> None:
    """Show the attendance of a session; read-only."""
    print_attendance(attendance().show(settings_of(c), session), json=json)


def print_attendance(report: Mapping[str, Any], *, json: bool) -> None:
    """Print a report of attendance: its students, the faces that count for nobody, and one line of counts."""
    if json:
        print_json(report)
        return
    columns = ("student_id", "name", "status", "confidence", "method")
    print_rows(columns, [[student[column] for column in columns] for student in report["students"]])
    if rest := report.get("not_counted"):
        print_rows(rest[0], [list(face.values()) for face in rest])
    print_step("attendance", attendance().summarise(report))


def attendance() -> ModuleType:
    """Import the steps of attendance when a task needs them."""
    from eduguard.commands import attendance_workflow as steps

    return steps
