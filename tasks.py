"""The commands of EduGuard DB: `inv --list` shows them, `inv --help TASK` explains one.

A task reads its flags, makes one call into lib and prints the result. A composite task is its steps.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from invoke.context import Context
from invoke.tasks import call, task

from eduguard.console import ask, print_json, print_note, print_rows, print_step, print_table
from eduguard.errors import EduguardError
from eduguard.invocation import keep_open, plain_settings
from eduguard.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent

COLLECTION = "the collection, in place of the target's own"
NEXT = "work on the database that `rebuild` made, before it is published"
CONFIRM = "the database's name: consent to replace one that is not plainly ours"
FOLDER = "laid out like the bucket: students/{student_id}/photo-{n}.jpg"
USERS = "let all faces of a student count together: a Rekognition user each, by external image id"
YES = "do not ask before photos leave this machine"
JSON = "print one JSON object"


def settings_of(c: Context, collection: str = "") -> Settings:
    """Return the settings of this command, with the collection that a flag named."""
    return load_settings(plain_settings(c), root=ROOT, environment=os.environ).with_collection(collection)


@task
def up(c: Context) -> None:
    """Start the embedded PostgreSQL server and the local cloud, where the target uses them."""
    for line in workflow().start_servers(settings_of(c)):
        print_step("up", line)


@task
def down(c: Context) -> None:
    """Stop the embedded PostgreSQL server and the local cloud; nothing is lost."""
    for line in workflow().stop_servers(settings_of(c)):
        print_step("down", line)


@task(help={"json": JSON, "collection": COLLECTION})
def status(c: Context, json: bool = False, collection: str = "") -> None:
    """Show servers, migrations, row counts, placeholders left and the collection's face count; read-only."""
    from eduguard.report import read_report

    report = read_report(settings_of(c, collection))
    print_json(report) if json else print_table(report)


@task(
    iterable=["photo"],
    help={
        "student": "whose photos they are",
        "photo": "a JPEG file; may be given several times",
        "from-folder": "enrol all of a folder: students/{student_id}/photo-{n}.jpg",
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
    from_folder: str = "",
    collection: str = "",
    users: bool = False,
    if_empty: bool = False,
    yes: bool = False,
) -> None:
    """Enrol a student's photos: bucket, face, row; without flags the sample photos, where they are missing."""
    settings, consent = settings_of(c, collection), (lambda _: "y") if yes else ask
    if student or photo:
        line: str | None = recognition().enrol_photos(settings, student=student, files=photo or [])
    elif from_folder:
        line = recognition().enrol_folder(settings, from_folder)
    else:
        line = workflow().enrol_samples(settings, if_empty=if_empty, ask=consent)
    if line:
        print_step("enrol", line)
    if users:
        print_step("users", recognition().sync_users(settings, in_next=False))


@task(help={"student": "whose", "collection": COLLECTION, "yes": "do not ask"})
def unenrol(c: Context, student: str, collection: str = "", yes: bool = False) -> None:
    """Remove all that bears a student's face: faces, photos, rows; shows them and asks first."""
    consent = (lambda _: student) if yes else ask
    print_step("unenrol", recognition().unenrol(settings_of(c, collection), student=student, ask=consent))


@task(help={"json": JSON})
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
            hint="`inv photos-push --folder` puts missing ones back; `inv enrol` enrols the ones without a row.",
        )


@task(help={"folder": FOLDER, "dry-run": "only count what would be copied"})
def photos_pull(c: Context, folder: str, dry_run: bool = False) -> None:
    """Copy photos from the bucket into a folder: those it lacks or has otherwise."""
    print_step("pull", recognition().pull_photos(settings_of(c), folder=Path(folder), dry_run=dry_run))


@task(help={"folder": FOLDER, "dry-run": "only count what would be copied"})
def photos_push(c: Context, folder: str, dry_run: bool = False) -> None:
    """Copy photos from a folder into the bucket: those it lacks or has otherwise."""
    print_step("push", recognition().push_photos(settings_of(c), folder=Path(folder), dry_run=dry_run))


@task(
    iterable=["photo"],
    help={
        "class-id": "the class, such as class-1b-lenguaje",
        "photo": "a JPEG file of the class; may be given up to ten times",
        "at": "when the class began, such as 2026-03-09T08:30; without it, the photos name the session",
        "annotate": "write the photos there, with a frame and a name on each face",
        "users": "search by all faces of a student together (see enrol --users)",
        "collection": COLLECTION,
        "json": JSON,
    },
)
def attendance_take(
    c: Context,
    class_id: str,
    photo: Sequence[str] | None = None,
    at: str = "",
    annotate: str = "",
    users: bool = False,
    collection: str = "",
    json: bool = False,
) -> None:
    """Recognise the faces of class photos and record who is present; the same photos again change nothing."""
    report = attendance().take(
        settings_of(c, collection), class_id=class_id, files=photo or [], at=at, annotate=annotate, with_users=users
    )
    print_attendance(report, json=json)


@task(help={"session": "the session's id, as attendance-take printed it", "json": JSON})
def attendance_show(c: Context, session: str, json: bool = False) -> None:
    """Show the attendance of a session; read-only."""
    print_attendance(attendance().show(settings_of(c), session), json=json)


@task(help={"confirm": CONFIRM})
def rebuild(c: Context, confirm: str = "") -> None:
    """Make an empty database beside the current one, after checking everything that can be checked."""
    settings = settings_of(c)
    print_note(str(settings.target))
    keep_open(workflow().lock_database(settings))
    print_step("rebuild", workflow().rebuild(settings, confirm=confirm, command=command_line(), ask=ask))


@task(help={"next": NEXT})
def migrate(c: Context, next: bool = False) -> None:
    """Apply the pending migrations."""
    print_step("migrate", workflow().migrate(settings_of(c), in_next=next))


@task(help={"next": NEXT})
def seed(c: Context, next: bool = False) -> None:
    """Load the fixtures: rows are inserted or updated, and FaceIds that sync wrote are kept."""
    print_step("seed", workflow().seed(settings_of(c), in_next=next))


@task(
    help={
        "collection": COLLECTION,
        "dry-run": "show what would be written, and write nothing",
        "next": NEXT,
        "users": USERS,
    }
)
def sync_faces(
    c: Context, collection: str = "", dry_run: bool = False, next: bool = False, users: bool = False
) -> None:
    """Write the collection's FaceIds into student_faces, by external image id."""
    settings = settings_of(c, collection)
    print_step("sync", workflow().sync(settings, in_next=next, dry_run=dry_run))
    if users and not dry_run:
        print_step("users", recognition().sync_users(settings, in_next=next))


@task
def publish(c: Context) -> None:
    """Put the database that `rebuild` made in the place of the current one, which is kept for `undo`."""
    print_step("publish", workflow().publish(settings_of(c)))


@task
def undo(c: Context) -> None:
    """Bring the database back that the last publish replaced; once more swaps them again."""
    print_step("undo", workflow().undo(settings_of(c)))


@task(
    help={
        "collection": COLLECTION,
        "one-each": "only the first photo of each student",
        "if-local": "only where the collection is in the local cloud",
    }
)
def verify(c: Context, collection: str = "", one_each: bool = False, if_local: bool = False) -> None:
    """Prove that attendance works: search for each photo, re-encoded and cropped, and expect its own student."""
    settings = settings_of(c, collection)
    if settings.target.has_local_cloud or not if_local:
        print_step("verify", workflow().verify(settings, one_each=one_each))


@task(pre=[rebuild, call(migrate, next=True), publish], help={"confirm": CONFIRM})
def reset(c: Context, confirm: str = "") -> None:
    """Drop and recreate the database: rebuild → migrate → publish."""
    print_step("reset", workflow().summary(settings_of(c)))


@task(pre=[seed, sync_faces], help={"collection": COLLECTION})
def seed_full(c: Context, collection: str = "") -> None:
    """Load the fixtures and their FaceIds: seed → sync-faces."""
    print_step("seed-full", workflow().summary(settings_of(c, collection)))


@task(
    pre=[
        call(enrol, if_empty=True),
        rebuild,
        call(migrate, next=True),
        call(seed, next=True),
        call(sync_faces, next=True),
        publish,
        call(verify, one_each=True, if_local=True),
    ],
    help={"collection": COLLECTION, "confirm": CONFIRM, "yes": YES},
)
def full(c: Context, collection: str = "", confirm: str = "", yes: bool = False) -> None:
    """Do it all: (enrol once) → rebuild → migrate → seed → sync-faces → publish → verify."""
    print_step("full", workflow().summary(settings_of(c, collection)))


@task
def bench(c: Context) -> None:
    """Measure the tasks beside a bare Invoke and print the medians."""
    c.run(f"{sys.executable} {ROOT / 'benchmarks' / 'tasks.py'}", pty=False)


@task(help={"options": "what to pass on to pytest"})
def test(c: Context, options: str = "") -> None:
    """Check everything: format, lint, imports, types, tests."""
    with c.cd(str(ROOT)):
        for command in (
            "ruff format --check",
            "ruff check",
            "lint-imports",
            "mypy",
            f"pytest --numprocesses=auto --maxprocesses=4 {options}",
        ):
            c.run(f"{Path(sys.executable).parent}/{command}", echo=True)


def command_line() -> str:
    """Return the command as it was typed, for the mark in the database it makes."""
    return " ".join(["inv", *sys.argv[1:]])


def workflow() -> ModuleType:
    """Import the steps when a task needs them: `inv --list` does not."""
    from eduguard import workflow as steps

    return steps


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
    from eduguard import attendance_workflow as steps

    return steps


def recognition() -> ModuleType:
    """Import the steps that handle photos and faces when a task needs them."""
    from eduguard import recognition_workflow as steps

    return steps
