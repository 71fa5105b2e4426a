"""The command that loads the fixtures."""

import math

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import NEXT, WAIT, chosen_database, settings_of
from eduguard.terminal import print_step


@task(help={"next": NEXT, "wait": WAIT})
def seed(c: Context, next: bool = False, wait: float = math.inf) -> None:
    """Load the fixtures: rows are inserted or updated, and FaceIds that sync wrote are kept."""
    from eduguard.postgres import connect, sessions
    from eduguard.rebuild import publication, templates

    settings = settings_of(c, wait=wait)
    live, database = chosen_database(settings), chosen_database(settings, next=next)
    inputs = templates.hash_inputs(settings, seeded=True) if next else ""
    if next and publication.is_seeded_clone(live, inputs):
        print_step("seed", f"{database.name}: cloned with the fixtures in it")
        return
    from eduguard import fixtures

    seeds = fixtures.read_fixtures(settings.seed_folder)
    with connect(database, purpose="seed") as conn:
        report = fixtures.load_fixtures(conn, seeds, alone=next or sessions.is_alone(conn, database))
    kept = templates.keep_own(live, settings, inputs, seeded=True) if report.has_changed else ""
    print_step("seed", f"{database.name}: {report.summary()}{kept}")
