"""The commands for photos in the bucket: compare them with the rows, copy them, draw them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import CONFIRM, JSON, SCHOOL, settings_of
from eduguard.commands.words import Command
from eduguard.errors import LEFT, EduguardError, UsageError
from eduguard.identifiers import KEY_FORM
from eduguard.plurals import amount
from eduguard.terminal import ask, print_note, print_rows, print_step, record

if TYPE_CHECKING:
    from eduguard.aws import Bucket
    from eduguard.settings import Settings

_SHOWN = 20  # keys in an error
_COPY = {"folder": f"laid out like the bucket: {KEY_FORM}", "dry-run": "only count what would be copied", "json": JSON}

_CONFIRM_BUCKET = "the bucket's name: consent to what is put there"

EXAMPLES = {
    "photos check": "inv photos check --json",
    "photos copy": "inv photos copy --from production --dry-run",
    "photos draw": "inv photos draw --dry-run",
    "photos pull": "inv photos pull photos",
    "photos push": "inv photos push photos --dry-run",
}


@task(
    name="check",
    help={
        "json": JSON,
        "propose": "instead, list photos in the bucket that fit rows whose photo is missing, or that no row names",
        "accept": "with --propose: write these rows into the database",
    },
)
def photos_check(c: Context, json: bool = False, propose: bool = False, accept: bool = False) -> None:
    """Compare the rows with the bucket: photos missing, extra, damaged, ...; exit 0 ok, 2 a problem."""
    if accept and not propose:
        raise EduguardError("--accept needs --propose", hint="inv photos check --propose --accept")
    if propose:
        _propose(settings_of(c), accept=accept)
        return
    from eduguard.postgres import connect
    from eduguard.students import check_photos
    from eduguard.targets import target_bucket, target_database

    settings = settings_of(c)
    bucket = target_bucket(settings)
    with connect(target_database(settings), purpose="photos check") as conn:
        report = check_photos(conn, bucket)
    record(asdict(report))
    print_step("photos", report.summary())
    print_rows(("problem", "photo"), report.findings()) if report.findings() else None
    if report.findings():
        raise EduguardError(
            f"{amount(len(report.findings()), 'problem')} with photos",
            hint="`inv enrol --from FOLDER` makes missing ones again, and the rows of others; `inv photos push FOLDER` "
            "replaces damaged ones.",
            status=LEFT,
        )


def _propose(settings: "Settings", *, accept: bool) -> None:
    """Print the rows that could name photos in the bucket, and write them if they are accepted.

    Raises:
        EduguardError: with status 2, if there are such rows and they were not accepted.
    """
    from eduguard.postgres import connect
    from eduguard.students import accept_proposals, read_proposals
    from eduguard.targets import target_bucket, target_database

    bucket, database = target_bucket(settings), target_database(settings)
    with connect(database, purpose="photos check") as conn:
        found = read_proposals(conn, bucket, print_note)
        written = accept_proposals(conn, found) if accept else 0
    record({"proposals": [asdict(each) for each in found], "written": written})
    said = f"{amount(written, 'row')} written" if accept else "no row was written"
    print_step("photos", f"{amount(len(found), 'photo')} in bucket {bucket.name} for a row; {said}")
    rows = [(each.external_image_id, each.key, each.change) for each in found]
    print_rows(("row", "photo", "change"), rows) if rows else None
    if written:
        print_note(
            "Next: `inv reindex` makes their faces, `inv sync-faces` links them, `inv fixtures save` keeps the rows"
        )
    elif found:
        raise EduguardError(
            f"{amount(len(found), 'photo fits', 'photos fit')} a row; no row was written",
            hint="Look whose photos they are, then run `inv photos check --propose --accept`.",
            status=LEFT,
        )


@task(name="pull", klass=Command, words="FOLDER", help=dict(_COPY))
def photos_pull(c: Context, folder: str, dry_run: bool = False, json: bool = False) -> None:
    """Copy students' photos from the bucket into a folder: those that are missing or different there."""
    from eduguard.progress import Progress
    from eduguard.students import plan_pull, pull
    from eduguard.targets import target_bucket

    bucket = target_bucket(settings_of(c))
    plan = plan_pull(Path(folder), bucket)
    record(asdict(plan) | {"is_done": False})
    if not dry_run:
        with Progress() as progress:
            pull(plan, Path(folder), bucket, advance=progress.begin("pull", len(plan.keys), "photos").advance)
    record({"is_done": not dry_run})
    print_step("pull", plan.summary(done="to pull" if dry_run else "pulled"))


@task(
    name="push",
    klass=Command,
    words="FOLDER",
    help={**_COPY, "yes": "replace photos that are different in the bucket without asking"},
)
def photos_push(c: Context, folder: str, dry_run: bool = False, yes: bool = False, json: bool = False) -> None:
    """Copy students' photos from a folder into the bucket: those that are missing or different there."""
    from eduguard.progress import Progress
    from eduguard.students import check_private, find_files, plan_push, prepare_bucket, push
    from eduguard.targets import target_bucket

    files, bucket = find_files(Path(folder)), target_bucket(settings_of(c))
    (check_private if dry_run else prepare_bucket)(bucket, print_note)
    plan = plan_push(files, bucket)
    record(asdict(plan) | {"is_done": False})
    if dry_run:
        print_step("push", plan.summary(done="to push"))
        return
    replaced = f"{amount(len(plan.replaced), 'photo')} in bucket {bucket.name}"
    question = f"Replace {replaced}? Faces are not indexed again. [y/N]"
    if plan.replaced and not yes and ask(question) != "y":
        raise EduguardError(
            f"{plan.summary(done='to push')}; none was pushed: {', '.join(plan.replaced[:_SHOWN])}",
            hint="--yes replaces without asking; `inv enrol` enrols a new photo under the next number instead.",
        )
    with Progress() as progress:
        push(plan, files, bucket, advance=progress.begin("push", len(plan.keys), "photos").advance)
    record({"is_done": True})
    print_step("push", plan.summary(done="pushed"))


@task(
    name="draw",
    help={
        "school": SCHOOL,
        "dry-run": "only count what would be drawn",
        "confirm-bucket": _CONFIRM_BUCKET,
        "confirm": CONFIRM,
        "json": JSON,
    },
)
def photos_draw(
    c: Context,
    school: str = "",
    dry_run: bool = False,
    confirm_bucket: str = "",
    confirm: str = "",
    json: bool = False,
) -> None:
    """Draw an invented face for each photo that rows name and the bucket lacks; classmates do not look alike."""
    from eduguard.portability import draw_photos, plan_drawing, read_portraits
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.students import check_keys, prepare_bucket
    from eduguard.targets import target_bucket, target_database, target_places

    settings = settings_of(c, school=school)
    bucket = target_bucket(settings)
    with connect(target_database(settings), purpose="photos draw") as conn:
        portraits = read_portraits(conn, target_places(settings, conn))
    check_keys(each.key for each in portraits)
    plan = plan_drawing(portraits, bucket)
    drawn = {"keys": [each.key for each in plan.faces], "unchanged": plan.drawn, "replaced": plan.others}
    record(drawn | {"is_done": False})
    if dry_run:
        print_step("draw", plan.summary(done="to draw"))
        return
    if plan.others:
        others = amount(len(plan.others), "photo that was", "photos that were")
        doing = f"replaces {others} not drawn ({', '.join(plan.others[:_SHOWN])})"
        _require_bucket(bucket, settings, doing, confirm_bucket)
    if plan.faces:
        prepare_bucket(bucket, print_note)
    with Progress() as progress:
        draw_photos(plan, bucket, advance=progress.begin("draw", len(plan.faces), "portraits").advance)
    record({"is_done": True})
    print_step("draw", plan.summary(done="drawn"))
    if plan.others:
        print_note("Faces that were indexed are those of the photos before: inv reindex --into NEW makes all again")


@task(
    name="copy",
    help={
        "from": "the target whose photos are copied; its bucket is only listed and read",
        "school": SCHOOL,
        "dry-run": "only count what would be copied",
        "confirm-bucket": _CONFIRM_BUCKET,
        "confirm": CONFIRM,
        "json": JSON,
    },
)
def photos_copy(
    c: Context,
    from_: str = "",
    school: str = "",
    dry_run: bool = False,
    confirm_bucket: str = "",
    confirm: str = "",
    json: bool = False,
) -> None:
    """Copy the photos that this target's rows name from another target's bucket, and compare ETag and size."""
    from eduguard.portability import can_copy_inside, check_other_bucket, copy_photos, plan_copy, read_photo_keys
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.students import check_keys, prepare_bucket
    from eduguard.targets import target_bucket, target_database, target_places

    if not from_:
        raise UsageError("No target to copy from was named", hint="inv photos copy --from TARGET")
    settings = settings_of(c, school=school)
    other = settings.other_target(from_, needs_database=False)
    check_other_bucket(other.target, settings.target)
    source, bucket = target_bucket(other), target_bucket(settings)
    with connect(target_database(settings), purpose="photos copy") as conn:
        keys = read_photo_keys(conn, target_places(settings, conn))
    check_keys(keys)
    plan = plan_copy(keys, source, bucket)
    record(asdict(plan) | {"is_done": False})
    if dry_run:
        print_step("copy", plan.summary(done="to copy"))
        return
    if plan.keys:
        doing = (
            f"gets {amount(len(plan.keys), 'photo')} of bucket {source.name} of target {from_}, real children perhaps"
        )
        _require_bucket(bucket, settings, doing, confirm_bucket)
        prepare_bucket(bucket, print_note)
    is_inside = can_copy_inside(other.target, settings.target)
    with Progress() as progress:
        step = progress.begin("copy", len(plan.keys), "photos")
        copy_photos(plan, source, bucket, is_inside=is_inside, advance=step.advance)
    record({"is_done": True})
    print_step("copy", plan.summary(done="copied"))
    if plan.missing:
        raise EduguardError(f"bucket {source.name} lacks {_name(plan.missing)}", status=LEFT)


def _require_bucket(bucket: "Bucket", settings: "Settings", doing: str, confirmed: str) -> None:
    """Ask for the bucket's name, unless it was passed.

    Raises:
        EduguardError: without the name; nothing was changed.
    """
    text = f"Bucket {bucket.name} of target {settings.target.name} {doing}"
    if confirmed == bucket.name or (not confirmed and ask(f"{text}\nType the bucket's name to go on:") == bucket.name):
        return
    wrong = f"; {confirmed!r} is not its name" if confirmed else ""
    raise EduguardError(f"Nothing was changed. {text}{wrong}", hint=f"To go on, pass --confirm-bucket {bucket.name}")


def _name(keys: tuple[str, ...]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{amount(len(keys), 'photo')}: {', '.join(keys[:_SHOWN])}{more}"
