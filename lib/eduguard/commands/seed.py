"""The command that loads the fixtures."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import CONFIRM, JSON, NEXT, WAIT, chosen_database, settings_of
from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import print_note, print_rows, print_step, record

if TYPE_CHECKING:
    from eduguard.postgres import Database

EXAMPLES = {
    "seed": "inv seed --wait 10",
}


@task(
    help={
        "next": NEXT,
        "dry-run": "say which rows would be inserted and updated, and change nothing",
        "confirm": CONFIRM,
        "wait": WAIT,
        "json": JSON,
    }
)
def seed(
    c: Context,
    next: bool = False,
    dry_run: bool = False,
    confirm: str = "",
    wait: float = math.inf,
    json: bool = False,
) -> None:
    """Load the fixtures: rows are inserted or updated, and FaceIds that sync wrote are kept."""
    from eduguard.postgres import connect, sessions
    from eduguard.rebuild import publication, templates

    settings = settings_of(c, wait=wait)
    live, database = chosen_database(settings), chosen_database(settings, next=next)
    if dry_run:
        _preview(database, settings)
        return
    record({"database": database.name, "is_cloned": False, "tables": [], "refreshed": []})
    inputs = templates.hash_inputs(settings, seeded=True) if next else ""
    if next and publication.is_seeded_clone(live, inputs):
        print_step("seed", f"{database.name}: cloned with the fixtures in it")
        record({"is_cloned": True})
        return
    from eduguard import fixtures

    seeds = fixtures.read_fixtures(settings.seed_folder)
    with blaming_migrations(database, settings), connect(database, purpose="seed") as conn:
        report = fixtures.load_fixtures(conn, seeds, alone=next or sessions.is_alone(conn, database))
    kept = templates.keep_own(live, settings, inputs, seeded=True) if report.has_changed else ""
    print_step("seed", f"{database.name}: {report.summary()}{kept}")
    record(asdict(report))


def _preview(database: "Database", settings: Settings) -> None:
    from eduguard import fixtures
    from eduguard.postgres import connect

    seeds = fixtures.read_fixtures(settings.seed_folder)
    with blaming_migrations(database, settings), connect(database, purpose="seed --dry-run") as conn:
        preview = fixtures.preview_fixtures(conn, seeds)
    print_step("seed", f"{database.name}: {preview.summary()}; nothing was changed")
    record({"database": database.name, "written": preview.written, **asdict(preview)})
    if not preview.written:
        return
    counts = [each for each in preview.tables if each.insert or each.update]
    print_rows(("table", "insert", "update", "unchanged"), [(t.table, t.insert, t.update, t.unchanged) for t in counts])
    print_rows(("row", "change"), [(each.place, each) for each in preview.changes])
    if more := preview.written - len(preview.changes):
        print_note(f"... and {amount(more, 'more row')}")
    if unsure := [each.table for each in counts if each.update and each.has_triggers]:
        print_note(f"A BEFORE trigger of {', '.join(unsure)} may leave some of the rows to update as they are.")


@contextmanager
def blaming_migrations(database: "Database", settings: Settings) -> Iterator[None]:
    """Add to a failure that migrations are pending, if so: the fixtures are made for the newest schema."""
    from eduguard import migrations

    try:
        yield
    except EduguardError as error:
        pending = migrations.plan(database, settings.migrations_folder).pending
        if not pending:
            raise
        first = error.message.splitlines()[0]
        raise EduguardError(
            f"{database.name} is older than the fixtures ({', '.join(pending)} pending): run `inv migrate` first",
            hint=first,
        ) from error
