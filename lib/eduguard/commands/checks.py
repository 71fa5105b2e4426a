"""The commands that look and change nothing: status, doctor, verify."""

from dataclasses import asdict

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, settings_of
from eduguard.terminal import print_json, print_step, print_table


@task(help={"json": JSON, "collection": COLLECTION, "school": SCHOOL})
def status(c: Context, json: bool = False, collection: str = "", school: str = "") -> None:
    """Show servers, migrations, row counts, and of each school its placeholders and faces; read-only."""
    from eduguard.checks import read_report

    report = read_report(settings_of(c, collection, school))
    print_json(report) if json else print_table(report)


@task(
    help={
        "collection": COLLECTION,
        "school": SCHOOL,
        "json": JSON,
        "iam": "print the least-privilege IAM policy of each job instead",
    }
)
def doctor(c: Context, collection: str = "", school: str = "", json: bool = False, iam: bool = False) -> None:
    """Say what is wrong, from credentials to photos, and which command mends it; exit 0 well, 2 drift, 1 broken."""
    from eduguard.checks import BROKEN, DRIFT, OK, examine, iam_policies, worst
    from eduguard.targets import target_identity

    settings = settings_of(c, collection, school)
    if iam:
        print_json(iam_policies(settings, target_identity(settings).account))
        return
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not json:
            print_step("doctor", str(finding))
    if json:
        print_json({"verdict": worst(findings), "findings": [asdict(finding) for finding in findings]})
    if code := {OK: 0, DRIFT: 2, BROKEN: 1}[worst(findings)]:
        raise Exit(code=code)


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
    from eduguard.targets import all_places, target_bucket, target_collection, target_database, target_places

    bucket, recognitions = target_bucket(settings), []
    with connect(target_database(settings), purpose="verify") as conn:
        photos = checks.read_enrolled_photos(conn, one_each=one_each)
        places = all_places(settings).of_students(conn, [photo.student_id for photo in photos])
        for name in dict.fromkeys(place.collection for place in target_places(settings, conn)):
            recognitions += checks.recognise_photos(
                conn,
                [photo for photo in photos if places[photo.student_id].collection == name],
                collection=target_collection(settings, name),
                bucket=bucket,
                threshold=settings.match_threshold,
            )
    print_step("verify", checks.require_right(recognitions))
