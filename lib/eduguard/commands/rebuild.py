"""The commands that replace the database: make the next one, publish it, undo."""

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.executor import keep_open
from eduguard.commands.shared import CONFIRM, JSON, TO, command_line, settings_of
from eduguard.errors import EduguardError
from eduguard.terminal import ask, print_note, print_step, record

EXAMPLES = {
    "rebuild": "inv rebuild --to 0002",
    "publish": "inv publish",
    "undo": "inv undo",
}


@task(
    help={
        "confirm": CONFIRM,
        "seeded": "clone a template that contains the fixtures, if one fits",
        "to": TO,
        "json": JSON,
    }
)
def rebuild(c: Context, confirm: str = "", seeded: bool = False, to: str = "", json: bool = False) -> None:
    """Check all that can be checked, then create the next database beside the current one, empty or from a template."""
    from eduguard import migrations
    from eduguard.postgres import connect
    from eduguard.rebuild import lock, protection, publication, templates
    from eduguard.targets import target_database

    settings = settings_of(c)
    migrations.check_number(settings.migrations_folder, to)
    print_note(str(settings.target))
    live, target = target_database(settings), settings.target
    keep_open(lock.hold_lock(live))
    state = protection.inspect(live)
    protection.require_consent(state, live, target.protection, confirm=confirm, ask=ask, by=f"`{command_line()}`")
    with connect(live.maintenance, purpose="rebuild") as conn:
        found = templates.find(conn, live, settings, seeded=seeded)
    for stranger in found.strangers:
        print_note(f"passes over {stranger}")
    if seeded and not found.is_seeded:  # the fixtures of a template were checked when it was made
        from eduguard import fixtures

        fixtures.read_fixtures(settings.seed_folder)
    template = None if to else found.template
    publication.create_next(live, state, command=command_line(), template=template, note=print_note)
    beside = f" beside {live.name}" if state.exists else ""
    print_step("rebuild", f"{live.next.name} {'cloned from a template' if template else 'made'}{beside}")
    record({"database": live.next.name, "live": live.name, "is_cloned": template is not None})


@task(help={"to": "the number of the migration that the database stops at", "confirm": CONFIRM, "json": JSON})
def publish(c: Context, to: str = "", confirm: str = "", json: bool = False) -> None:
    """Replace the current database with the one that `rebuild` made, and keep the old one for `undo`."""
    from eduguard import migrations
    from eduguard.rebuild import lock, publication
    from eduguard.targets import target_database

    settings = settings_of(c)
    live = target_database(settings)
    with lock.hold_lock(live):
        pending = migrations.plan(live.next, settings.migrations_folder).pending
        if pending and not to:
            raise EduguardError(
                f"{live.next.name} is not finished: {', '.join(pending)} pending",
                hint="Run `inv migrate --next` first.",
            )
        swap = publication.publish(live, print_note)
    print_step("publish", f"{live.name} is the new database{swap.summary()}{swap.way_back()}")
    record({"database": live.name, **swap.as_json()})


@task(help={"confirm": CONFIRM, "json": JSON})
def undo(c: Context, confirm: str = "", json: bool = False) -> None:
    """Bring back the database that the last publish replaced; a second undo swaps them again."""
    from eduguard.rebuild import lock, publication
    from eduguard.targets import target_database

    live = target_database(settings_of(c))
    with lock.hold_lock(live):
        swap = publication.undo(live, print_note)
    again = "`inv undo` once more swaps them back"
    print_step("undo", f"{live.name} is the database of before again{swap.summary()}; {again}")
    record({"database": live.name, **swap.as_json()})
