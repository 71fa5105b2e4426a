"""The commands for the photos in the bucket: compare them with the rows, copy them from and into a folder."""

from dataclasses import asdict
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import JSON, settings_of
from eduguard.commands.words import Command
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM
from eduguard.terminal import ask, print_json, print_note, print_rows, print_step

_SHOWN = 20  # keys in an error
_COPY = {"folder": f"laid out like the bucket: {KEY_FORM}", "dry-run": "only count what would be copied"}

EXAMPLES = {
    "photos check": "inv photos check --json",
    "photos pull": "inv photos pull photos",
    "photos push": "inv photos push photos --dry-run",
}


@task(name="photos check", help={"json": JSON})
def photos_check(c: Context, json: bool = False) -> None:
    """Compare the rows with the bucket: photos missing, extra, of the wrong type, too small, damaged; read-only."""
    from eduguard.postgres import connect
    from eduguard.students import check_photos
    from eduguard.targets import target_bucket, target_database

    settings = settings_of(c)
    bucket = target_bucket(settings)
    with connect(target_database(settings), purpose="photos check") as conn:
        report = check_photos(conn, bucket)
    if json:
        print_json(asdict(report))
    else:
        print_step("photos", report.summary())
        print_rows(("problem", "photo"), report.findings()) if report.findings() else None
    if report.findings():
        raise EduguardError(
            f"{len(report.findings())} problems with photos",
            hint="`inv enrol --from FOLDER` makes missing ones again, and the rows of others; `inv photos push FOLDER` "
            "replaces damaged ones.",
        )


@task(name="photos pull", klass=Command, words="FOLDER", help=dict(_COPY))
def photos_pull(c: Context, folder: str, dry_run: bool = False) -> None:
    """Copy students' photos from the bucket into a folder: those that are missing or different there."""
    from eduguard.progress import Progress
    from eduguard.students import plan_pull, pull
    from eduguard.targets import target_bucket

    bucket = target_bucket(settings_of(c))
    plan = plan_pull(Path(folder), bucket)
    if not dry_run:
        with Progress() as progress:
            pull(plan, Path(folder), bucket, advance=progress.begin("pull", len(plan.keys), "photos").advance)
    print_step("pull", plan.summary(done="to pull" if dry_run else "pulled"))


@task(
    name="photos push",
    klass=Command,
    words="FOLDER",
    help={**_COPY, "yes": "replace photos that are different in the bucket without asking"},
)
def photos_push(c: Context, folder: str, dry_run: bool = False, yes: bool = False) -> None:
    """Copy students' photos from a folder into the bucket: those that are missing or different there."""
    from eduguard.progress import Progress
    from eduguard.students import check_private, find_files, plan_push, prepare_bucket, push
    from eduguard.targets import target_bucket

    files, bucket = find_files(Path(folder)), target_bucket(settings_of(c))
    (check_private if dry_run else prepare_bucket)(bucket, print_note)
    plan = plan_push(files, bucket)
    if dry_run:
        print_step("push", plan.summary(done="to push"))
        return
    question = f"Replace {len(plan.replaced)} photos in bucket {bucket.name}? Their faces are not indexed again. [y/N]"
    if plan.replaced and not yes and ask(question) != "y":
        raise EduguardError(
            f"{plan.summary(done='to push')}; none was pushed: {', '.join(plan.replaced[:_SHOWN])}",
            hint="--yes replaces without asking; `inv enrol` enrols a new photo under the next number instead.",
        )
    with Progress() as progress:
        push(plan, files, bucket, advance=progress.begin("push", len(plan.keys), "photos").advance)
    print_step("push", plan.summary(done="pushed"))
