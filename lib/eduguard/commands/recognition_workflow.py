"""The steps that handle students' photos and faces: each opens what it needs and returns what the task prints."""

from collections.abc import Callable, Sequence
from pathlib import Path

from eduguard.aws.listing import read_faces
from eduguard.errors import EduguardError
from eduguard.identifiers import is_student_id
from eduguard.postgres.database import connect
from eduguard.progress import Progress
from eduguard.settings import Settings
from eduguard.students import enrolment, photos, samples, unenrolment, users
from eduguard.students.enrolment import Cloud, Request
from eduguard.students.photos import PhotoReport
from eduguard.sync import Scope, read_rows
from eduguard.targets import rekognition_reads_bucket, target_bucket, target_collection, target_database
from eduguard.terminal import print_note

Ask = Callable[[str], str | None]


def enrol_photos(settings: Settings, *, student: str, files: Sequence[str]) -> str:
    """Enrol photos of one student, which get the next numbers."""
    return _enrol(settings, [Request(student_id=student, file=Path(file)) for file in files])


def enrol_folder(settings: Settings, folder: str) -> str:
    """Enrol every photo of a folder laid out like the bucket; a photo keeps the number in its name."""
    return _enrol(settings, enrolment.requests_of(samples.find_photos(Path(folder))))


def _enrol(settings: Settings, requests: Sequence[Request]) -> str:
    database, cloud = target_database(settings), open_cloud(settings)
    with connect(database, purpose="enrol") as conn:
        students = [request.student_id for request in requests]
        enrolment.check_students(conn, students)
        enrolment.check_collection(conn, students, settings.target.collection)
    prepare(cloud)
    with Progress() as progress:
        outcomes = enrolment.enrol_students(
            requests,
            connect=lambda: connect(database, purpose="enrol"),
            cloud=cloud,
            advance=progress.begin("enrol", len(requests), "photos").advance,
        )
    return enrolment.summarise(outcomes)


def unenrol(settings: Settings, *, student: str, ask: Ask) -> str:
    """Remove a student's faces, photos and rows, after showing them."""
    if not is_student_id(student):
        raise EduguardError(f"{student!r} is not a student's id", hint="inv unenrol STUDENT")
    cloud = open_cloud(settings)
    with connect(target_database(settings), purpose="unenrol") as conn:
        enrolment.check_collection(conn, [student], settings.target.collection)
        traces = unenrolment.find_traces(conn, student, cloud)
        if traces.is_empty:
            return f"{student}: no face, no photo and no row; nothing to remove"
        print_note(f"{settings.target}, bucket {settings.target.bucket}\n{traces}")
        if ask(f"Remove {traces.counts()} of {student} for good? Type the student's id:") != student:
            raise EduguardError(
                f"{student}: nothing was removed ({traces.counts()})", hint="Type the id, or pass --yes."
            )
        return f"{student}: {unenrolment.remove_traces(conn, student, cloud).counts()} removed"


def check_photos(settings: Settings) -> PhotoReport:
    """Compare rows and bucket; read-only."""
    bucket = target_bucket(settings)
    with connect(target_database(settings), purpose="photos check") as conn:
        return photos.check_photos(conn, bucket)


def pull_photos(settings: Settings, *, folder: Path, dry_run: bool) -> str:
    """Copy the photos that a folder lacks, or has otherwise, from the bucket."""
    bucket = target_bucket(settings)
    plan = photos.plan_pull(folder, bucket)
    if dry_run:
        return plan.summary(done="to pull")
    with Progress() as progress:
        photos.pull(plan, folder, bucket, advance=progress.begin("pull", len(plan.keys), "photos").advance)
    return plan.summary(done="pulled")


def push_photos(settings: Settings, *, folder: Path, dry_run: bool) -> str:
    """Copy the photos that the bucket lacks, or has otherwise, from a folder; the bucket must be private."""
    bucket = target_bucket(settings)
    if not dry_run:
        bucket.ensure_exists()
    if note := bucket.check_private():
        print_note(note)
    plan = photos.plan_push(folder, bucket)
    if dry_run:
        return plan.summary(done="to push")
    with Progress() as progress:
        photos.push(plan, folder, bucket, advance=progress.begin("push", len(plan.keys), "photos").advance)
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
