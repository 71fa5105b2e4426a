"""The commands that check and change nothing: status, doctor, verify."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, settings_of
from eduguard.errors import FAILED, LEFT, EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import print_json, print_note, print_step, print_table, printing_for_people, record

if TYPE_CHECKING:
    from eduguard.checks import Finding
    from eduguard.checks.verification import Recognition

EXAMPLES = {
    "status": "inv status --json",
    "doctor": "inv doctor --look-alikes",
    "verify": "inv verify --one-each",
}


@task(help={"json": JSON, "verbose": "show all that is known", "collection": COLLECTION, "school": SCHOOL})
def status(c: Context, json: bool = False, verbose: bool = False, collection: str = "", school: str = "") -> None:
    """Show the database, migrations, rows and faces in a few lines, and what to run next; read-only."""
    from eduguard.checks import read_report, summarise

    report = read_report(settings_of(c, collection, school))
    record(report)
    print_table(report if verbose else summarise(report))


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
        "json": JSON,
        "iam": "print the least-privilege IAM policy of each command instead",
        "look-alikes": "search for every enrolled face among those of other students, a request each",
        "fix": "show the commands that fix the problems, ask, run them, and check again",
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
    """Find problems, from credentials to photos, and name the command that fixes each; exit 0 ok, 2 drift, 1 broken."""
    from eduguard.checks import BROKEN, DRIFT, OK, iam_policies, worst
    from eduguard.targets import target_identity

    settings = settings_of(c, collection, school)
    if iam:
        print_json(iam_policies(settings, target_identity(settings).account))
        return
    findings = _examine(settings, look_alikes=look_alikes)
    if fix and worst(findings) != OK:
        from eduguard.commands.mending import agrees, plan_mending, run_commands

        plan = plan_mending(findings, settings)
        with printing_for_people():
            failures = (
                run_commands(plan.commands, collection=collection, school=school) if agrees(plan, is_yes=yes) else {}
            )
        record({"commands": failures})
        if failures:
            print_note("-- inv doctor")
            findings = _examine(settings, look_alikes=look_alikes)
    if code := {OK: 0, DRIFT: LEFT, BROKEN: FAILED}[worst(findings)]:
        raise Exit(code=code)


def _examine(settings: Settings, *, look_alikes: bool) -> "list[Finding]":
    """Return the findings; print each as soon as it is known."""
    from eduguard.checks import examine, worst
    from eduguard.progress import Progress

    findings = []
    with Progress() as progress:
        for finding in examine(settings, look_alikes=look_alikes, progress=progress):
            findings.append(finding)
            with progress.hidden():
                print_step("doctor", str(finding))
    record({"verdict": worst(findings), "findings": [asdict(finding) for finding in findings]})
    return findings


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
        "one-each": "only the first photo of each student",
        "if-local": "only where the collection is in the local cloud",
        "json": JSON,
    }
)
def verify(
    c: Context,
    collection: str = "",
    school: str = "",
    one_each: bool = False,
    if_local: bool = False,
    json: bool = False,
) -> None:
    """Search for each photo, re-encoded and cropped, and expect its own student; exit 0 ok, 2 not recognised."""
    settings = settings_of(c, collection, school)
    if if_local and not settings.target.has_local_cloud:
        return
    from eduguard import checks
    from eduguard.postgres import connect
    from eduguard.progress import Progress
    from eduguard.schools import count_school
    from eduguard.targets import all_places, target_bucket, target_collection, target_database, target_places

    bucket, database, recognitions = target_bucket(settings), target_database(settings), []
    with Progress() as progress, connect(database, purpose="verify") as conn:
        photos = checks.read_enrolled_photos(conn, one_each=one_each)
        places = all_places(settings).of_students(conn, [photo.student_id for photo in photos])
        chosen = dict.fromkeys(place.collection for place in target_places(settings, conn))
        by_name = {name: [each for each in photos if places[each.student_id].collection == name] for name in chosen}
        step = progress.begin("verify", sum(map(len, by_name.values())), "photos")
        for name, of_name in by_name.items():
            recognitions += checks.recognise_photos(
                conn,
                of_name,
                collection=target_collection(settings, name),
                bucket=bucket,
                threshold=settings.match_threshold,
                advance=step.advance,
            )
        incomplete = checks.find_incomplete(conn, bucket) if one_each else []
        incomplete = [each for each in incomplete if places[each.photo.student_id].collection in chosen]
        students, rows, placeholders = count_school(conn)
    if if_local and not rows:
        return  # the fixtures have no photos
    record({"photos": [_plain(each) for each in recognitions], "incomplete": [_plain(each) for each in incomplete]})
    try:
        line = checks.require_right(recognitions, incomplete)
    except EduguardError as error:
        counts = amount(students, "student"), amount(rows, "face"), amount(placeholders, "placeholder")
        live = f"{database.name} is live: {', '.join(counts)}"
        raise EduguardError(
            f"{live}; {error.message}", hint=error.hint, status=LEFT if recognitions else FAILED
        ) from error
    print_step("verify", line)


def _plain(recognition: "Recognition") -> dict[str, Any]:
    """Return a recognition as plain values; `found` is the student whom the photo is most like."""
    found, photo = recognition.found, recognition.photo
    return {
        "student_id": photo.student_id,
        "photo": photo.photo_url,
        "is_right": recognition.is_right,
        "found": found and found.student_id,
        "similarity": found and found.similarity,
        "problem": recognition.problem,
        "remedy": None if recognition.is_right else recognition.way_out,
    }
