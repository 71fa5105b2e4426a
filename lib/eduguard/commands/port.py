"""The command that takes a school from one target to another: export → load → photos → reindex → sync → verify."""

import tempfile
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.checks import verify
from eduguard.commands.photos import photos_copy, photos_draw
from eduguard.commands.portability import choose_scope, export_rows, load_rows
from eduguard.commands.reindex import reindex_missing
from eduguard.commands.shared import CONFIRM, CONFIRM_COLLECTION, JSON, YES, settings_of
from eduguard.commands.sync import sync_faces
from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import begin_step, print_step, record

GROUP = "Portability"
EXAMPLES = {
    "port": "inv port --from production --dry-run",
}


@task(
    help={
        "from": "the target to copy from; it is only read",
        "grade": "only the students of this grade, and what they need",
        "school": "only the students of this school, and what they need",
        "plain": "include people and their photos; asks for the names of the databases and of the bucket",
        "dry-run": "show the whole plan with its time and cost, and change nothing",
        "confirm": CONFIRM,
        "confirm-plain": "the name of the database that --plain asks for",
        "confirm-bucket": "the bucket's name: consent to what is put there",
        "confirm-collection": CONFIRM_COLLECTION,
        "yes": YES,
        "json": JSON,
    }
)
def port(
    c: Context,
    from_: str = "",
    grade: str = "",
    school: str = "",
    plain: bool = False,
    dry_run: bool = False,
    confirm: str = "",
    confirm_plain: str = "",
    confirm_bucket: str = "",
    confirm_collection: str = "",
    yes: bool = False,
    json: bool = False,
) -> None:
    """Take a school from another target to this one: export → load → photos → reindex → sync-faces → verify."""
    from eduguard.portability import check_apart

    if not from_:
        raise EduguardError("--from is missing: the target that is read", hint="inv port --from TARGET")
    settings = settings_of(c)
    source, scope = settings.other_target(from_), choose_scope(grade, [], school)
    check_apart(source, settings)
    if dry_run:
        rows, _ = export_rows(source, None, scope, plain=plain, confirm_plain=confirm_plain, say=print_step)
        _print_plan(settings, source, rows, plain=plain)
        record({"source": from_, "target": settings.target.name, "rows": rows, "is_done": False})
        return
    with tempfile.TemporaryDirectory(prefix="eduguard-port-") as scratch:
        folder = Path(scratch) / "export"
        begin_step("export")
        rows, _ = export_rows(source, folder, scope, plain=plain, confirm_plain=confirm_plain, say=print_step)
        record({"rows": rows})
        begin_step("load")
        load_rows(settings, folder, confirm=confirm, confirm_plain=confirm_plain)
    begin_step("photos copy" if plain else "photos draw")
    if plain:
        photos_copy(c, from_=from_, confirm_bucket=confirm_bucket)
    else:
        photos_draw(c, confirm_bucket=confirm_bucket)
    begin_step("reindex")
    reindex_missing(settings, yes=yes)
    begin_step("sync-faces")
    sync_faces(c, confirm_collection=confirm_collection)
    begin_step("verify")
    verify(c, one_each=True)
    begin_step(None)
    record({"source": from_, "target": settings.target.name, "is_done": True})
    print_step("port", f"{settings.target.name} has what {from_} has; a second run does again what has changed since")


def _print_plan(settings: Settings, source: Settings, rows: dict[str, int], *, plain: bool) -> None:
    """Print what each step would do, its time within AWS's quota, and its cost at most."""
    from eduguard.portability import at_pace, estimate

    photos, target = rows.get("student_faces", 0), settings.target
    estimated = str(estimate(at_pace(settings), requests=photos, faces=photos))
    shown = f"copied from bucket {source.target.bucket}" if plain else "drawn, of nobody"
    print_step("load", f"{amount(sum(rows.values()), 'row')} into a new database of target {target.name}")
    print_step("photos", f"at most {photos:,} {shown}, into bucket {target.bucket}")
    print_step("reindex", f"at most {amount(photos, 'photo')} to index" + (f": {estimated}" if estimated else ""))
    print_step("sync", f"{amount(photos, 'row gets', 'rows get')} the FaceIds of target {target.name}")
    print_step("verify", f"one photo of each student is searched for in target {target.name}")
