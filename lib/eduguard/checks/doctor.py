"""Say of each thing from credentials to photos what is wrong, and which command fixes it; read-only."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from eduguard.aws import CollectionState, Face, Identity, serves
from eduguard.checks.evidence import DatabaseFacts, Evidence, PlaceEvidence
from eduguard.checks.look_alikes import LookAlike
from eduguard.errors import EduguardError
from eduguard.identifiers import EXTERNAL_IMAGE_ID_FORM, split_external_image_id
from eduguard.settings import Settings
from eduguard.sync import Plan, pair_up, plan_sync
from eduguard.values import LOCAL

OK, DRIFT, BROKEN = "ok", "drift", "broken"
_LARGEST_SKEW = 240.0  # seconds; AWS refuses signatures that are 5 minutes off
_SHOWN = 5  # ids named for each kind of disagreement
_AGAIN = "inv photos pull FOLDER, then inv enrol --from FOLDER"
_MAKING = "inv reindex, then inv sync-faces --confirm-collection={}"  # the rows may hold FaceIds of before
_REMEDIES = {
    "row": "inv enrol --from FOLDER, where FOLDER has the photos",
    "photo": _AGAIN,
    "face": "inv sync-faces --prune orphans",
    "row + photo": "inv reindex, then inv sync-faces",
    "row + face": "inv enrol --from FOLDER, where FOLDER has the photos; attendance works without them",
    "photo + face": "inv sync-faces --adopt",
}
_UNKNOWN = "inv unenrol STUDENT; or inv seed-full, where the fixtures have the student"
_LOOK = "Look whose photos they are: inv unenrol STUDENT, then enrol the right ones; twins stay as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: ok, drift (two places disagree) or broken (it cannot work), and the way out."""

    step: str
    verdict: str
    text: str
    remedy: str | None = None

    def __str__(self) -> str:
        return f"{self.verdict:<6} {self.step}: {self.text}" + (f"\n       {self.remedy}" if self.remedy else "")


def examine(settings: Settings, *, look_alikes: bool = False) -> Iterator[Finding]:
    """Yield what each check found, as soon as it is known; look_alikes costs a request for each face."""
    evidence = Evidence(settings=settings, wants_look_alikes=look_alikes)
    for check in CHECKS:
        yield from check(evidence)


def worst(findings: Iterable[Finding]) -> str:
    """Return the gravest verdict."""
    verdicts = {finding.verdict for finding in findings}
    return next((verdict for verdict in (BROKEN, DRIFT) if verdict in verdicts), OK)


def check_sources(evidence: Evidence) -> list[Finding]:
    """Say where the database's URL and AWS's credentials come from."""
    settings = evidence.settings
    target = settings.target
    is_local = LOCAL == target.rekognition_endpoint == target.s3_endpoint
    aws = settings.sources.describe_credentials(target.name, target.aws_profile)
    text = f"database: {settings.database_source}; AWS: {'the local cloud' if is_local else aws}"
    return [Finding(step="settings", verdict=OK, text=text)]


def check_credentials(evidence: Evidence) -> list[Finding]:
    """Say whose credentials are used."""
    if isinstance(evidence.identity, EduguardError):
        return [_failed("credentials", evidence.identity)]
    text = f"account {evidence.identity.account}, {evidence.identity.arn}"
    return [Finding(step="credentials", verdict=OK, text=text)]


def check_clock(evidence: Evidence) -> list[Finding]:
    """Say when this machine's clock is too far off for AWS."""
    return [] if isinstance(evidence.identity, EduguardError) else judge_clock(evidence.identity)


def check_region(evidence: Evidence) -> list[Finding]:
    """Say whether AWS has Rekognition in the target's region; an endpoint of its own has it anywhere."""
    target = evidence.settings.target
    return [] if target.rekognition_endpoint else judge_region(target.region)


def check_database(evidence: Evidence) -> list[Finding]:
    """Say whether the database is there, is migrated and has faces."""
    if isinstance(evidence.database, EduguardError):
        return [_failed("database", evidence.database)]
    found = [judge_database(evidence.database)]
    if isinstance(evidence.places, EduguardError):
        return [*found, _failed("schools", evidence.places)]
    failed = {each.rows.message: each.rows for each in evidence.places if isinstance(each.rows, EduguardError)}
    return found + [_failed("database", error) for error in failed.values()]


def check_collections(evidence: Evidence) -> list[Finding]:
    """Say whether each collection is there and has faces of ours."""
    has_photos = isinstance(evidence.photos, set) and bool(evidence.photos)
    remedy = _MAKING if has_photos else "inv enrol"
    return [_check_collection(each, remedy.format(each.place.collection)) for each in _places(evidence)]


def _check_collection(place: PlaceEvidence, remedy: str) -> Finding:
    if isinstance(place.collection, EduguardError):
        found = _failed("collection", place.collection)
        return replace(found, remedy=f"{remedy}; {found.remedy}") if _is_absent(place.collection) else found
    if isinstance(place.faces, EduguardError):
        return _failed("collection", place.faces)
    if place.place.school and place.rows == [] and not place.faces:
        text = f"{place.collection.arn} is empty: no photo of {place.place.school} is enrolled yet"
        return Finding(step="collection", verdict=OK, text=text)
    return judge_collection(place.collection, place.faces or [], remedy=remedy)


def _is_absent(error: EduguardError) -> bool:
    return error.message.startswith("There is no collection")


def check_bucket(evidence: Evidence) -> list[Finding]:
    """Say when the photos cannot be listed."""
    return [_failed("photos", evidence.photos)] if isinstance(evidence.photos, EduguardError) else []


def check_look_alikes(evidence: Evidence) -> list[Finding]:
    """Say which faces are alike across students, where that was asked for."""
    found = evidence.look_alikes
    if isinstance(found, EduguardError):
        return [_failed("look-alikes", found)]
    return [] if found is None else judge_look_alikes(found)


def judge_look_alikes(pairs: list[LookAlike]) -> list[Finding]:
    """Name the pairs of students' faces; those of drawn photos are only counted."""
    real = [str(each) for each in pairs if not each.is_drawn]
    drawn = f"{len(pairs) - len(real)} pairs of drawn photos are alike"
    if not real:
        return [Finding(step="look-alikes", verdict=OK, text=f"no two students' faces are alike; {drawn}")]
    text = f"{len(real)} pairs of students' faces are alike: {_shorten(real)}; {drawn}"
    return [Finding(step="look-alikes", verdict=DRIFT, text=text, remedy=_LOOK)]


def check_sync(evidence: Evidence) -> list[Finding]:
    """Say of each collection whether the rows hold the FaceIds of their faces."""
    return [
        finding
        for place in _places(evidence)
        if isinstance(place.rows, list) and isinstance(place.faces, list)
        for finding in judge_plan(plan_sync(pair_up(place.rows, place.faces)), place.place.school)
    ]


def check_places(evidence: Evidence) -> list[Finding]:
    """Say which photos are only in some of the three places: table, bucket, collection of their student."""
    states = find_states(evidence)
    if not states:
        return []
    return judge_places(states, evidence.known_students({_student(each) for ids in states.values() for each in ids}))


def find_states(evidence: Evidence) -> dict[str, list[str]]:
    """Return the external image ids by the places that have them, for collections whose rows and faces are known."""
    photos, states, seen, is_whole = evidence.photos, dict[str, list[str]](), set[str](), True
    if not isinstance(photos, set) or not (places := _places(evidence)):
        return {}
    for place in places:
        if not (isinstance(place.rows, list) and isinstance(place.faces, list)):
            is_whole = False  # a photo that is in none of the others may be of this one
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


def judge_places(states: dict[str, list[str]], known: set[str]) -> list[Finding]:
    """Say of each state what is missing; photos and faces of students that the database does not know by themselves."""
    strange = [external for ids in states.values() for external in ids if _student(external) not in known]
    ours = {state: [each for each in ids if _student(each) in known] for state, ids in states.items()}
    found = [_judge_state(state, ids) for state, ids in ours.items() if ids]
    if strange:
        text = f"{len(strange)} of students that are not in the database: {_shorten(sorted(strange))}"
        found.append(Finding(step="photos", verdict=DRIFT, text=text, remedy=_UNKNOWN))
    return found


def _student(external: str) -> str:
    parts = split_external_image_id(external)
    return parts[0] if parts else ""


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


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


def judge_clock(identity: Identity) -> list[Finding]:
    """Return a finding when the clock is so far off that AWS refuses signatures."""
    if abs(identity.clock_ahead) <= _LARGEST_SKEW:
        return []
    text = f"this machine is {identity.clock_ahead:+.0f} s ahead of AWS"
    return [Finding(step="clock", verdict=BROKEN, text=text, remedy="Set the clock, by NTP for instance.")]


def judge_region(region: str) -> list[Finding]:
    """Return whether AWS has Rekognition in a region."""
    if serves(region):
        return [Finding(step="region", verdict=OK, text=region)]
    remedy = "Set `region` of the target to the one in which the collection was made."
    return [Finding(step="region", verdict=BROKEN, text=f"AWS has no Rekognition in {region}", remedy=remedy)]


def judge_database(database: DatabaseFacts) -> Finding:
    """Return whether the database is there, is migrated and has faces."""
    if not database.exists:
        text = f"{database.name} does not exist on {database.server}"
        return Finding(step="database", verdict=BROKEN, text=text, remedy="inv full")
    if database.pending:
        text = f"pending: {', '.join(database.pending)}"
        return Finding(step="database", verdict=DRIFT, text=text, remedy="inv migrate")
    if not database.faces:
        return Finding(step="database", verdict=DRIFT, text=f"{database.name} has no faces", remedy="inv seed-full")
    return Finding(step="database", verdict=OK, text=f"{database.name}, {database.faces} faces")


def judge_collection(state: CollectionState, faces: list[Face], *, remedy: str = "inv enrol") -> Finding:
    """Return whether a collection has faces, and faces of ours, as many as it counts."""
    if not faces:
        return Finding(step="collection", verdict=DRIFT, text=f"{state.arn} has no face", remedy=remedy)
    ours = sum(split_external_image_id(face.external_image_id or "") is not None for face in faces)
    text = f"{state.arn}, {len(faces)} faces, {ours} with an external image id of our form"
    if ours == 0:
        remedy = f"Index the photos again as {EXTERNAL_IMAGE_ID_FORM}: {remedy}"
        return Finding(step="collection", verdict=DRIFT, text=text, remedy=remedy)
    if len(faces) != state.face_count:
        text += f"; it counts {state.face_count}"
        remedy = "It is changing: run this again in a minute."
        return Finding(step="collection", verdict=DRIFT, text=text, remedy=remedy)
    return Finding(step="collection", verdict=OK, text=text)


def judge_plan(plan: Plan, school: str | None = None) -> list[Finding]:
    """Return what a sync would change, and what it would leave to be decided."""
    found, of = [], f"{school}: " if school else ""
    changes = len(plan.link) + len(plan.relink)
    if changes:
        text = f"{of}{len(plan.link)} rows hold the placeholder, {len(plan.relink)} an old FaceId"
        found.append(Finding(step="sync", verdict=DRIFT, text=text, remedy="inv sync-faces"))
    for kind, remedy in (
        ("conflict", "inv sync-faces --unlink-missing"),
        ("duplicate", "inv sync-faces --prune duplicates"),
        ("temporary", "inv sync-faces --prune temporary"),
    ):
        if count := plan.counts()[kind]:
            found.append(Finding(step="sync", verdict=DRIFT, text=f"{of}{count} of kind {kind}", remedy=remedy))
    if not changes and not plan.conflict:
        found.append(Finding(step="sync", verdict=OK, text=f"{of}{plan.unchanged} rows hold the FaceId of their face"))
    return found


def compare_places(rows: set[str], photos: set[str], faces: set[str]) -> dict[str, list[str]]:
    """Return the external image ids by the places that have them: row, photo, face; pure, every id once."""
    states: dict[str, list[str]] = {}
    for external in sorted(rows | photos | faces):
        places = (("row", rows), ("photo", photos), ("face", faces))
        state = " + ".join(name for name, members in places if external in members)
        states.setdefault(state, []).append(external)
    return states


def _judge_state(state: str, ids: list[str]) -> Finding:
    if state == "row + photo + face":
        return Finding(step="photos", verdict=OK, text=f"{len(ids)} with row, photo and face")
    text = f"{len(ids)} with only {state}: {_shorten(ids)}"
    return Finding(step="photos", verdict=DRIFT, text=text, remedy=_REMEDIES[state])


def _failed(step: str, error: EduguardError) -> Finding:
    return Finding(step=step, verdict=BROKEN, text=error.message, remedy=error.hint)
