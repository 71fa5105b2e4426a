"""The steps that handle students' photos and faces: each opens what it needs and returns what the task prints."""

from collections.abc import Callable, Sequence
from pathlib import Path

from eduguard import students
from eduguard.aws import read_faces
from eduguard.errors import EduguardError
from eduguard.identifiers import is_student_id
from eduguard.postgres import connect
from eduguard.progress import Progress
from eduguard.settings import Settings
from eduguard.students import PhotoReport, Request
from eduguard.sync.scope import Scope, read_rows
from eduguard.targets import target_bucket, target_collection, target_database, target_storage
from eduguard.terminal import print_note

Ask = Callable[[str], str | None]


def enrol_photos(settings: Settings, *, student: str, files: Sequence[str]) -> str:
    """Enrol photos of one student, which get the next numbers."""
    return _enrol(settings, [Request(student_id=student, file=Path(file)) for file in files])


def enrol_folder(settings: Settings, folder: str) -> str:
    """Enrol every photo of a folder laid out like the bucket; a photo keeps the number in its name."""
    return _enrol(settings, students.requests_of(students.find_photos(Path(folder))))


def _enrol(settings: Settings, requests: Sequence[Request]) -> str:
    database, storage = target_database(settings), target_storage(settings)
    with connect(database, purpose="enrol") as conn:
        ids = [request.student_id for request in requests]
        students.check_students(conn, ids)
        students.check_collection(conn, ids, settings.target.collection)
    with Progress() as progress:
        enrolments = students.enrol_students(
            requests,
            connect=lambda: connect(database, purpose="enrol"),
            storage=storage,
            note=print_note,
            advance=progress.begin("enrol", len(requests), "photos").advance,
        )
    return students.summarise(enrolments)


def unenrol(settings: Settings, *, student: str, ask: Ask) -> str:
    """Remove a student's faces, photos and rows, after showing them."""
    if not is_student_id(student):
        raise EduguardError(f"{student!r} is not a student's id", hint="inv unenrol STUDENT")
    storage = target_storage(settings)
    with connect(target_database(settings), purpose="unenrol") as conn:
        students.check_collection(conn, [student], settings.target.collection)
        traces = students.find_traces(conn, student, storage)
        if traces.is_empty:
            return f"{student}: no face, no photo and no row; nothing to remove"
        print_note(f"{settings.target}, bucket {settings.target.bucket}\n{traces}")
        if ask(f"Remove {traces.counts()} of {student} for good? Type the student's id:") != student:
            raise EduguardError(
                f"{student}: nothing was removed ({traces.counts()})", hint="Type the id, or pass --yes."
            )
        return f"{student}: {students.remove_traces(conn, student, storage).counts()} removed"


def check_photos(settings: Settings) -> PhotoReport:
    """Compare rows and bucket; read-only."""
    bucket = target_bucket(settings)
    with connect(target_database(settings), purpose="photos check") as conn:
        return students.check_photos(conn, bucket)


def pull_photos(settings: Settings, *, folder: Path, dry_run: bool) -> str:
    """Copy the photos that a folder lacks, or has otherwise, from the bucket."""
    bucket = target_bucket(settings)
    plan = students.plan_pull(folder, bucket)
    if dry_run:
        return plan.summary(done="to pull")
    with Progress() as progress:
        students.pull(plan, folder, bucket, advance=progress.begin("pull", len(plan.keys), "photos").advance)
    return plan.summary(done="pulled")


def push_photos(settings: Settings, *, folder: Path, dry_run: bool) -> str:
    """Copy the photos that the bucket lacks, or has otherwise, from a folder; the bucket must be private."""
    files, bucket = students.find_files(folder), target_bucket(settings)
    if dry_run:
        students.check_private(bucket, print_note)
        return students.plan_push(files, bucket).summary(done="to push")
    students.prepare_bucket(bucket, print_note)
    plan = students.plan_push(files, bucket)
    with Progress() as progress:
        students.push(plan, files, bucket, advance=progress.begin("push", len(plan.keys), "photos").advance)
    return plan.summary(done="pushed")


def sync_users(settings: Settings, *, in_next: bool) -> str:
    """Give each student's user the faces of the student's rows; nothing is taken from a user."""
    live, collection = target_database(settings), target_collection(settings)
    listed = read_faces(collection)
    with connect(live.next if in_next else live, purpose="users") as conn:
        plan = students.plan_users(read_rows(conn, Scope(collection=collection.name)), listed)
    return students.apply_users(collection, plan)
