"""Find what is wrong, from credentials to photos, and name the command that fixes it; read-only."""

from collections.abc import Callable, Iterator

from eduguard.checks.evidence import Evidence, PlaceEvidence
from eduguard.checks.findings import (
    OK,
    Command,
    Finding,
    compare_places,
    failed,
    judge_clock,
    judge_collection,
    judge_database,
    judge_look_alikes,
    judge_places,
    judge_plan,
    judge_region,
    student_of,
)
from eduguard.errors import EduguardError
from eduguard.identifiers import split_external_image_id
from eduguard.progress import Progress
from eduguard.settings import Settings
from eduguard.sync import pair_up, plan_sync
from eduguard.values import LOCAL


def examine(settings: Settings, *, progress: Progress, look_alikes: bool = False) -> Iterator[Finding]:
    """Yield the findings of each check as soon as they are known; look_alikes costs one request for each face."""
    evidence = Evidence(settings=settings, wants_look_alikes=look_alikes, progress=progress)
    step = progress.begin("doctor", len(CHECKS), "checks")
    for check in CHECKS:
        yield from check(evidence)
        step.advance()


def check_sources(evidence: Evidence) -> list[Finding]:
    """Say where the database's URL and AWS's credentials come from."""
    settings = evidence.settings
    target = settings.target
    is_local = LOCAL == target.rekognition_endpoint == target.s3_endpoint
    aws = settings.sources.describe_credentials(target.name, target.aws_profile)
    text = f"database: {settings.database_source}; AWS: {'the local cloud' if is_local else aws}"
    if target.bucket_profile != target.aws_profile:
        text += f"; bucket: profile {target.bucket_profile}"
    return [Finding(step="settings", verdict=OK, text=text)]


def check_credentials(evidence: Evidence) -> list[Finding]:
    """Say whose credentials are used."""
    if isinstance(evidence.identity, EduguardError):
        return [failed("credentials", evidence.identity)]
    text = f"account {evidence.identity.account}, {evidence.identity.arn}"
    return [Finding(step="credentials", verdict=OK, text=text)]


def check_clock(evidence: Evidence) -> list[Finding]:
    """Report if this machine's clock is too far off for AWS."""
    return [] if isinstance(evidence.identity, EduguardError) else judge_clock(evidence.identity)


def check_region(evidence: Evidence) -> list[Finding]:
    """Say whether AWS has Rekognition in the target's region; a custom endpoint has it in any region."""
    target = evidence.settings.target
    return [] if target.rekognition_endpoint else judge_region(target.region)


def check_database(evidence: Evidence) -> list[Finding]:
    """Say whether the database exists, is migrated and has faces."""
    if isinstance(evidence.database, EduguardError):
        return [failed("database", evidence.database)]
    found = [judge_database(evidence.database)]
    if isinstance(evidence.places, EduguardError):
        return [*found, failed("schools", evidence.places)]
    errors = {each.rows.message: each.rows for each in evidence.places if isinstance(each.rows, EduguardError)}
    return found + [failed("database", error) for error in errors.values()]


def check_collections(evidence: Evidence) -> list[Finding]:
    """Say whether each collection exists and has faces of ours."""
    has_photos = isinstance(evidence.photos, set) and bool(evidence.photos)
    return [_check_collection(each, has_photos=has_photos) for each in _places(evidence)]


def _check_collection(place: PlaceEvidence, *, has_photos: bool) -> Finding:
    commands: tuple[Command, ...] = (Command(name="enrol"),)
    if has_photos:  # the rows may hold old FaceIds
        flags = {"confirm_collection": place.place.collection}
        commands = (Command(name="reindex"), Command(name="sync-faces", flags=flags))
    if isinstance(place.collection, EduguardError):
        is_absent = place.collection.message.startswith("There is no collection")
        return failed("collection", place.collection, *(commands if is_absent else ()))
    if isinstance(place.faces, EduguardError):
        return failed("collection", place.faces)
    if place.place.school and place.rows == [] and not place.faces:
        text = f"{place.collection.arn} is empty: no photo of {place.place.school} is enrolled yet"
        return Finding(step="collection", verdict=OK, text=text)
    return judge_collection(place.collection, place.faces or [], commands=commands)


def check_bucket(evidence: Evidence) -> list[Finding]:
    """Report if the photos cannot be listed."""
    return [failed("photos", evidence.photos)] if isinstance(evidence.photos, EduguardError) else []


def check_look_alikes(evidence: Evidence) -> list[Finding]:
    """Say which students' faces are alike, if look_alikes was asked for."""
    found = evidence.look_alikes
    if isinstance(found, EduguardError):
        return [failed("look-alikes", found)]
    return [] if found is None else judge_look_alikes(found)


def check_sync(evidence: Evidence) -> list[Finding]:
    """Say for each collection whether the rows hold the FaceIds of their faces."""
    return [
        finding
        for place in _places(evidence)
        if isinstance(place.rows, list) and isinstance(place.faces, list)
        for finding in judge_plan(plan_sync(pair_up(place.rows, place.faces)), place.place.school)
    ]


def check_places(evidence: Evidence) -> list[Finding]:
    """Say which photos are in some of these places but not in all: the table, the bucket, the student's collection."""
    states = find_states(evidence)
    if not states:
        return []
    return judge_places(states, evidence.known_students({student_of(each) for ids in states.values() for each in ids}))


def find_states(evidence: Evidence) -> dict[str, list[str]]:
    """Return the external image ids by where they were found, for collections whose rows and faces are known."""
    photos, states, seen, is_whole = evidence.photos, dict[str, list[str]](), set[str](), True
    if not isinstance(photos, set) or not (places := _places(evidence)):
        return {}
    for place in places:
        if not (isinstance(place.rows, list) and isinstance(place.faces, list)):
            is_whole = False  # photos that no other collection knows may belong to this one
            continue
        names = {face.external_image_id for face in place.faces if face.external_image_id}
        rows, ours = (
            {row.external_image_id for row in place.rows},
            {name for name in names if split_external_image_id(name)},
        )
        for state, ids in compare_places(rows, photos & (rows | ours), ours).items():
            states.setdefault(state, []).extend(ids)
        seen |= rows | ours
    settings = evidence.settings
    if is_whole and not (settings.school or settings.only_collection) and (rest := sorted(photos - seen)):
        states.setdefault("photo", []).extend(rest)
    return states


def _places(evidence: Evidence) -> list[PlaceEvidence]:
    return [] if isinstance(evidence.places, EduguardError) else evidence.places


CHECKS: tuple[Callable[[Evidence], list[Finding]], ...] = (
    check_sources,
    check_credentials,
    check_clock,
    check_region,
    check_database,
    check_collections,
    check_bucket,
    check_sync,
    check_places,
    check_look_alikes,
)
