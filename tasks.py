"""The commands of EduGuard DB: `inv --list` shows them, `inv --help TASK` explains one.

A task reads its flags, makes one call into lib and prints the result. A composite task is its steps.
"""

import os
from pathlib import Path

from invoke.context import Context
from invoke.tasks import call, task

from eduguard.console import ask, print_json, print_note, print_step, print_table
from eduguard.invocation import keep_open, plain_settings
from eduguard.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent

COLLECTION = "the collection, in place of the target's own"
NEXT = "work on the database that `rebuild` made, before it is published"
CONFIRM = "the database's name: consent to replace one that is not plainly ours"
JSON = "print one JSON object"


def settings_of(c: Context, collection: str = "") -> Settings:
    """Return the settings of this command, with the collection that a flag named."""
    settings = load_settings(plain_settings(c), root=ROOT, environment=os.environ)
    return settings.with_collection(collection)


@task
def up(c: Context) -> None:
    """Start the embedded PostgreSQL server and the local cloud, where the target uses them."""
    from eduguard.services import start_local_services

    for name, address in start_local_services(settings_of(c)):
        print_step("up", f"{name}: {address}")


@task
def down(c: Context) -> None:
    """Stop the embedded PostgreSQL server and the local cloud; nothing is lost."""
    from eduguard.services import stop_local_services

    for name in stop_local_services(settings_of(c)):
        print_step("down", f"{name} stopped")


@task(help={"json": JSON, "collection": COLLECTION})
def status(c: Context, json: bool = False, collection: str = "") -> None:  # noqa: A002 - the flag is --json
    """Show servers, migrations, row counts, placeholders left and the collection's face count; read-only."""
    from eduguard.report import read_status

    report = read_status(settings_of(c, collection))
    if json:
        print_json(report.as_json())
    else:
        print_table(report.as_rows())


@task(help={"collection": COLLECTION, "if-empty": "only on local, and only while the collection has no face", "yes": "do not ask"})
def enrol(c: Context, collection: str = "", if_empty: bool = False, yes: bool = False) -> None:
    """Put the sample photos into the bucket and index their faces, where they are missing."""
    from eduguard.enrolment import enrol_samples

    settings = settings_of(c, collection)
    report = enrol_samples(settings, if_empty=if_empty, consent=lambda question: yes or ask(question) == "y")
    if report:
        print_step("enrol", report.summary())


@task(help={"confirm": CONFIRM})
def rebuild(c: Context, confirm: str = "") -> None:
    """Make an empty database beside the current one, after checking everything that can be checked."""
    from eduguard.rebuilding import lock_database, rebuild_beside

    settings = settings_of(c)
    print_note(f"target {settings.target.name}: {settings.target}")
    keep_open(lock_database(settings))
    print_step("rebuild", rebuild_beside(settings, confirm=confirm, ask=ask))


@task(help={"next": NEXT})
def migrate(c: Context, next: bool = False) -> None:  # noqa: A002 - the flag is --next
    """Apply the migrations that are pending."""
    from eduguard.rebuilding import migrate_database

    print_step("migrate", migrate_database(settings_of(c), in_next=next))


@task(help={"next": NEXT})
def seed(c: Context, next: bool = False) -> None:  # noqa: A002 - the flag is --next
    """Load the fixtures of seed_data: rows are inserted or updated, FaceIds that sync wrote are kept."""
    from eduguard.rebuilding import seed_database

    print_step("seed", seed_database(settings_of(c), in_next=next))


@task(help={"collection": COLLECTION, "dry-run": "show what would be written, and write nothing", "next": NEXT})
def sync_faces(c: Context, collection: str = "", dry_run: bool = False, next: bool = False) -> None:  # noqa: A002
    """Write the collection's FaceIds into student_faces, by external image id."""
    from eduguard.rebuilding import sync_database

    print_step("sync", sync_database(settings_of(c, collection), in_next=next, dry_run=dry_run))


@task
def publish(c: Context) -> None:
    """Put the database that `rebuild` made in the place of the current one, which is kept for `undo`."""
    from eduguard.rebuilding import publish_next

    print_step("publish", publish_next(settings_of(c)))
