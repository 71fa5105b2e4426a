"""The command that writes rows of the database back into the fixtures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.seed import blaming_migrations
from eduguard.commands.shared import JSON, chosen_database, settings_of
from eduguard.commands.words import Command
from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import print_note, print_step, record

if TYPE_CHECKING:
    from eduguard.fixtures import SavePlan
    from eduguard.postgres import Database

_LOADING = {"load", "port"}  # commands that bring in rows of another database

EXAMPLES = {
    "fixtures save": "inv fixtures save student_faces --dry-run",
}


@task(
    name="save",
    klass=Command,
    words="[TABLE…]",
    iterable=["table"],
    help={
        "table": "a table to save; without it, every table that has a fixture",
        "dry-run": "say what would be written, and write nothing",
        "json": JSON,
    },
)
def fixtures_save(c: Context, table: Sequence[str] | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Write the rows that differ from the fixtures back into them; only from a local, open target."""
    from eduguard import fixtures
    from eduguard.postgres import connect

    settings = settings_of(c)
    folder, database = settings.seed_folder, chosen_database(settings)
    _require_savable(settings, database)
    if not dry_run and fixtures.finish(folder):
        print_note(f"The files of a save that was interrupted were moved into {folder}.")
    with blaming_migrations(database, settings), connect(database, purpose="fixtures save") as conn:
        plan = fixtures.plan_save(conn, folder, table or ())
    if not dry_run:
        fixtures.write_together(folder, plan.files)
    record(_as_json(plan, database.name, is_written=not dry_run))
    _print(plan, is_written=not dry_run)


def _require_savable(settings: Settings, database: "Database") -> None:
    """Refuse rows that may be about real children, because fixtures are in git.

    Raises:
        EduguardError: naming the reason.
    """
    from eduguard.rebuild import protection

    state = protection.inspect(database)
    words = set(state.mark.command.split()) if state.mark else set()
    if settings.target.protection != "open":
        reason = f"the protection of target {settings.target.name} is `{settings.target.protection}`, not `open`"
    elif not state.is_local:
        reason = f"{database.name} is on {state.server}, not on this machine"
    elif state.exists and not state.is_ours:
        reason = f"{database.name} was not made by EduGuard DB: it may be a copy of another one"
    elif state.mark and _LOADING & words:
        reason = f"{database.name} was made by `{state.mark.command}`: its rows came from another database"
    else:
        return
    raise EduguardError(
        f"The rows of {database.name} were not saved: {reason}",
        hint="Fixtures are kept in git, and rows of real children must not get there. `inv fixtures save` works on a "
        "local, open target whose database `inv full`, `inv reset` or `inv migrate` made.",
    )


def _print(plan: "SavePlan", *, is_written: bool) -> None:
    for each in plan.tables:
        print_step("save", str(each))
    rest = amount(plan.same, "table is as its fixture says", "tables are as their fixtures say")
    print_step("save", f"{amount(len(plan.files), 'file')} {'written' if is_written else 'to be written'}; {rest}")
    if plan.left_out:
        print_note(f"Not saved, because no row of the fixture gives them: {', '.join(plan.left_out)}")
    if plan.without_fixture:
        named = ", ".join(plan.without_fixture)
        print_note(f"Not saved, because they have no fixture: {named}. `inv fixtures save TABLE` makes one.")


def _as_json(plan: "SavePlan", database: str, *, is_written: bool) -> dict[str, object]:
    return {
        "database": database,
        "is_written": is_written,
        "tables": [
            {
                "table": each.table,
                "file": str(each.file),
                "added": each.added,
                "changed": each.changed,
                "removed": each.removed,
            }
            for each in plan.tables
        ],
        "unchanged": plan.same,
        "columns_left_out": list(plan.left_out),
        "tables_without_fixture": list(plan.without_fixture),
    }
