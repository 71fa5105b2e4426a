"""The commands for migrations: apply, plan, roll back, create."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import CONFIRM, JSON, NEXT, TO, WAIT, chosen_database, command_line, settings_of
from eduguard.commands.words import Command
from eduguard.terminal import ask, print_note, print_step, record

if TYPE_CHECKING:
    from eduguard.postgres import Database

EXAMPLES = {
    "migrate": "inv migrate --plan",
    "rollback": "inv rollback --count 2",
    "migration new": "inv migration new add_absence_reasons",
}


@task(
    help={
        "next": NEXT,
        "plan": "show what is applied and what is pending, and change nothing",
        "to": TO,
        "wait": WAIT,
        "json": JSON,
    }
)
def migrate(
    c: Context, next: bool = False, plan: bool = False, to: str = "", wait: float = math.inf, json: bool = False
) -> None:
    """Apply the pending migrations; create the database first if it does not exist."""
    from eduguard import migrations
    from eduguard.rebuild import templates

    settings = settings_of(c, wait=wait)
    live, folder = chosen_database(settings), settings.migrations_folder
    if plan:
        _print_plan(live, folder)
        return
    if not next and _make_missing(live, folder, to=to):
        return
    database = chosen_database(settings, next=next)
    inputs = templates.hash_inputs(settings, seeded=False) if next and not to else ""
    applied = migrations.apply(database, folder, to=to)
    done = f"{len(applied)} applied, {applied[0]} to {applied[-1]}" if applied else "nothing is pending"
    kept = templates.keep_own(live, settings, inputs, seeded=False) if applied else ""
    print_step("migrate", f"{database.name}: {done}{kept}")
    record({"database": database.name, "created": False, "applied": applied})


def _print_plan(live: "Database", folder: Path) -> None:
    """Print the state of each migration.

    Raises:
        EduguardError: after printing, if something is wrong; names it and the way out.
    """
    from eduguard import migrations
    from eduguard.rebuild import protection

    states = migrations.list_states(live, folder)
    for name, state in states.items():
        print_step("plan", f"{name} {state}")
    named = {wanted: [name for name, state in states.items() if state == wanted] for wanted in ("applied", "pending")}
    record({"database": live.name, **named, "states": states})
    if protection.inspect(live).exists:
        migrations.plan(live, folder)
    else:
        print_note(f"{live.name} does not exist: `inv migrate` makes it, `inv full` makes it with its rows")


def _make_missing(live: "Database", folder: Path, *, to: str) -> bool:
    """Create the database if it does not exist, migrated before it gets its name; return whether it was created."""
    from eduguard import migrations
    from eduguard.rebuild import lock, protection, publication

    migrations.check_number(folder, to)
    state = protection.inspect(live)
    if state.exists:
        return False
    protection.check_renameable(live)
    with lock.hold_lock(live):
        publication.create_next(live, state, command=command_line(), note=print_note)
        applied = migrations.apply(live.next, folder, to=to)
        publication.publish(live, print_note)
    print_step("migrate", f"{live.name}: made on {state.server}; {len(applied)} applied, {applied[0]} to {applied[-1]}")
    record({"database": live.name, "created": True, "applied": applied})
    return True


@task(help={"count": "how many migrations to undo", "confirm": CONFIRM, "json": JSON})
def rollback(c: Context, count: int = 1, confirm: str = "", json: bool = False) -> None:
    """Undo the newest applied migration with its rollback file, in a copy of the database that is then published."""
    from eduguard import migrations
    from eduguard.postgres import connect
    from eduguard.rebuild import clones, lock, protection, publication

    settings = settings_of(c)
    live, target, folder = chosen_database(settings), settings.target, settings.migrations_folder
    with lock.hold_lock(live):
        migrations.check_count(live, len(migrations.plan(live, folder).applied), count)
        state = protection.inspect(live)
        protection.require_consent(state, live, target.protection, confirm=confirm, ask=ask, by=f"`{command_line()}`")
        with connect(live.maintenance, purpose="rollback") as conn:
            clones.check_size(conn, live, confirm=confirm, ask=ask)
        publication.create_next(live, state, command=command_line(), of_live=True, note=print_note)
        undone = migrations.roll_back(live.next, folder, count=count)
        swap = publication.publish(live, print_note)
    done = f"{live.name}: {', '.join(undone)} rolled back"
    print_step("rollback", f"{done}{swap.summary()}; `inv undo` brings the database before back")
    record({"database": live.name, "rolled_back": undone, **swap.as_json()})


@task(name="new", klass=Command, words="NAME", help={"name": "in small letters and underscores", "json": JSON})
def migration_new(c: Context, name: str, json: bool = False) -> None:
    """Create the next migration and its rollback file."""
    from eduguard import migrations

    up, down = migrations.create(settings_of(c).migrations_folder, name)
    print_step("new", f"{up} and {down.name}")
    record({"files": [up, down]})
