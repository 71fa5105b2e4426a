"""The commands of EduGuard DB: `inv --list` shows them, `inv --help TASK` explains one.

A task reads its words and flags, makes one call into lib and prints the result. A composite task is its steps.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from shlex import quote

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import call, task

from eduguard.command_forms import Command, accept_forms
from eduguard.commands import (
    COLLECTION,
    CONFIRM,
    JSON,
    ROOT,
    USERS,
    YES,
    command_line,
    plan_printer,
    recognition,
    settings_of,
    workflow,
)
from eduguard.console import ask, prepare_streams, print_exports, print_json, print_note, print_step, print_table
from eduguard.invocation import end_when_unread, keep_open, tune_interpreter
from eduguard.school_commands import (
    attendance_show,
    attendance_take,
    enrol,
    photos_check,
    photos_pull,
    photos_push,
    unenrol,
)
from eduguard.snapshot_commands import snapshot_delete, snapshot_list, snapshot_restore, snapshot_save

# Commands that stand in other modules: Invoke finds them by these names.
__all__ = [
    "attendance_show",
    "attendance_take",
    "photos_check",
    "photos_pull",
    "photos_push",
    "snapshot_delete",
    "snapshot_list",
    "snapshot_restore",
    "snapshot_save",
    "unenrol",
]

prepare_streams()
tune_interpreter()
end_when_unread()

NEXT = "work on the database that `rebuild` made, before it is published"
TO = "the number of the migration to stop at, such as 0002"


@task
def up(c: Context) -> None:
    """Start the embedded PostgreSQL server and the local cloud, where the target uses them."""
    for line in workflow().start_servers(settings_of(c)):
        print_step("up", line)


@task
def down(c: Context) -> None:
    """Stop the embedded PostgreSQL server and the local cloud; nothing is lost."""
    for line in workflow().stop_servers(settings_of(c)):
        print_step("down", line)


@task(help={"shell": "print commands of the shell, which is the default", "json": JSON})
def env(c: Context, shell: bool = False, json: bool = False) -> None:
    """Print what leads the AWS CLI and SDKs to the local cloud, with its key: `eval "$(inv env --shell)"`."""
    from eduguard.services import local_cloud_variables

    variables = local_cloud_variables(settings_of(c))
    print_json(variables) if json and not shell else print_exports(variables)


@task(help={"json": JSON, "collection": COLLECTION})
def status(c: Context, json: bool = False, collection: str = "") -> None:
    """Show servers, migrations, row counts, placeholders left and the collection's face count; read-only."""
    from eduguard.report import read_report

    report = read_report(settings_of(c, collection))
    print_json(report) if json else print_table(report)


@task(help={"confirm": CONFIRM, "seeded": "clone a template with the fixtures in it, where one fits", "to": TO})
def rebuild(c: Context, confirm: str = "", seeded: bool = False, to: str = "") -> None:
    """Make a database beside the current one, empty or a template's clone, after checking what can be checked."""
    settings = settings_of(c)
    print_note(str(settings.target))
    keep_open(workflow().lock_database(settings))
    line = workflow().rebuild(settings, confirm=confirm, command=command_line(), ask=ask, seeded=seeded, to=to)
    print_step("rebuild", line)


@task(help={"next": NEXT, "plan": "show what is applied and what is pending, and change nothing", "to": TO})
def migrate(c: Context, next: bool = False, plan: bool = False, to: str = "") -> None:
    """Apply the pending migrations."""
    if plan:
        for line in workflow().plan_migrations(settings_of(c)):
            print_step("plan", line)
    else:
        print_step("migrate", workflow().migrate(settings_of(c), in_next=next, to=to))


@task(help={"count": "how many", "confirm": CONFIRM})
def rollback(c: Context, count: int = 1, confirm: str = "") -> None:
    """Undo the newest applied migration by its rollback file."""
    print_step("rollback", workflow().roll_back(settings_of(c), count=count, confirm=confirm, ask=ask))


@task(name="migration new", klass=Command, words="NAME", help={"name": "in small letters and underscores"})
def migration_new(c: Context, name: str) -> None:
    """Create the next migration and its rollback file."""
    print_step("new", workflow().new_migration(settings_of(c), name))


@task(help={"next": NEXT})
def seed(c: Context, next: bool = False) -> None:
    """Load the fixtures: rows are inserted or updated, and FaceIds that sync wrote are kept."""
    print_step("seed", workflow().seed(settings_of(c), in_next=next, command=command_line()))


@task(
    help={
        "collection": COLLECTION,
        "all": "every collection that a student names, side by side",
        "student": "only this student's rows",
        "grade": "only the rows of this grade's students",
        "dry-run": "show what would be written, and write nothing",
        "check": "write nothing; exit with 0 when there is nothing to do, 2 on drift, 1 on an error",
        "unlink-missing": "rows without a face go back to the placeholder",
        "adopt": "make rows for faces without one whose external image id names a known student",
        "prune": "delete duplicates, orphans or temporary faces from the collection, after showing them",
        "confirm-collection": "the collection's name: consent to a change of many linked rows",
        "verbose": "show every item, and each row that stays as it is",
        "json": JSON,
        "yes": "delete without asking",
        "next": NEXT,
        "users": USERS,
    }
)
def sync_faces(
    c: Context,
    collection: str = "",
    all: bool = False,
    student: str = "",
    grade: str = "",
    dry_run: bool = False,
    check: bool = False,
    unlink_missing: bool = False,
    adopt: bool = False,
    prune: str = "",
    confirm_collection: str = "",
    verbose: bool = False,
    json: bool = False,
    yes: bool = False,
    next: bool = False,
    users: bool = False,
) -> None:
    """Write the collection's FaceIds into student_faces, by external image id: show the plan, apply it, plan again."""
    from eduguard.reconciliation import Options, Outcome

    options = Options(
        student=student,
        grade=grade,
        dry_run=dry_run or check,
        unlink_missing=unlink_missing,
        in_full=verbose,
        adopt=adopt,
        prune=prune,
        confirm=confirm_collection,
    )
    settings, consent = settings_of(c, collection), (lambda _: "y") if yes else ask
    show = plan_printer(verbose=verbose, quiet=json or next)
    if all:
        outcomes = workflow().sync_all(settings, options, ask=consent, show=show)
    else:
        outcomes = [workflow().sync(settings, options, in_next=next, ask=consent, show=show)]
    done = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    failures = [outcome for outcome in outcomes if not isinstance(outcome, Outcome)]
    for outcome in done:
        if outcome.miscounted:
            difference = f"{abs(outcome.miscounted)} faces {'more' if outcome.miscounted > 0 else 'fewer'}"
            print_note(f"{outcome.collection} listed {difference} than it counts; it is changing: run this again later")
    if json:
        print_json({"collections": [each.as_json() for each in done], "errors": [str(each) for each in failures]})
    else:
        for outcome in done:
            print_step("sync", f"{outcome.collection}: {outcome.summary()}")
    if users and not options.dry_run:
        print_step("users", recognition().sync_users(settings, in_next=next))
    if failures:
        raise Exit("\n".join(f"error: {failure}" for failure in failures), code=1)
    if check and any(outcome.plan.has_drift for outcome in done):
        raise Exit(code=2)


@task(help={"collection": COLLECTION, "json": JSON, "iam": "print the least-privilege IAM policy of each job instead"})
def doctor(c: Context, collection: str = "", json: bool = False, iam: bool = False) -> None:
    """Say what is wrong, from credentials to photos, and which command mends it; exit 0 well, 2 drift, 1 broken."""
    from eduguard import doctor as practice
    from eduguard.services import target_identity

    settings = settings_of(c, collection)
    if iam:
        print_json(practice.iam_policies(settings, target_identity(settings).account))
        return
    findings = []
    for finding in practice.examine(settings):
        findings.append(finding)
        if not json:
            print_step("doctor", str(finding))
    if json:
        print_json({"verdict": practice.worst(findings), "findings": [asdict(finding) for finding in findings]})
    if code := {practice.OK: 0, practice.DRIFT: 2, practice.BROKEN: 1}[practice.worst(findings)]:
        raise Exit(code=code)


@task(help={"to": "the number of the migration that the database stops at"})
def publish(c: Context, to: str = "") -> None:
    """Put the database that `rebuild` made in the place of the current one, which is kept for `undo`."""
    print_step("publish", workflow().publish(settings_of(c), to=to))


@task
def undo(c: Context) -> None:
    """Bring the database back that the last publish replaced; once more swaps them again."""
    print_step("undo", workflow().undo(settings_of(c)))


@task(
    help={
        "collection": COLLECTION,
        "one-each": "only the first photo of each student",
        "if-local": "only where the collection is in the local cloud",
    }
)
def verify(c: Context, collection: str = "", one_each: bool = False, if_local: bool = False) -> None:
    """Prove that attendance works: search for each photo, re-encoded and cropped, and expect its own student."""
    settings = settings_of(c, collection)
    if settings.target.has_local_cloud or not if_local:
        print_step("verify", workflow().verify(settings, one_each=one_each))


@task(pre=[rebuild, call(migrate, next=True), publish], help={"confirm": CONFIRM, "to": TO})
def reset(c: Context, confirm: str = "", to: str = "") -> None:
    """Drop and recreate the database: rebuild → migrate → publish."""
    print_step("reset", workflow().summary(settings_of(c)))


@task(pre=[seed, sync_faces], help={"collection": COLLECTION})
def seed_full(c: Context, collection: str = "") -> None:
    """Load the fixtures and their FaceIds: seed → sync-faces."""
    print_step("seed-full", workflow().summary(settings_of(c, collection)))


@task(
    pre=[
        call(enrol, if_empty=True),
        call(rebuild, seeded=True),
        call(migrate, next=True),
        call(seed, next=True),
        call(sync_faces, next=True),
        publish,
        call(verify, one_each=True, if_local=True),
    ],
    help={"collection": COLLECTION, "confirm": CONFIRM, "yes": YES},
)
def full(c: Context, collection: str = "", confirm: str = "", yes: bool = False) -> None:
    """Do it all: (enrol once) → rebuild → migrate → seed → sync-faces → publish → verify."""
    print_step("full", workflow().summary(settings_of(c, collection)))


@task(
    help={
        "cloud": "measure the local cloud",
        "reset": "measure a reset beside psql and clones",
        "sync": "measure a sync beside bare pagination, a bare UPDATE and row by row",
        "options": "what to pass on, such as --rounds 5",
    }
)
def bench(c: Context, cloud: bool = False, reset: bool = False, sync: bool = False, options: str = "") -> None:
    """Measure the tasks beside a bare Invoke, or a part beside what one would use instead; print the medians."""
    script = "cloud.py" if cloud else "reset.py" if reset else "sync.py" if sync else "tasks.py"
    c.run(f"{quote(sys.executable)} {quote(str(ROOT / 'benchmarks' / script))} {options}", pty=False)


@task(help={"options": "what to pass on to pytest"})
def test(c: Context, options: str = "") -> None:
    """Check everything: format, lint, imports, types, tests."""
    commands = ("ruff format --check", "ruff check", "lint-imports", "mypy", f"pytest --numprocesses=4 {options}")
    folder = Path(sys.executable).parent
    for command in commands:
        # Not by `c.cd`, which takes care of spaces and of no other character that the shell reads otherwise.
        c.run(f"cd {quote(str(ROOT))} && {quote(str(folder))}/{command}", echo=True)


accept_forms(globals())
