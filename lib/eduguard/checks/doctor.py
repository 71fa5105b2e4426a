"""Walk from credentials to photos, and say of each step what is wrong and which command mends it; read-only."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from eduguard.aws.clients import serves
from eduguard.aws.listing import read_faces
from eduguard.aws.types import CollectionState, Face
from eduguard.errors import EduguardError
from eduguard.identifiers import (
    EXTERNAL_IMAGE_ID_FORM,
    PHOTOS,
    external_image_id,
    split_external_image_id,
    split_photo_key,
)
from eduguard.migrations import runner
from eduguard.postgres.database import connect
from eduguard.rebuild import protection
from eduguard.settings import Settings
from eduguard.sync import FaceRow, Plan, Scope, pair_up, plan_sync, read_rows
from eduguard.targets import target_bucket, target_collection, target_database, target_identity

T = TypeVar("T")
OK, DRIFT, BROKEN = "ok", "drift", "broken"
_LARGEST_SKEW = 240.0  # seconds; AWS refuses signatures that are 5 minutes off
_SHOWN = 5  # ids named for each kind of disagreement
_MIGRATE = "inv migrate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one step found: ok, drift (two places disagree) or broken (it cannot work), and the way out."""

    step: str
    verdict: str
    text: str
    remedy: str | None = None

    def __str__(self) -> str:
        return f"{self.verdict:<6} {self.step}: {self.text}" + (f"\n       {self.remedy}" if self.remedy else "")


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield what each step found; a step that fails is a finding, and those that need it are left out."""
    target = settings.target
    yield from (yield from _try("credentials", lambda: _check_identity(settings))) or ()
    if not target.rekognition_endpoint:
        yield _check_region(target.region)
    rows = yield from _examine_database(settings)
    state = yield from _try("collection", lambda: target_collection(settings).require())
    faces = (yield from _try("collection", lambda: read_faces(target_collection(settings)))) if state else None
    if state and faces is not None:
        yield _check_collection(state, faces)
    photos = yield from _try("photos", lambda: _read_photos(settings))
    if rows is not None and faces is not None:
        yield from _judge_plan(plan_sync(pair_up(rows, faces)))
        if photos is not None:
            yield from _judge_places({row.external_image_id for row in rows}, photos, faces)


def worst(findings: Iterable[Finding]) -> str:
    """Return the gravest verdict."""
    verdicts = {finding.verdict for finding in findings}
    return next((verdict for verdict in (BROKEN, DRIFT) if verdict in verdicts), OK)


def compare_places(rows: set[str], photos: set[str], faces: set[str]) -> dict[str, list[str]]:
    """Return the external image ids by the places that have them: row, photo, face; pure, every id once."""
    states: dict[str, list[str]] = {}
    for external in sorted(rows | photos | faces):
        places = (("row", rows), ("photo", photos), ("face", faces))
        state = " + ".join(name for name, members in places if external in members)
        states.setdefault(state, []).append(external)
    return states


def _try(step: str, read: Callable[[], T]) -> Generator[Finding, None, T | None]:
    """Return what is read; where that fails, yield why and return None."""
    try:
        return read()
    except EduguardError as error:
        yield Finding(step=step, verdict=BROKEN, text=error.message, remedy=error.hint)
        return None


def _check_identity(settings: Settings) -> list[Finding]:
    identity = target_identity(settings)
    found = [Finding(step="credentials", verdict=OK, text=f"account {identity.account}, {identity.arn}")]
    if abs(identity.clock_ahead) > _LARGEST_SKEW:
        text = f"this machine is {identity.clock_ahead:+.0f} s ahead of AWS"
        found.append(Finding(step="clock", verdict=BROKEN, text=text, remedy="Set the clock, by NTP for instance."))
    return found


def _check_region(region: str) -> Finding:
    if serves(region):
        return Finding(step="region", verdict=OK, text=region)
    remedy = "Set `region` of the target to the one in which the collection was made."
    return Finding(step="region", verdict=BROKEN, text=f"AWS has no Rekognition in {region}", remedy=remedy)


def _examine_database(settings: Settings) -> Generator[Finding, None, list[FaceRow] | None]:
    """Yield the state of the database, and return the rows of the collection's students where they can be read."""
    finding = yield from _try("database", lambda: _check_database(settings))
    if finding is None:
        return None
    yield finding
    if finding.verdict == BROKEN or finding.remedy == _MIGRATE:
        return None
    return (yield from _try("database", lambda: _read_rows(settings)))


def _check_database(settings: Settings) -> Finding:
    database = target_database(settings)
    state = protection.inspect(database)
    if not state.exists:
        text = f"{database.name} does not exist on {state.server}"
        return Finding(step="database", verdict=BROKEN, text=text, remedy="inv full")
    pending = runner.plan(database, settings.migrations_folder).pending
    if pending:
        return Finding(step="database", verdict=DRIFT, text=f"pending: {', '.join(pending)}", remedy=_MIGRATE)
    with connect(database, purpose="doctor") as conn:
        faces = protection.count_rows(conn).get("student_faces", 0)
    if not faces:
        return Finding(step="database", verdict=DRIFT, text=f"{database.name} has no faces", remedy="inv seed-full")
    return Finding(step="database", verdict=OK, text=f"{database.name}, {faces} faces")


def _read_rows(settings: Settings) -> list[FaceRow]:
    with connect(target_database(settings), purpose="doctor") as conn:
        return read_rows(conn, Scope(collection=settings.target.collection))


def _check_collection(state: CollectionState, faces: list[Face]) -> Finding:
    if not faces:
        return Finding(step="collection", verdict=DRIFT, text=f"{state.arn} has no face", remedy="inv enrol")
    ours = sum(split_external_image_id(face.external_image_id or "") is not None for face in faces)
    text = f"{state.arn}, {len(faces)} faces, {ours} with an external image id of our form"
    if ours == 0:
        remedy = "Index the photos again as " + EXTERNAL_IMAGE_ID_FORM + ": inv enrol"
        return Finding(step="collection", verdict=DRIFT, text=text, remedy=remedy)
    if len(faces) != state.face_count:
        text += f"; it counts {state.face_count}"
        return Finding(
            step="collection", verdict=DRIFT, text=text, remedy="It is changing: run this again in a minute."
        )
    return Finding(step="collection", verdict=OK, text=text)


def _judge_plan(plan: Plan) -> Iterator[Finding]:
    changes = len(plan.link) + len(plan.relink)
    if changes:
        text = f"{len(plan.link)} rows hold the placeholder, {len(plan.relink)} an old FaceId"
        yield Finding(step="sync", verdict=DRIFT, text=text, remedy="inv sync-faces")
    for kind, remedy in (
        ("conflict", "inv sync-faces --unlink-missing"),
        ("duplicate", "inv sync-faces --prune duplicates"),
        ("temporary", "inv sync-faces --prune temporary"),
    ):
        if count := plan.counts()[kind]:
            yield Finding(step="sync", verdict=DRIFT, text=f"{count} of kind {kind}", remedy=remedy)
    if not changes and not plan.conflict:
        yield Finding(step="sync", verdict=OK, text=f"{plan.unchanged} rows hold the FaceId of their face")


def _read_photos(settings: Settings) -> set[str]:
    """Return the external image ids of the photos in the bucket."""
    keys = map(split_photo_key, target_bucket(settings).sizes(PHOTOS))
    return {external_image_id(*parts) for parts in keys if parts}


def _judge_places(rows: set[str], photos: set[str], faces: list[Face]) -> Iterator[Finding]:
    ours = {face.external_image_id for face in faces if split_external_image_id(face.external_image_id or "")}
    states = compare_places(rows, photos, {external for external in ours if external})
    yield from (_judge_state(state, ids) for state, ids in states.items())


_REMEDIES = {
    "row": "Upload the photos and index them: inv enrol --from FOLDER; or remove the rows",
    "photo": "inv photos pull FOLDER, then inv enrol --from FOLDER",
    "face": "inv sync-faces --prune orphans",
    "row + photo": "inv photos pull FOLDER, then inv enrol --from FOLDER",
    "row + face": "inv photos push FOLDER puts the photo back; attendance works without it",
    "photo + face": "inv sync-faces --adopt makes the rows of known students",
}


def _judge_state(state: str, ids: list[str]) -> Finding:
    if state == "row + photo + face":
        return Finding(step="photos", verdict=OK, text=f"{len(ids)} with row, photo and face")
    named = ", ".join(ids[:_SHOWN]) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")
    return Finding(step="photos", verdict=DRIFT, text=f"{len(ids)} with only {state}: {named}", remedy=_REMEDIES[state])


def iam_policies(settings: Settings, account: str) -> dict[str, Any]:
    """Return the least that each job needs, as IAM policies (service authorization reference of Rekognition and S3)."""
    target = settings.target
    collection = f"arn:aws:rekognition:{target.region}:{account}:collection/{target.collection}"
    objects = f"arn:aws:s3:::{target.bucket}/{PHOTOS}*"

    def rekognition(*actions: str) -> dict[str, Any]:
        return _statement([f"rekognition:{action}" for action in actions], collection)

    def bucket(*actions: str) -> dict[str, Any]:
        return _statement([f"s3:{action}" for action in actions], f"arn:aws:s3:::{target.bucket}")

    reads = rekognition("DescribeCollection", "ListFaces")
    return {
        "sync": _policy(reads),
        "sync --prune": _policy(rekognition("DescribeCollection", "ListFaces", "DeleteFaces")),
        "sync --users": _policy(
            rekognition("DescribeCollection", "ListFaces", "ListUsers", "CreateUser", "AssociateFaces")
        ),
        "enrol": _policy(
            rekognition("DescribeCollection", "ListFaces", "IndexFaces", "DeleteFaces"),
            _statement(["rekognition:CreateCollection", "s3:ListAllMyBuckets"], "*"),
            _statement(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], objects),
            bucket("ListBucket", "GetBucketPolicyStatus", "GetBucketPublicAccessBlock", "GetBucketAcl"),
        ),
        "unenrol": _policy(
            rekognition("DescribeCollection", "ListFaces", "DeleteFaces", "ListUsers", "DeleteUser"),
            _statement(["s3:DeleteObject", "s3:DeleteObjectVersion"], objects),
            bucket("ListBucket", "ListBucketVersions"),
        ),
        "attendance": _policy(
            rekognition("SearchFacesByImage", "SearchUsersByImage"), _statement(["rekognition:DetectFaces"], "*")
        ),
        "doctor": _policy(reads, bucket("ListBucket")),
    }


def _statement(actions: list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
