"""The commands of EduGuard DB: `inv --list` lists them, `inv --help TASK` explains one.

Each group of commands has a module in lib/eduguard/commands. A recipe consists of steps: the `pre` tasks, which Invoke
runs before it, and the `post` tasks, which Invoke runs after it.
"""

import math

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import call, task

from eduguard.commands.attendance import attendance_show, attendance_take
from eduguard.commands.checks import doctor, status, verify
from eduguard.commands.development import bench, test, test_all
from eduguard.commands.enrolment import enrol
from eduguard.commands.evaluate import evaluate
from eduguard.commands.executor import end_when_unread, tune_interpreter
from eduguard.commands.fixtures import fixtures_save
from eduguard.commands.generate import generate
from eduguard.commands.migrations import migrate, migration_new, rollback
from eduguard.commands.photos import photos_check, photos_copy, photos_draw, photos_pull, photos_push
from eduguard.commands.port import port
from eduguard.commands.portability import anonymise_check, export, load
from eduguard.commands.rebuild import publish, rebuild, undo
from eduguard.commands.reindex import reindex
from eduguard.commands.report import report
from eduguard.commands.seed import seed
from eduguard.commands.servers import down, env, psql, up
from eduguard.commands.shared import (
    COLLECTION,
    CONFIRM,
    CONFIRM_COLLECTION,
    JSON,
    SCHOOL,
    TO,
    WAIT,
    YES,
    print_summary,
    settings_of,
)
from eduguard.commands.snapshots import snapshot_delete, snapshot_list, snapshot_restore, snapshot_save
from eduguard.commands.sync import sync_faces
from eduguard.commands.unenrolment import unenrol
from eduguard.commands.version import version
from eduguard.commands.words import accept_forms
from eduguard.terminal import prepare_streams

prepare_streams()
tune_interpreter()
end_when_unread()

EXAMPLES = {
    "reset": "inv reset --to 0002",
    "seed-full": "inv seed-full",
    "full": "inv full",
}


@task(pre=[rebuild, call(migrate, next=True), publish], help={"confirm": CONFIRM, "to": TO, "json": JSON})
def reset(c: Context, confirm: str = "", to: str = "", json: bool = False) -> None:
    """Drop and recreate the database: rebuild → migrate → publish."""
    print_summary("reset", settings_of(c), done="Published.")


_SYNCING = {
    "collection": COLLECTION,
    "school": SCHOOL,
    "confirm": CONFIRM,
    "confirm-collection": CONFIRM_COLLECTION,
    "json": JSON,
}


@task(pre=[seed, sync_faces], help=_SYNCING | {"wait": WAIT})
def seed_full(
    c: Context,
    collection: str = "",
    school: str = "",
    confirm: str = "",
    confirm_collection: str = "",
    wait: float = math.inf,
    json: bool = False,
) -> None:
    """Load the fixtures and their FaceIds: seed → sync-faces."""
    print_summary("seed-full", settings_of(c, collection, school, wait=wait), done="The fixtures are loaded.")


@task(
    pre=[
        call(enrol, if_empty=True),
        call(rebuild, seeded=True),
        call(migrate, next=True),
        call(seed, next=True),
        call(sync_faces, next=True),
        publish,
    ],
    post=[call(verify, one_each=True, if_local=True)],
    help=_SYNCING | {"yes": YES},
)
def full(
    c: Context,
    collection: str = "",
    school: str = "",
    confirm: str = "",
    confirm_collection: str = "",
    yes: bool = False,
    json: bool = False,
) -> None:
    """Do it all: (enrol once) → rebuild → migrate → seed → sync-faces → publish → verify."""
    print_summary("full", settings_of(c, collection, school), done="Published.")


namespace = Collection(
    full,
    rebuild,
    reset,
    publish,
    undo,
    migrate,
    rollback,
    Collection("migration", migration_new),
    seed,
    seed_full,
    Collection("fixtures", fixtures_save),
    generate,
    sync_faces,
    reindex,
    verify,
    doctor,
    status,
    report,
    evaluate,
    enrol,
    unenrol,
    Collection("photos", photos_check, photos_copy, photos_draw, photos_pull, photos_push),
    Collection("attendance", attendance_show, attendance_take),
    Collection("snapshot", snapshot_delete, snapshot_list, snapshot_restore, snapshot_save),
    port,
    export,
    load,
    Collection("anonymise", anonymise_check),
    psql,
    env,
    up,
    down,
    version,
    bench,
    test,
    test_all,
)
accept_forms(namespace)
