"""The steps of the workflow: each opens what it needs, does one thing, and returns the line that says so."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from eduguard import lock, migrations, protection, publication, sessions, templates
from eduguard.console import print_note
from eduguard.database import Database, connect
from eduguard.errors import EduguardError
from eduguard.services import (
    cloud_folder,
    rekognition_reads_bucket,
    stop_database,
    target_bucket,
    target_collection,
    target_database,
)
from eduguard.settings import Settings

if TYPE_CHECKING:
    from eduguard.faces import Plan
    from eduguard.progress import Progress
    from eduguard.reconciliation import Options, Outcome

Ask = Callable[[str], str | None]
Show = Callable[[Settings, "Plan"], None]
_COLLECTIONS_AT_ONCE = 4  # each sends one request at a time, all of them at the pace of the region


def start_servers(settings: Settings) -> Iterator[str]:
    """Start what the target runs on this machine; yield a line for each server."""
    from eduguard import cloud

    if settings.target.is_embedded:
        yield f"PostgreSQL: {target_database(settings).shown_url}"
    if settings.target.uses_local_cloud:
        yield f"local cloud: {cloud.ensure_running(cloud_folder(settings), models=settings.face_models).endpoint}"


def stop_servers(settings: Settings) -> Iterator[str]:
    """Stop the servers of this checkout, whatever the target; yield a line for each that was running."""
    from eduguard import cloud

    if stop_database(settings):
        yield "PostgreSQL stopped"
    if cloud.stop(cloud_folder(settings)):
        yield "local cloud stopped"


def enrol_samples(settings: Settings, *, if_empty: bool, ask: Ask) -> str | None:
    """Enrol the sample photos of the seed folder.

    Args:
        settings: the target's collection and bucket are made if they do not exist.
        if_empty: do nothing when the collection has a face.
        ask: for consent where photos leave this machine.

    Raises:
        EduguardError: for a picture without exactly one face.
    """
    from eduguard import enrolment

    target, collection = settings.target, target_collection(settings)
    if if_empty and (state := collection.describe()) and state.face_count:
        return None
    photos = enrolment.find_photos(settings.photos_folder)
    if not target.has_local_cloud and ask(f"Send {len(photos)} sample photos to {target}? [y/N]") != "y":
        return "no photo was sent; `inv enrol --yes` sends the sample photos without asking"
    report = enrolment.enrol_photos(
        photos, collection=collection, bucket=target_bucket(settings), by_reference=rekognition_reads_bucket(settings)
    )
    return report.summary()


def lock_database(settings: Settings) -> AbstractContextManager[None]:
    """Hold the lock that lets one command at a time rebuild the target's database."""
    return lock.hold_lock(target_database(settings))


def rebuild(settings: Settings, *, confirm: str, command: str, ask: Ask, seeded: bool, to: str) -> str:
    """Check everything that can be checked, then make the next database: a template's clone, or empty.

    The fixtures are checked whether they are to be loaded now or by the command after this one; those that a template
    was made of have been loaded, and those that the live database's mark tells of have been read.
    """
    live, target = target_database(settings), settings.target
    state = protection.inspect(live)
    protection.check_replaceable(state, live, target.protection, confirm=confirm, ask=ask)
    migrations.check_folder(settings.migrations_folder)
    with connect(live.maintenance, purpose="rebuild") as conn:
        with_fixtures, empty = templates.find(conn, live, settings)
    checked: str | None = templates.hash_fixtures(settings)
    if not with_fixtures and not (state.origin and state.origin.fixtures == checked):
        from eduguard import fixtures

        fixtures.read_fixtures(settings.seed_folder)
        if checked != templates.hash_fixtures(settings):
            checked = None  # a file changed, and may have before it was read
    template = None if to else (with_fixtures or empty) if seeded else empty
    publication.create_next(live, target=target.name, command=command, template=template, fixtures=checked)
    return f"{live.next.name} {'cloned from a template' if template else 'made'} beside {live.name}"


def migrate(settings: Settings, *, in_next: bool, to: str = "") -> str:
    """Apply the pending migrations, all or up to one."""
    database = _chosen(settings, in_next=in_next)
    inputs = templates.hash_inputs(settings, seeded=False) if in_next and not to else ""
    applied = migrations.apply(database, settings.migrations_folder, to=to)
    done = f"{len(applied)} applied, {applied[0]} to {applied[-1]}" if applied else "nothing is pending"
    return f"{database.name}: {done}{_keep_template(settings, inputs, seeded=False) if applied else ''}"


def plan_migrations(settings: Settings) -> Iterator[str]:
    """Yield a line for each migration, applied or pending, in order; read-only."""
    plan = migrations.plan(target_database(settings), settings.migrations_folder)
    yield from (f"{name} applied" for name in plan.applied)
    yield from (f"{name} pending" for name in plan.pending)


def roll_back(settings: Settings, *, count: int, confirm: str, ask: Ask) -> str:
    """Undo the newest applied migrations, where the database may be replaced: what they made is lost."""
    live = target_database(settings)
    protection.check_replaceable(protection.inspect(live), live, settings.target.protection, confirm=confirm, ask=ask)
    undone = migrations.roll_back(live, settings.migrations_folder, count=count)
    return f"{live.name}: {', '.join(undone)} rolled back" if undone else f"{live.name}: nothing is applied"


def new_migration(settings: Settings, name: str) -> str:
    """Create the next migration and its rollback file."""
    up, down = migrations.create(settings.migrations_folder, name)
    return f"{up} and {down.name}"


def seed(settings: Settings, *, in_next: bool, command: str) -> str:
    """Load the fixtures, unless this command line has cloned a template with just these in it.

    A live database that is as a reset has left it is replaced by a clone of such a template, where there is one.

    Args:
        settings: of the target.
        in_next: into the next database, not the live one.
        command: for the mark of a clone.

    Raises:
        EduguardError: when the files are not those the database was cloned for, or as the fixtures do.
    """
    database = _chosen(settings, in_next=in_next)
    inputs = templates.hash_inputs(settings, seeded=True) if in_next else ""
    if in_next and _is_seeded_clone(settings, inputs):
        return f"{database.name}: cloned with the fixtures in it"
    if not in_next and (swap := _replace_untouched(settings, command)):
        return f"{database.name}: a clone with the fixtures in it, for nothing was in it yet{swap.summary()}"
    from eduguard import fixtures

    seeds = fixtures.read_fixtures(settings.seed_folder)
    with connect(database, purpose="seed") as conn:
        report = fixtures.load_fixtures(conn, seeds, alone=in_next or sessions.is_alone(conn, database))
    kept = _keep_template(settings, inputs, seeded=True) if report.has_changed else ""
    return f"{database.name}: {report.summary()}{kept}"


def sync(settings: Settings, options: "Options", *, in_next: bool, ask: Ask, show: Show) -> "Outcome":
    """Write the collection's FaceIds into student_faces."""
    from eduguard.progress import Progress

    with Progress() as progress:
        return _sync(settings, options, in_next=in_next, ask=ask, show=show, progress=progress)


def _sync(
    settings: Settings, options: "Options", *, in_next: bool, ask: Ask, show: Show, progress: "Progress"
) -> "Outcome":
    from eduguard.reconciliation import reconcile

    return reconcile(
        _chosen(settings, in_next=in_next),
        target_collection(settings),
        options,
        ask=ask,
        show=lambda plan: show(settings, plan),
        progress=progress,
    )


def sync_all(settings: Settings, options: "Options", *, ask: Ask, show: Show) -> "list[Outcome | EduguardError]":
    """Sync every collection that a student names, side by side; the failure of one does not stop the others."""
    from concurrent.futures import ThreadPoolExecutor

    from eduguard.progress import Progress
    from eduguard.sync import read_collections

    with connect(target_database(settings), purpose="sync") as conn:
        names = read_collections(conn)

    def one(name: str) -> "Outcome | EduguardError":
        try:
            return _sync(settings.with_collection(name), options, in_next=False, ask=ask, show=show, progress=progress)
        except EduguardError as error:
            return error

    with Progress() as progress, ThreadPoolExecutor(_COLLECTIONS_AT_ONCE) as threads:
        return list(threads.map(one, names))


def publish(settings: Settings, *, to: str = "") -> str:
    """Put the next database in the place of the current one."""
    live = target_database(settings)
    protection.check_not_refused(live, settings.target.protection)
    with lock.hold_lock(live):
        pending = migrations.plan(live.next, settings.migrations_folder).pending
        if pending and not to:
            raise EduguardError(
                f"{live.next.name} is not finished: {', '.join(pending)} pending",
                hint="Run `inv migrate --next` first.",
            )
        swap = publication.publish(live, print_note)
    return f"{live.name} is the new database{swap.summary()}; `inv undo` brings the one before back"


def undo(settings: Settings) -> str:
    """Swap the current database and the one kept by the last publish."""
    live = target_database(settings)
    protection.check_not_refused(live, settings.target.protection)
    with lock.hold_lock(live):
        swap = publication.undo(live, print_note)
    return f"{live.name} is the database of before again{swap.summary()}; `inv undo` once more swaps them back"


def verify(settings: Settings, *, one_each: bool) -> str:
    """Search the collection for each enrolled photo and expect its own student."""
    from eduguard import verification

    bucket, collection = target_bucket(settings), target_collection(settings)
    with connect(target_database(settings), purpose="verify") as conn:
        photos = verification.read_enrolled_photos(conn, one_each=one_each)
        recognitions = verification.recognise_photos(
            conn, photos, collection=collection, bucket=bucket, threshold=settings.match_threshold
        )
    return verification.require_right(recognitions)


def summary(settings: Settings) -> str:
    """Return what the database holds, as one line."""
    from eduguard.sync import count_school

    database = target_database(settings)
    with connect(database, purpose="summary") as conn:
        students, faces, placeholders = count_school(conn)
    return f"{database.name} is ready: {students} students, {faces} faces, {placeholders} placeholders"


def _chosen(settings: Settings, *, in_next: bool) -> Database:
    live = target_database(settings)
    return live.next if in_next else live


def _is_seeded_clone(settings: Settings, inputs: str) -> bool:
    live = target_database(settings)
    cloned_for = publication.read_clone(live)
    if cloned_for not in (None, inputs):
        raise EduguardError(
            f"{live.next.name} was cloned before a file changed: a row that is no longer in the fixtures may be in it",
            hint="Run the command again; `inv rebuild` makes the next database anew.",
        )
    return cloned_for == inputs and lock.is_being_made(live)


def _replace_untouched(settings: Settings, command: str) -> publication.Swap | None:
    # None where it cannot be: then the fixtures are loaded into the database that is there, which needs much less.
    live, target = target_database(settings), settings.target
    with suppress(EduguardError):
        state = protection.inspect(live)
        recorded = state.origin.fingerprint if state.origin else None
        if not recorded or not protection.needs_no_consent(state, target.protection):
            return None
        with lock.hold_lock(live):
            with connect(live.maintenance, purpose="seed") as conn:
                template, _ = templates.find(conn, live, settings)
            if template is None or not recorded.startswith(templates.hash_inputs(settings, seeded=False)):
                return None
            fixtures = templates.hash_fixtures(settings)
            return publication.replace_untouched(
                live, recorded, target=target.name, command=command, template=template, fixtures=fixtures
            )
    return None


def _keep_template(settings: Settings, inputs: str, *, seeded: bool) -> str:
    # Only of a next database that this very command line made, of files that have not changed since they were read.
    live = target_database(settings)
    if inputs != templates.hash_inputs(settings, seeded=seeded) or not lock.is_being_made(live):
        return ""
    return templates.keep(live, inputs, seeded=seeded)
