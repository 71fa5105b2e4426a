"""The commands that take a school elsewhere, without its people: anonymise check, export, load."""

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import settings_of
from eduguard.errors import EduguardError
from eduguard.terminal import print_step

_NOT_COVERED = 2  # a column without a rule, or a rule that is left over

EXAMPLES = {
    "anonymise check": "inv anonymise check",
}


@task(name="anonymise check")
def anonymise_check(c: Context) -> None:
    """Say whether anonymise.yaml has a rule for every column; exit 0 it has, 2 it has not, 1 failed; read-only."""
    from eduguard import portability
    from eduguard.postgres import connect
    from eduguard.targets import target_database

    settings = settings_of(c)
    rules = portability.read_rules(settings.anonymise_file)
    with connect(target_database(settings), purpose="anonymise check") as conn:
        coverage = portability.cover(conn, portability.read_schema(conn), rules)
    if coverage.problems:
        raise EduguardError("\n".join(coverage.problems), hint="Change these lines of the file.")
    print_step("anonymise", coverage.summary())
    remarks = coverage.remarks(settings.migrations_folder)
    for remark in remarks:
        print_step("anonymise", f"! {remark}")
    if remarks:
        raise Exit(code=_NOT_COVERED)
