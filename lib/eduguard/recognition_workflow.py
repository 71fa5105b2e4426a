"""The steps that handle students' photos and faces: each opens what it needs and returns what the task prints."""

from collections.abc import Callable, Sequence
from pathlib import Path

from eduguard import enrolment, photo_copies, removal, student_enrolment, users
from eduguard.console import print_note
from eduguard.database import connect
from eduguard.errors import EduguardError
from eduguard.external_ids import is_student_id
from eduguard.listing import read_faces
from eduguard.photo_copies import PhotoReport
from eduguard.progress import Progress
from eduguard.scope import Scope, read_rows
from eduguard.services import rekognition_reads_bucket, target_bucket, target_collection, target_database
from eduguard.settings import Settings
from eduguard.student_enrolment import Cloud, Request

Ask = Callable[[str], str | None]


def enrol_photos(settings: Settings, *, student: str, files: Sequence[str]) -> str:
    """Enrol photos of one student, which get the next numbers."""
    return _enrol(settings, [Request(student_id=student, file=Path(file)) for file in files])


def enrol_folder(settings: Settings, folder: str) -> str:
    """Enrol every photo of a folder laid out like the bucket; a photo keeps the number in its name."""
    return _enrol(settings, student_enrolment.requests_of(enrolment.find_photos(Path(folder))))


def _enrol(settings: Settings, requests: Sequence[Request]) -> str:
    database, cloud = target_database(settings), open_cloud(settings)
    with connect(database, purpose="enrol") as conn:
        students = [request.student_id for request in requests]
        student_enrolment.check_students(conn, students)
        student_enrolment.check_collection(conn, students, settings.target.collection)
    prepare(cloud)
    with Progress() as progress:
        outcomes = student_enrolment.enrol_students(
            requests,
            connect=lambda: connect(database, purpose="enrol"),
            cloud=cloud,
            advance=progress.begin("enrol", len(requests), "photos").advance,
        )
    return student_enrolment.summarise(outcomes)


def unenrol(settings: Settings, *, student: str, ask: Ask) -> str:
    """Remove a student's faces, photos and rows, after showing them."""
    if not is_student_id(student):
        raise EduguardError(f"{student!r} is not a student's id", hint="inv unenrol STUDENT")
    cloud = open_cloud(settings)
    with connect(target_database(settings), purpose="unenrol") as conn:
        student_enrolment.check_collection(conn, [student], settings.target.collection)
        traces = removal.find_traces(conn, student, cloud)
        if traces.is_empty:
            return f"{student}: no face, no photo and no row; nothing to remove"
        print_note(f"{settings.target}, bucket {settings.target.bucket}\n{traces}")
        if ask(f"Remove {traces.counts()} of {student} for good? Type the student's id:") != student:
            raise EduguardError(
                f"{student}: nothing was removed ({traces.counts()})", hint="Type the id, or pass --yes."
            )
        return f"{student}: {removal.remove_traces(conn, student, cloud).counts()} removed"


def check_photos(settings: Settings) -> PhotoReport:
    """Compare rows and bucket; read-only."""
    bucket = target_bucket(settings)
    with connect(target_database(settings), purpose="photos check") as conn:
        return photo_copies.check_photos(conn, bucket)


def pull_photos(settings: Settings, *, folder: Path, dry_run: bool) -> str:
    """Copy the photos that a folder lacks, or has otherwise, from the bucket."""
    bucket = target_bucket(settings)
    plan = photo_copies.plan_pull(folder, bucket)
    if dry_run:
        return plan.summary(done="to pull")
    with Progress() as progress:
        photo_copies.pull(plan, folder, bucket, advance=progress.begin("pull", len(plan.keys), "photos").advance)
    return plan.summary(done="pulled")


def push_photos(settings: Settings, *, folder: Path, dry_run: bool) -> str:
    """Copy the photos that the bucket lacks, or has otherwise, from a folder; the bucket must be private."""
    bucket = target_bucket(settings)
    if not dry_run:
        bucket.ensure_exists()
    if note := bucket.check_private():
        print_note(note)
    plan = photo_copies.plan_push(folder, bucket)
    if dry_run:
        return plan.summary(done="to push")
    with Progress() as progress:
        photo_copies.push(plan, folder, bucket, advance=progress.begin("push", len(plan.keys), "photos").advance)
    return plan.summary(done="pushed")


def sync_users(settings: Settings, *, in_next: bool) -> str:
    """Give each student's user the faces of the student's rows; nothing is taken from a user."""
    live, collection = target_database(settings), target_collection(settings)
    listed = read_faces(collection)
    with connect(live.next if in_next else live, purpose="users") as conn:
        plan = users.plan_users(read_rows(conn, Scope(collection=collection.name)), listed)
    return users.apply_users(collection, plan)


def open_cloud(settings: Settings) -> Cloud:
    """Return the target's collection and bucket; nothing is sent yet."""
    return Cloud(
        collection=target_collection(settings),
        bucket=target_bucket(settings),
        by_reference=rekognition_reads_bucket(settings),
    )


def prepare(cloud: Cloud) -> None:
    """Make collection and bucket where they do not exist, and refuse a bucket that is not private."""
    if cloud.collection.describe() is None:
        cloud.collection.create()
    cloud.bucket.ensure_exists()
    if note := cloud.bucket.check_private():
        print_note(note)
