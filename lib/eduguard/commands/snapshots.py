"""The commands for snapshots; tasks.py lists them all."""

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import CONFIRM, command_line, settings_of
from eduguard.commands.words import Command
from eduguard.terminal import ask, print_note, print_step


@task(name="snapshot save", klass=Command, words="NAME", help={"name": "of the snapshot"})
def snapshot_save(c: Context, name: str) -> None:
    """Keep a copy of the database under a name."""
    from eduguard.rebuild import snapshots

    print_step("saved", snapshots.save(settings_of(c), name))


@task(name="snapshot list")
def snapshot_list(c: Context) -> None:
    """List the snapshots, and say when the collection has moved on since."""
    from eduguard.rebuild import snapshots

    lines = list(snapshots.list_lines(settings_of(c)))
    for line in lines:
        print_step("snapshot", line)
    if not lines:
        print_note("There is no snapshot; `inv snapshot save NAME` makes one.")


@task(name="snapshot restore", klass=Command, words="NAME", help={"name": "of the snapshot", "confirm": CONFIRM})
def snapshot_restore(c: Context, name: str, confirm: str = "") -> None:
    """Put a snapshot in the place of the database, which is kept for `undo`."""
    from eduguard.rebuild import snapshots

    line = snapshots.restore(settings_of(c), name, confirm=confirm, command=command_line(), ask=ask)
    print_step("restored", line)


@task(name="snapshot delete", klass=Command, words="NAME", help={"name": "of the snapshot"})
def snapshot_delete(c: Context, name: str) -> None:
    """Delete a snapshot."""
    from eduguard.rebuild import snapshots

    print_step("deleted", snapshots.delete(settings_of(c), name))
