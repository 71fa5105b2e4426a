"""The commands that look and change nothing: status, doctor, verify."""

import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, settings_of
from eduguard.errors import EduguardError
from eduguard.settings import Settings
from eduguard.terminal import print_json, print_note, print_step, print_table

if TYPE_CHECKING:
    from eduguard.checks import Finding

_NOT_VERIFIED = 2  # of `inv full`: the new database is published, and photos are not recognised

EXAMPLES = {
    "status": "inv status --json",
    "doctor": "inv doctor --look-alikes",
    "verify": "inv verify --one-each",
}


@task(help={"json": JSON, "verbose": "show all that is known", "collection": COLLECTION, "school": SCHOOL})
def status(c: Context, json: bool = False, verbose: bool = False, collection: str = "", school: str = "") -> None:
    """Show in a few lines database, migrations, rows and faces, and what to run next; read-only."""
    from eduguard.checks import read_report, summarise

    report = read_report(settings_of(c, collection, school))
    if json:
        print_json(report)
    else:
        print_table(report if verbose else summarise(report))


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
        "json": JSON,
        "iam": "print the least-privilege IAM policy of each job instead",
        "look-alikes": "search for every enrolled face among those of other students, a request each",
        "fix": "show the commands that mend it, ask, run them, and look again",
        "yes": "with --fix: run them without asking; they still ask their own questions",
    }
)
def doctor(
    c: Context,
    collection: str = "",
    school: str = "",
    json: bool = False,
    iam: bool = False,
    look_alikes: bool = False,
    fix: bool = False,
    yes: bool = False,
) -> None:
    """Say what is wrong, from credentials to photos, and which command mends it; exit 0 well, 2 drift, 1 broken."""
    from eduguard.checks import BROKEN, DRIFT, OK, iam_policies, worst
    from eduguard.targets import target_identity

    settings = settings_of(c, collection, school)
    if iam:
        print_json(iam_policies(settings, target_identity(settings).account))
        return
    findings, failures = _examine(settings, look_alikes=look_alikes, quiet=json), None
    if fix and worst(findings) != OK:
        from eduguard.commands.mending import agrees, plan_mending, run_commands

        plan = plan_mending(findings, settings)
        with redirect_stdout(sys.stderr) if json else nullcontext():
            if agrees(plan, is_yes=yes):
                failures = run_commands(plan.commands, {"collection": collection, "school": school})
        if failures:
            print_note("-- inv doctor")
            findings = _examine(settings, look_alikes=look_alikes, quiet=json)
    if json:
        report = {"verdict": worst(findings), "findings": [asdict(finding) for finding in findings]}
        print_json(report | ({} if failures is None else {"commands": failures}))
    if code := {OK: 0, DRIFT: 2, BROKEN: 1}[worst(findings)]:
        raise Exit(code=code)


def _examine(settings: Settings, *, look_alikes: bool, quiet: bool) -> "list[Finding]":
    """Return what was found, and print each finding as soon as it is known."""
    from eduguard.checks import examine

    findings = []
    for finding in examine(settings, look_alikes=look_alikes):
        findings.append(finding)
        if not quiet:
            print_step("doctor", str(finding))
    return findings


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
        "one-each": "only the first photo of each student",
        "if-local": "only where the collection is in the local cloud",
    }
)
def verify(c: Context, collection: str = "", school: str = "", one_each: bool = False, if_local: bool = False) -> None:
    """Prove that attendance works: search for each photo, re-encoded and cropped, and expect its own student."""
    settings = settings_of(c, collection, school)
    if if_local and not settings.target.has_local_cloud:
        return
    from eduguard import checks
    from eduguard.postgres import connect
    from eduguard.schools import count_school
    from eduguard.targets import all_places, target_bucket, target_collection, target_database, target_places

    bucket, database, recognitions = target_bucket(settings), target_database(settings), []
    with connect(database, purpose="verify") as conn:
        photos = checks.read_enrolled_photos(conn, one_each=one_each)
        places = all_places(settings).of_students(conn, [photo.student_id for photo in photos])
        chosen = dict.fromkeys(place.collection for place in target_places(settings, conn))
        for name in chosen:
            recognitions += checks.recognise_photos(
                conn,
                [photo for photo in photos if places[photo.student_id].collection == name],
                collection=target_collection(settings, name),
                bucket=bucket,
                threshold=settings.match_threshold,
            )
        incomplete = checks.find_incomplete(conn, bucket) if one_each else []
        incomplete = [each for each in incomplete if places[each.photo.student_id].collection in chosen]
        students, rows, placeholders = count_school(conn)
    if if_local and not rows:
        return  # the fixtures have no photos
    try:
        line = checks.require_right(recognitions, incomplete)
    except EduguardError as error:
        live = f"{database.name} is live: {students} students, {rows} faces, {placeholders} placeholders"
        raise Exit(f"error: {live}; {error}", code=_NOT_VERIFIED if if_local else 1) from error
    print_step("verify", line)
